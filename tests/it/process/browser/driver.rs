//! A real browser without a window, led by its driver. Each test has one of its own, with an empty profile.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Far beyond any honest wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub dark: bool,
    pub scripts: bool,
    pub phone: bool,
}

impl Look {
    pub const DESK: Self = Self {
        width: 1280,
        height: 900,
        dark: false,
        scripts: true,
        phone: false,
    };
    pub const PHONE: Self = Self {
        width: 390,
        height: 844,
        phone: true,
        ..Self::DESK
    };
}

/// A browser; it ends with its value.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.client.clone().close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    pub fn open(look: Look) -> Self {
        let (driver, port) = start_driver();
        let profile = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let capabilities = capabilities(look, profile.path());
        let client = runtime.block_on(async {
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}"))
                .await
        });
        let browser = Self {
            client: client.expect("a browser"),
            runtime,
            driver,
            _profile: profile,
        };
        let scheme = if look.dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        browser.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
        browser
    }

    pub fn goto(&self, address: &str) {
        self.runtime.block_on(self.client.goto(address)).unwrap();
    }

    pub fn address(&self) -> String {
        let url = self.runtime.block_on(self.client.current_url());
        url.unwrap().to_string()
    }

    /// Looks at what a person sees at `css`, until it `is` as it should be.
    #[track_caller]
    pub fn sees(&self, css: &str, what: &str, is: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let text = self.try_text(css).unwrap_or_default();
            if is(&text) {
                return text;
            }
            assert!(started.elapsed() < PATIENCE, "no {what} at {css}: {text}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until `part` is seen at `css`.
    #[track_caller]
    pub fn reads(&self, css: &str, part: &str) -> String {
        self.sees(css, part, |text| text.contains(part))
    }

    fn try_text(&self, css: &str) -> Option<String> {
        self.runtime.block_on(async {
            let found = self.client.find(Locator::Css(css)).await.ok()?;
            let text = found.text().await.ok()?;
            Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
        })
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        // A page that fetches itself again may replace what is clicked at.
        self.patiently(|| {
            self.runtime
                .block_on(async { self.client.find(Locator::Css(css)).await?.click().await })
        });
    }

    #[track_caller]
    pub fn click_link(&self, text: &str) {
        self.patiently(|| {
            self.runtime.block_on(async {
                let link = self.client.find(Locator::LinkText(text)).await?;
                link.click().await
            })
        });
    }

    #[track_caller]
    pub fn types(&self, css: &str, text: &str) {
        self.patiently(|| {
            self.runtime.block_on(async {
                let field = self.client.find(Locator::Css(css)).await?;
                field.clear().await?;
                field.send_keys(text).await
            })
        });
    }

    /// Presses a key where the page's focus is.
    pub fn presses(&self, key: &str) {
        let done = self
            .runtime
            .block_on(async { self.client.active_element().await?.send_keys(key).await });
        done.unwrap();
    }

    #[track_caller]
    fn patiently(&self, attempt: impl Fn() -> Result<(), CmdError>) {
        let started = Instant::now();
        while let Err(error) = attempt() {
            assert!(started.elapsed() < PATIENCE, "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a script answers.
    #[track_caller]
    pub fn asks(&self, script: &str) -> Value {
        let answer = self.runtime.block_on(self.client.execute(script, vec![]));
        answer.unwrap()
    }

    /// Keeps what is seen as test output: `target/screenshots/NAME.png`, and among the documentation's pictures where
    /// it is asked to (`BLESS=1`).
    pub fn keeps(&self, name: &str) {
        let picture = self.runtime.block_on(self.client.screenshot()).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = target().join("screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), &picture).unwrap();
        let documented = root.join(format!("docs/images/{name}.png"));
        if documented.exists() && std::env::var_os("BLESS").is_some() {
            std::fs::write(documented, &picture).unwrap();
        }
    }

    /// What the browser itself complains of: scripts that failed, what the page's policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let told = self.command("se/log", json!({ "type": "browser" }));
        let told = told.as_array().cloned().unwrap_or_default();
        let is_complaint = |told: &&Value| told["level"] == "SEVERE" || told["level"] == "WARNING";
        let told = told.iter().filter(is_complaint);
        told.map(ToString::to_string).collect()
    }

    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": parameters }),
        )
    }

    fn command(&self, path: &'static str, body: Value) -> Value {
        let told = self.client.issue_cmd(Own { path, body });
        self.runtime.block_on(told).unwrap()
    }
}

/// A command of this browser's that is in no standard.
#[derive(Debug)]
struct Own {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Own {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/{}",
            session.unwrap_or_default(),
            self.path
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

fn capabilities(look: Look, profile: &Path) -> serde_json::Map<String, Value> {
    let scripts = if look.scripts { 1 } else { 2 };
    let mut options = json!({
        "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars",
            format!("--user-data-dir={}", profile.display()),
            format!("--window-size={},{}", look.width, look.height),
        ],
        "prefs": { "profile.managed_default_content_settings.javascript": scripts },
    });
    if look.phone {
        options["mobileEmulation"] = json!({
            "deviceMetrics": { "width": look.width, "height": look.height, "pixelRatio": 2.0, "touch": true },
        });
    }
    let all = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    all.as_object().cloned().unwrap()
}

/// The driver, at a port that it chose.
fn start_driver() -> (Child, u16) {
    let started = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut driver = started.expect("no chromedriver: run scripts/chromium.sh install");
    let said = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = said.map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    (driver, port.expect("the driver says its port"))
}

/// Where the build puts what it makes.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    // target/debug/deps/it-…
    program.ancestors().nth(3).unwrap().to_owned()
}
