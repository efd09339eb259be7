//! A carrier that sends us elsewhere: we do not go, and the key does not travel.

use std::io::ErrorKind;
use std::net::TcpListener;

use carrier_sync::simulator::{Fault, FaultKind};

use super::Scene;
use crate::fleet::in_system;

fn redirected(location: String) {
    in_system(async {
        let scene = Scene::new().await;
        let fault = Fault::new(FaultKind::Redirect { location });
        scene
            .survives_outage(fault, "a redirect to another host is not followed")
            .await;
    });
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    // The same machine under another name and port: whoever followed would arrive here.
    let port = elsewhere.local_addr().unwrap().port();
    redirected(format!("http://localhost:{port}/api/1/devices"));
    redirected(format!("http://127.0.0.1:{port}/api/1/devices"));
    let visitor = elsewhere.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(visitor, Err(ErrorKind::WouldBlock), "nobody came");
}

#[test]
fn a_redirect_to_a_private_address_is_not_followed() {
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://[::1]/",
    ] {
        redirected(location.to_owned());
    }
}
