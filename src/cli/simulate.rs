//! `carrier-sync simulate`: the carrier simulator alone, for whoever wants a carrier to talk to.
//!
//! Turns arguments into a [`SimulatorConfig`], starts it, says how to use it and waits for the end.
//! Knows nothing of the service.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    net::SocketAddr,
    process::ExitCode,
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::simulate_dialect::{self, CarrierChoice};
use crate::simulator::dialects::Dialect;
use crate::simulator::{Billing, FaultList, Latency, SimulatedAccount, Simulator, SimulatorConfig};

/// How the organisations pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BillingChoice {
    /// 30 days from the moment each SIM was claimed
    Prepaid,
    /// The calendar month
    Invoiced,
    /// Organisations take turns
    Mixed,
}

/// Run a simulated carrier on this machine.
///
/// It speaks Hologram's REST API, or another carrier's with --carrier, over fleets of any size and tells the
/// truth about them, so that what the service wrote can be compared. The same seed gives the same fleets.
/// Ctrl-C ends it.
///
/// The others have their published limits; of the flags below they know --listen, --devices, --accounts,
/// --seed, --latency, --now and, where they sell tokens, --token-lifetime. Another one is refused.
#[derive(Debug, Clone, clap::Args)]
pub struct SimulateArgs {
    /// Whose API it speaks
    #[arg(long, value_enum, default_value_t = CarrierChoice::Hologram)]
    pub carrier: CarrierChoice,

    /// How long a token is valid, for carriers that sell tokens [default: the carrier's]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub token_lifetime: Option<Duration>,

    /// Address to listen on; loopback only, because the keys are shown. Port 0 takes a free port
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8099")]
    pub listen: SocketAddr,

    /// Devices of each organisation
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub devices: u64,

    /// Organisations, each with an API key of its own
    #[arg(long, visible_alias = "tenants", value_name = "N", default_value_t = 1)]
    pub accounts: u64,

    /// Decides every property of every device
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Calls per second allowed to each API key; faster ones get 429 [default: no limit]
    #[arg(long, value_name = "CALLS")]
    pub rate: Option<f64>,

    /// Calls that a rested API key may make at once, where --rate is given
    #[arg(long, value_name = "CALLS", default_value_t = 5)]
    pub burst: u32,

    /// Seconds announced as Retry-After with a 429; 0 sends no such header
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub retry_after: u64,

    /// Least time an answer takes
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency: Duration,

    /// Random time on top of --latency, up to this
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = humantime::parse_duration)]
    pub latency_jitter: Duration,

    /// How the organisations pay, which decides their billing cycles
    #[arg(long, value_enum, default_value_t = BillingChoice::Prepaid)]
    pub billing: BillingChoice,

    /// Percent of devices with two or three links
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    pub multi_link_percent: f64,

    /// Most rows of a page of devices
    #[arg(long, value_name = "ROWS", default_value_t = 1_000)]
    pub max_device_page: usize,

    /// Bytes each live SIM uses per second; 0 lets the truth stand still while it is compared
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub growth: u64,

    /// Faults: 0.3 spoils that part of the answers in every way from which a client recovers by itself;
    /// a list such as 503=0.1,reset=0.05 names them; a name alone strikes every call
    #[arg(long, value_name = "PART|NAME=PART,…", default_value = "0")]
    pub faults: FaultList,

    /// The carrier's date, which stands still, as 2026-11-23T12:00:00Z [default: when it starts]
    #[arg(long, value_name = "TIME")]
    pub now: Option<DateTime<Utc>>,
}

