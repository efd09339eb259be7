//! A running service whose status is asked over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Place, Running};

/// An answer, in its parts.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In small letters.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn of(mut connection: impl Read + Write, request: &str) -> Self {
        // A server that has heard enough may close before all is sent.
        let _ = connection.write_all(request.as_bytes());
        let mut text = Vec::new();
        let _ = connection.read_to_end(&mut text);
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

pub fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

/// A running service whose status is served at a free port.
pub struct Served {
    pub service: Running,
    pub address: String,
}

impl Served {
    pub fn by(place: &Place) -> Self {
        let service = place.start(&["run", "--log-format", "json"]);
        let line = service.says("the status is served");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = line["address"].as_str().unwrap();
        let port = address.rsplit_once(':').unwrap().1;
        Self {
            service,
            address: format!("127.0.0.1:{port}"),
        }
    }

    pub fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(super::PATIENCE)).unwrap();
        connection
    }

    pub fn ask(&self, method: &str, path: &str, headers: &str) -> Answer {
        Answer::of(self.connect(), &request(method, path, headers))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "")
    }

    /// Asks by a method that may change something, with a token or without.
    pub fn post(&self, path: &str, token: Option<&str>) -> Answer {
        let token = token.map(bearer).unwrap_or_default();
        self.ask("POST", path, &format!("{token}Content-Length: 0\r\n"))
    }

    /// Sends a form, as a browser's page here would.
    pub fn send_form(&self, path: &str, form: &str, headers: &str) -> Answer {
        let head = format!(
            "Origin: http://localhost\r\nAccept: text/html\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n{headers}",
            form.len()
        );
        let request = format!("{}{form}", request("POST", path, &head));
        Answer::of(self.connect(), &request)
    }
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}
