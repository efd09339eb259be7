//! The asking end of the status server: one question to a running service, and its answer. By hand: the server is
//! ours, its answers are small, and half of its addresses are sockets in the file system. Judges no answer.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Address;

/// Our answers are far smaller.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Whoever waits for longer is not asking how it is now.
const LONGEST_PATIENCE: Duration = Duration::from_secs(3_600);

/// Where to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// `HOST:PORT`.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Not a place to ask at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no place to ask at; allowed is http://HOST:PORT or unix:/PATH")]
pub struct NotADoor;

impl Door {
    /// Of a server that listens there, from this machine. `None`: nobody listens, or at a port that only the server
    /// knows.
    #[must_use]
    pub fn of(address: &Address) -> Option<Self> {
        match address {
            Address::Off => None,
            Address::Tcp(address) if address.port() == 0 => None,
            Address::Tcp(address) => {
                let ip = match address.ip() {
                    IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
                    IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
                    ip => ip,
                };
                Some(Self::Tcp(SocketAddr::new(ip, address.port()).to_string()))
            }
            Address::Unix(path) => Some(Self::Unix(path.clone())),
        }
    }

    /// Asks for `path`, and has the whole answer within `patience`, an hour at most.
    ///
    /// # Errors
    /// The system's own; [`io::ErrorKind::TimedOut`]; [`io::ErrorKind::InvalidData`] for an answer that is not HTTP.
    pub fn ask(
        &self,
        path: &str,
        token: Option<&SecretString>,
        patience: Duration,
    ) -> io::Result<Answer> {
        let deadline = Instant::now() + patience.min(LONGEST_PATIENCE);
        let (door, path, token) = (self.clone(), path.to_owned(), token.cloned());
        let (answers, answer) = mpsc::sync_channel(1);
        // Neither the look-up of a name nor the way to a socket whose queue is full can be told when to end. So
        // whoever asks is left behind there, and goes with the process.
        std::thread::Builder::new()
            .name("ask".to_owned())
            .spawn(move || answers.send(door.ask_until(&path, token.as_ref(), deadline)))?;
        answer
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .unwrap_or_else(|_| Err(too_late()))
    }

    fn ask_until(
        &self,
        path: &str,
        token: Option<&SecretString>,
        deadline: Instant,
    ) -> io::Result<Answer> {
        let host = match self {
            Self::Tcp(host) => host.as_str(),
            Self::Unix(_) => "localhost",
        };
        let token = token.map_or_else(String::new, |token| {
            format!("Authorization: Bearer {}\r\n", token.expose_secret())
        });
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{token}\r\n");
        match self {
            Self::Tcp(host) => talk(connect(host, deadline)?, &request, deadline),
            Self::Unix(path) => talk(UnixStream::connect(path)?, &request, deadline),
        }
    }
}

impl FromStr for Door {
    type Err = NotADoor;

    fn from_str(text: &str) -> Result<Self, NotADoor> {
        if let Some(path) = text.strip_prefix("unix:") {
            let is_path = path.starts_with('/');
            return is_path.then(|| Self::Unix(path.into())).ok_or(NotADoor);
        }
        let url = Url::parse(text).map_err(|_| NotADoor)?;
        match (url.scheme(), url.host(), url.port_or_known_default()) {
            ("http", Some(host), Some(port)) if url.path() == "/" => {
                Ok(Self::Tcp(format!("{host}:{port}")))
            }
            _ => Err(NotADoor),
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "http://{host}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// As it is.
    pub body: String,
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
        Some(Self {
            status: status.parse().ok()?,
            body: body.to_owned(),
        })
    }
}

/// A connection whose every step ends by a deadline.
trait Bounded: Read + Write {
    fn bound(&self, time: Duration) -> io::Result<()>;
}

impl Bounded for TcpStream {
    fn bound(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Bounded for UnixStream {
    fn bound(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left).ok_or_else(too_late)
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no complete answer in time")
}

/// To the first address of the host that lets us in.
fn connect(host: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(connection) => return Ok(connection),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

fn talk(mut connection: impl Bounded, request: &str, deadline: Instant) -> io::Result<Answer> {
    connection.bound(left(deadline)?)?;
    connection.write_all(request.as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 8 << 10]);
    while answer.len() as u64 <= LONGEST_ANSWER {
        connection.bound(left(deadline)?)?;
        match connection.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(too_late()),
            Err(error) => return Err(error),
        }
    }
    Answer::parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_server_is_asked_where_this_machine_reaches_it() {
        for (listen, door) in [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("0.0.0.0:8080", Some("http://127.0.0.1:8080")),
            ("[::]:81", Some("http://[::1]:81")),
            ("192.168.1.4:82", Some("http://192.168.1.4:82")),
            ("unix:/run/status.sock", Some("unix:/run/status.sock")),
            ("127.0.0.1:0", None),
            ("off", None),
        ] {
            let of = Door::of(&listen.parse().unwrap());
            assert_eq!(of.map(|door| door.to_string()).as_deref(), door, "{listen}");
        }
    }

    /// A service that is stopped in its tracks takes nobody in, and its socket's queue is short.
    #[tokio::test]
    async fn a_socket_that_takes_nobody_in_is_waited_for_no_longer_than_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        let socket = tokio::net::UnixSocket::new_stream().unwrap();
        socket.bind(&path).unwrap();
        let _listener = socket.listen(0).unwrap();
        let _queue = UnixStream::connect(&path).unwrap();
        let (told, hears) = mpsc::channel();
        let door = Door::Unix(path);
        std::thread::spawn(move || told.send(door.ask("/livez", None, Duration::from_millis(200))));
        let answer = hears.recv_timeout(Duration::from_secs(30));
        let answer = answer.expect("it is waited for without end");
        assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_door_is_an_http_address_or_a_socket() {
        for (text, door) in [
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://carrier-sync/", "http://carrier-sync:80"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            let parsed: Door = text.parse().unwrap();
            assert_eq!(parsed.to_string(), door);
        }
        for text in [
            "",
            "localhost:8080",
            "https://x:1",
            "http://x/livez",
            "unix:x",
        ] {
            assert_eq!(text.parse::<Door>(), Err(NotADoor), "{text}");
        }
    }
}