impl SimulateArgs {
    /// The simulator these arguments describe.
    #[must_use]
    pub fn config(&self) -> SimulatorConfig {
        let account = |number| SimulatedAccount {
            billing: self.billing_of(number),
            ..SimulatedAccount::numbered(number, self.devices)
        };
        SimulatorConfig {
            seed: self.seed,
            accounts: (1..=self.accounts).map(account).collect(),
            now: self.now,
            requests_per_second: self.rate,
            burst: self.burst,
            retry_after_seconds: (self.retry_after > 0).then_some(self.retry_after),
            latency: Latency {
                fixed: self.latency,
                jitter: self.latency_jitter,
            },
            max_device_page: self.max_device_page,
            multi_link_percent: self.multi_link_percent,
            growth_bytes_per_second: self.growth,
            faults: self.faults.0.clone(),
            ..SimulatorConfig::default()
        }
    }

    fn billing_of(&self, account_number: u64) -> Billing {
        match self.billing {
            BillingChoice::Invoiced => Billing::Invoiced,
            BillingChoice::Mixed if account_number.is_multiple_of(2) => Billing::Invoiced,
            BillingChoice::Prepaid | BillingChoice::Mixed => Billing::Prepaid,
        }
    }
}

/// Why the simulator did not run, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Its keys are public: it must not be reachable from elsewhere.
    #[error(
        "--listen {0} is not a loopback address; the simulator shows its keys to anyone, \
         so use 127.0.0.1:PORT or [::1]:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, or may not be used.
    #[error("cannot listen on {address}: {source}; choose another --listen IP:PORT")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A flag that would change nothing, so that whoever gave it would be misled.
    #[error("{flag} means nothing with --carrier {carrier}; leave it out")]
    Foreign {
        /// As it is typed.
        flag: &'static str,
        /// As it is typed.
        carrier: String,
    },
    /// An argument that makes no carrier, or the server failed.
    #[error("the simulator cannot run: {0}")]
    Run(#[from] std::io::Error),
}

/// Starts the simulator on `args.listen`.
///
/// # Errors
/// [`SimulateError`] says what to do instead.
pub fn start(args: &SimulateArgs) -> Result<Simulator, SimulateError> {
    simulate_dialect::refuse_foreign(args)?;
    Ok(Simulator::start(args.config(), args.listener()?)?)
}

/// Runs until Ctrl-C or SIGTERM, on any tokio runtime with I/O enabled.
///
/// Exit code 0 after a signal, 1 when the simulator could not run (the reason is on stderr).
pub async fn run(args: SimulateArgs) -> ExitCode {
    match serve(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: &SimulateArgs) -> Result<(), SimulateError> {
    if let Some(dialect) = args.carrier.dialect() {
        return serve_dialect(args, dialect).await;
    }
    let simulator = start(args)?;
    // A closed pipe must not end the simulator: who reads its output is not who uses it.
    let _ = write!(
        std::io::stdout(),
        "{}",
        Introduction {
            args,
            simulator: &simulator
        }
    );
    told_to_stop().await?;
    let calls = simulator.calls().total;
    tokio::task::spawn_blocking(|| simulator.stop())
        .await
        .map_err(std::io::Error::other)??;
    let _ = writeln!(std::io::stdout(), "stopped after {calls} calls");
    Ok(())
}

async fn serve_dialect(args: &SimulateArgs, dialect: Dialect) -> Result<(), SimulateError> {
    let simulator = simulate_dialect::start(args, dialect)?;
    let _ = write!(
        std::io::stdout(),
        "{}",
        simulate_dialect::Introduction(&simulator)
    );
    told_to_stop().await?;
    let calls = simulator.calls().arrivals.len();
    tokio::task::spawn_blocking(|| simulator.stop())
        .await
        .map_err(std::io::Error::other)??;
    let _ = writeln!(std::io::stdout(), "stopped after {calls} calls");
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM.
async fn told_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

/// What a user needs to know to use the simulator, and the commands to type next.
struct Introduction<'a> {
    args: &'a SimulateArgs,
    simulator: &'a Simulator,
}

impl fmt::Display for Introduction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base_url, admin_url) = (self.simulator.base_url(), self.simulator.admin_url());
        let config = self.args.config();
        writeln!(
            f,
            "Simulated carrier (Hologram's API), seed {}",
            config.seed
        )?;
        writeln!(f, "  API    {base_url}")?;
        writeln!(f, "  truth  {admin_url}/truth?orgid=ORG")?;
        writeln!(f, "  calls  {admin_url}/calls")?;
        writeln!(f, "  faults {admin_url}/faults")?;
        writeln!(
            f,
            "\n  {:<8} {:<22} {:>8}  billing",
            "ORG", "API key", "devices"
        )?;
        for SimulatedAccount {
            org_id,
            api_key,
            devices,
            billing,
        } in &config.accounts
        {
            let billing = format!("{billing:?}").to_lowercase();
            writeln!(f, "  {org_id:<8} {api_key:<22} {devices:>8}  {billing}")?;
        }
        f.write_str(&next_steps(&config, &base_url, &admin_url))
    }
}

