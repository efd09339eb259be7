//! Browsers and other strangers at the door: signing in, forms from elsewhere, names that are not ours.

use carrier_sync::simulator::{SimulatedAccount, SimulatorConfig};

use super::served::{Answer, Served, bearer, request};
use super::{Place, until};

const TOKEN: &str = "canary-token-0b6d33";

fn place() -> Place {
    let config = SimulatorConfig {
        accounts: vec![SimulatedAccount::numbered(1, 3)],
        ..SimulatorConfig::default()
    };
    Place::new(config)
        .with("STATUS__LISTEN", "0.0.0.0:0")
        .with("STATUS__TOKEN", TOKEN)
}

#[test]
fn a_browser_signs_in_acts_and_signs_out() {
    let place = place();
    let id = place.link();
    let served = Served::by(&place);
    let html = "Accept: text/html\r\n";
    let asked = served.ask("GET", "/integrations/x?q=1", html);
    assert_eq!(asked.status, 401);
    assert!(asked.body.contains("type=\"password\""), "{asked:?}");
    assert!(
        asked.body.contains("value=\"/integrations/x?q=1\""),
        "{asked:?}"
    );
    let wrong = served.send_form("/login", "token=guess&next=%2F", "");
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("That is not the token"), "{wrong:?}");
    let elsewhere = format!("token={TOKEN}&next=//evil.example");
    let signed_in = served.send_form("/login", &elsewhere, "");
    assert_eq!(signed_in.status, 303);
    assert!(signed_in.head.contains("location: /\r\n"), "{signed_in:?}");
    assert!(
        signed_in.head.contains("; httponly; samesite=strict"),
        "{signed_in:?}"
    );
    let key = key_of(&served);
    let name = key.split('=').next().unwrap();
    let cookie = format!("Cookie: {key}\r\n");
    assert_eq!(
        served.ask("GET", "/", &format!("{html}{cookie}")).status,
        200
    );
    assert_eq!(served.ask("GET", "/metrics", &cookie).status, 200);
    assert_eq!(
        served
            .ask("GET", "/metrics", &format!("Cookie: {name}=x\r\n"))
            .status,
        401
    );

    let pause = format!("/integrations/{id}/pause");
    let page = until("it can be paused", || {
        let answer = served.send_form(&pause, "", &cookie);
        (answer.status == 303).then_some(answer)
    });
    assert!(page.head.contains("asked=paused"), "{page:?}");
    // Another page on this machine is the same site to a browser, and another origin.
    let request = request(
        "POST",
        &pause.replace("pause", "resume"),
        &format!("Origin: http://localhost:3000\r\nContent-Length: 0\r\n{cookie}"),
    );
    let refused = Answer::of(served.connect(), &request);
    assert_eq!(refused.status, 403, "{refused:?}");

    let out = served.send_form("/logout", "", &cookie);
    assert_eq!(out.status, 303);
    assert_eq!(
        served.ask("GET", "/", &format!("{html}{cookie}")).status,
        401
    );
}

/// Signs in once more and takes the cookie letter by letter.
fn key_of(served: &Served) -> String {
    use std::io::{Read, Write};
    let form = format!("token={TOKEN}");
    let head = format!(
        "Origin: http://localhost\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n",
        form.len()
    );
    let mut connection = served.connect();
    let request = format!("{}{form}", request("POST", "/login", &head));
    connection.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let at = text.find("carrier_sync_session").unwrap();
    text[at..].split(';').next().unwrap().to_owned()
}

/// What a browser keeps of a host: one cookie of a name, whatever the port that set it.
fn keep(jar: &mut Vec<String>, pair: String) {
    let name = |pair: &str| pair.split('=').next().map(str::to_owned);
    jar.retain(|kept| name(kept) != name(&pair));
    jar.push(pair);
}

#[test]
fn two_services_of_one_machine_sign_nobody_out_of_the_other() {
    let (one, other) = (place(), place());
    let (one, other) = (Served::by(&one), Served::by(&other));
    let mut jar = Vec::new();
    keep(&mut jar, key_of(&one));
    keep(&mut jar, key_of(&other));
    let cookies = |jar: &[String]| format!("Cookie: {}\r\n", jar.join("; "));
    for served in [&one, &other] {
        let answer = served.ask("GET", "/metrics", &cookies(&jar));
        assert_eq!(answer.status, 200, "{jar:?}");
    }
    let out = other.send_form("/logout", "", &cookies(&jar));
    let (_, set) = out.head.split_once("set-cookie: ").unwrap();
    keep(&mut jar, set.split(';').next().unwrap().to_owned());
    let status = |served: &Served| served.ask("GET", "/metrics", &cookies(&jar)).status;
    assert_eq!((status(&one), status(&other)), (200, 401), "{jar:?}");
}

