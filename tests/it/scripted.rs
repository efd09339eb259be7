//! A carrier of the test's own: raw HTTP over TCP, answering what the test says, byte for byte. For
//! what no proper server does: hang in the middle of a body, lie about its length, cut the line.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When its head was complete.
    pub at: Instant,
    /// Request line and headers.
    pub head: String,
    /// What a POST sends.
    pub body: String,
}

impl Seen {
    /// Path and query, to the letter.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The path alone.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The value of a query parameter, still percent-encoded.
    pub fn query(&self, name: &str) -> Option<&str> {
        let pairs = self.target().split_once('?')?.1.split('&');
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|p| p.1)
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// What the carrier does with a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes, then silence; the connection stays open.
    Stall(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// After a while.
    Later(Duration, Box<Reply>),
}

/// A whole answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let length = body.as_ref().len().to_string();
    let mut headers = headers.to_vec();
    headers.push(("Content-Length", &length));
    bytes(status, &headers, body)
}

/// An answer with these headers and no others.
pub fn bytes(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut whole = text.into_bytes();
    whole.extend_from_slice(body.as_ref());
    Reply::Bytes(whole)
}

/// An answer as the API gives it.
pub fn json(body: &str) -> Reply {
    answer(200, &[("Content-Type", "application/json")], body)
}

/// The API's "nothing there": an empty, complete listing.
pub fn empty_listing() -> Reply {
    json(r#"{"success":true,"continues":false,"data":[]}"#)
}

/// Listens until dropped.
#[derive(Debug)]
pub struct ScriptedCarrier {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: JoinHandle<()>,
}

impl ScriptedCarrier {
    /// A carrier that answers the `n`-th request (from 0) as `script` says.
    pub async fn start(script: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, &*script, &log).await });
            }
        });
        Self {
            address,
            seen,
            accepting,
        }
    }

    /// For `api_base_url`.
    pub fn base_url(&self) -> String {
        format!("http://{}/api/1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order of arrival.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests whose path ends like this.
    pub fn count(&self, path: &str) -> usize {
        self.seen()
            .iter()
            .filter(|seen| seen.path().ends_with(path))
            .count()
    }
}

impl Drop for ScriptedCarrier {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(usize, &Seen) -> Reply + Send + Sync),
    log: &Mutex<Vec<Seen>>,
) -> Option<()> {
    let head = read_head(&mut stream).await?;
    let mut seen = Seen {
        at: Instant::now(),
        head,
        body: String::new(),
    };
    let length = seen.header("Content-Length").unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    seen.body = String::from_utf8(body).ok()?;
    let number = {
        let mut log = log.lock().unwrap();
        log.push(seen.clone());
        log.len() - 1
    };
    let mut reply = script(number, &seen);
    while let Reply::Later(wait, then) = reply {
        tokio::time::sleep(wait).await;
        reply = *then;
    }
    match reply {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.shutdown().await.ok()?;
            read_to_end(stream).await;
        }
        Reply::Stall(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            read_to_end(stream).await;
        }
        Reply::Reset(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.set_zero_linger().ok()?;
        }
        Reply::Later(..) => unreachable!("unwrapped above"),
    }
    Some(())
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0; 1]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Waits until the caller hangs up.
async fn read_to_end(mut stream: TcpStream) {
    let mut rest = [0; 256];
    while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}