/// The commands that connect the first organisation; the service must be allowed to call loopback.
fn next_steps(config: &SimulatorConfig, base_url: &str, admin_url: &str) -> String {
    let mut text = String::new();
    let Some(SimulatedAccount {
        org_id, api_key, ..
    }) = config.accounts.first()
    else {
        return text;
    };
    let lines = [
        "\nNext, in another terminal:".to_owned(),
        "  export CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS=true".to_owned(),
        "  carrier-sync migrate".to_owned(),
        format!(
            "  CARRIER_SYNC_API_KEY={api_key} carrier-sync integrations add --id sim-{org_id} \
             --tenant demo --carrier hologram --account-id {org_id} --base-url {base_url}"
        ),
        format!("  carrier-sync integrations test sim-{org_id}"),
        format!("  curl -s '{admin_url}/devices.csv?orgid={org_id}' > devices.csv"),
        format!("  carrier-sync devices import devices.csv --integration sim-{org_id}"),
        format!("  carrier-sync once --integration sim-{org_id}"),
        "\nCtrl-C ends the simulator.".to_owned(),
    ];
    for line in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(arguments: &[&str]) -> SimulateArgs {
        Command::try_parse_from(std::iter::once(&"simulate").chain(arguments))
            .unwrap()
            .args
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "192.168.1.5:8099", "[::]:0"] {
            let error = start(&parse(&["--listen", address])).unwrap_err();
            assert!(
                matches!(error, SimulateError::NotLoopback(_)),
                "{address}: {error}"
            );
        }
    }

    #[test]
    fn an_impossible_carrier_is_refused_with_the_reason() {
        let error = start(&parse(&["--listen", "127.0.0.1:0", "--rate", "0"])).unwrap_err();
        assert!(error.to_string().contains("must be above 0"), "{error}");
    }

    #[test]
    fn the_commands_that_it_tells_are_commands() {
        let text = next_steps(
            &parse(&[]).config(),
            "http://127.0.0.1:1/api/1",
            "http://x/sim",
        );
        let commands = text
            .lines()
            .filter_map(|line| line.split_once("carrier-sync "));
        let mut told = 0;
        for (_, arguments) in commands {
            let words = std::iter::once("carrier-sync").chain(arguments.split(' '));
            let parsed = crate::cli::Cli::try_parse_from(words);
            assert!(parsed.is_ok(), "{arguments}: {}", parsed.unwrap_err());
            told += 1;
        }
        assert!(told >= 4, "{text}");
    }

    #[test]
    fn organisations_differ_in_id_key_and_where_asked_in_billing() {
        let config =
            parse(&["--tenants", "3", "--billing", "mixed", "--retry-after", "0"]).config();
        let billing: Vec<_> = config
            .accounts
            .iter()
            .map(|account| account.billing)
            .collect();
        assert_eq!(
            billing,
            [Billing::Prepaid, Billing::Invoiced, Billing::Prepaid]
        );
        assert_eq!(config.accounts[2].api_key, "simulated-key-1003");
        assert_eq!(config.retry_after_seconds, None);
        assert!(config.validate().is_ok());
    }
}