#[test]
fn guesses_at_the_form_are_few_and_large_forms_are_not_read() {
    let place = place();
    let served = Served::by(&place);
    let large = format!("token={}", "x".repeat(64 * 1024));
    let refused = served.send_form("/login", &large, "");
    assert_eq!(refused.status, 413, "{refused:?}");
    let signed_in = format!("Cookie: {}\r\n", key_of(&served));
    for _ in 0..10 {
        assert_eq!(served.send_form("/login", "token=guess", "").status, 401);
    }
    assert_eq!(served.ask("GET", "/metrics", &signed_in).status, 200);
    let right = format!("token={TOKEN}");
    assert_eq!(served.send_form("/login", &right, "").status, 429);
    assert_eq!(served.ask("GET", "/metrics", &bearer(TOKEN)).status, 429);
    assert_eq!(served.get("/livez").status, 200);
}

#[test]
fn a_name_that_was_made_to_lead_here_reads_nothing() {
    let place = place().with("STATUS__LISTEN", "127.0.0.1:0");
    let served = Served::by(&place);
    let ask = |host: &str, more: &str| {
        let request =
            format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
        Answer::of(served.connect(), &request).status
    };
    assert_eq!(ask("evil.example", ""), 403);
    assert_eq!(ask("evil.example", &bearer(TOKEN)), 200);
    for own in ["localhost", "127.0.0.1:8080", "[::1]:80"] {
        assert_eq!(ask(own, ""), 200, "{own}");
    }
}

#[test]
fn no_page_of_another_origin_may_read() {
    let place = place().with("STATUS__LISTEN", "127.0.0.1:0");
    let served = Served::by(&place);
    for method in ["GET", "OPTIONS"] {
        let answer = served.ask(method, "/api/v1/totals", "Origin: https://evil.example\r\n");
        assert!(!answer.head.contains("access-control"), "{answer:?}");
    }
}

/// Whoever holds a connection with half a form holds up nobody for long.
#[test]
fn half_a_form_is_waited_for_as_long_as_half_a_head() {
    use std::io::{Read, Write};
    const MORE_THAN_ARE_SERVED: usize = 600;
    let place = place();
    let served = Served::by(&place);
    let head = "Origin: http://localhost\r\nContent-Length: 5000\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n";
    let half = format!("{}token=", request("POST", "/login", head));
    let mut slow: Vec<_> = (0..MORE_THAN_ARE_SERVED)
        .map(|_| {
            let mut connection = served.connect();
            connection.write_all(half.as_bytes()).unwrap();
            connection
        })
        .collect();
    // All of them are let go, so whoever waits behind them is answered.
    assert_eq!(served.get("/livez").status, 200);
    let mut answer = String::new();
    let _ = slow[0].read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

/// A scraper with an old token, where none is wanted, locks nobody out, and nobody learns anything by guessing.
#[test]
fn a_token_that_is_not_wanted_is_not_looked_at() {
    let place = place().with("STATUS__LISTEN", "127.0.0.1:0");
    let served = Served::by(&place);
    for _ in 0..20 {
        assert_eq!(
            served
                .ask("GET", "/metrics", &bearer("an-old-token-of-ours"))
                .status,
            200
        );
    }
    assert_eq!(served.ask("GET", "/metrics", &bearer(TOKEN)).status, 200);
    let page = |token: &str| {
        served.ask(
            "GET",
            "/",
            &format!("Accept: text/html\r\n{}", bearer(token)),
        )
    };
    for token in [TOKEN, "guess"] {
        assert!(page(token).body.contains("Sign in"), "{token}");
    }
    // A page from elsewhere cannot guess in the name of whoever looks at it.
    for origin in [
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "",
    ] {
        let head = format!("Content-Length: 11\r\n{origin}");
        let form = format!("{}token=guess", request("POST", "/login", &head));
        assert_eq!(Answer::of(served.connect(), &form).status, 403, "{origin}");
    }
}
