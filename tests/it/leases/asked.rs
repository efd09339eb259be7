//! A sync that is asked for at a process which does not have the integration.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::{Runner, Stage, start_with};
use crate::fleet::in_system;
use crate::process_faults::child::{Child, until};

const TOKEN: &str = "canary-token-19b0aa";

fn run(stage: &Stage, mark: u64) -> Runner {
    let more = [("STATUS__LISTEN", "127.0.0.1:0"), ("STATUS__TOKEN", TOKEN)];
    Runner {
        child: start_with(&["run"], mark, &stage.database.service_url(), &more),
        mark,
    }
}

/// Where a process serves its status.
fn address(child: &Child) -> String {
    until("the status is served", || {
        child.log().lines().find_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let address = line["address"].as_str()?;
            address.strip_prefix("http://").map(str::to_owned)
        })
    })
}

/// Status and body.
fn ask(address: &str, method: &str, path: &str) -> (u16, Value) {
    let mut connection = TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: 0\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn whichever_process_is_asked_the_one_that_has_the_integration_syncs_it() {
    in_system(async {
        let mut stage = Stage::set(4, 2, Duration::ZERO).await;
        let (first, second) = (run(&stage, 1001), run(&stage, 1002));
        let held = stage.until_fair(&[&first, &second]).await;
        stage.until_all_synced().await;
        let (own, others) = (&held[&first.child.id()], &held[&second.child.id()]);
        let page = address(&first.child);
        // Each tells the whole fleet, and what it does not have as elsewhere.
        // A lease is held a moment before its actor is there.
        until("it has what it holds", || {
            let (_, elsewhere) = ask(&page, "GET", "/integrations?state=elsewhere");
            (elsewhere["found"] == others.len()).then_some(())
        });
        let (_, totals) = ask(&page, "GET", "/totals");
        assert_eq!(
            (&totals["integrations"], &totals["devices"]["fresh"]),
            (&4.into(), &8.into())
        );

        let calls_by = |id: &str, mark: u64| {
            let calls = stage.calls();
            calls[id].iter().filter(|(_, by)| *by == mark).count()
        };
        let before = (calls_by(&others[0], 1001), calls_by(&others[0], 1002));
        let path = |id: &str| format!("/integrations/{id}/sync");
        let (status, answer) = ask(&page, "POST", &path(&others[0]));
        assert_eq!((status, &answer["answer"]), (202, &"passed_on".into()));
        until("its holder syncs it", || {
            (calls_by(&others[0], 1002) > before.1).then_some(())
        });
        assert_eq!(calls_by(&others[0], 1001), before.0, "and nobody else does");
        let (status, answer) = ask(&page, "POST", &path(&own[0]));
        assert_eq!((status, &answer["answer"]), (202, &"begun".into()));
        stage.assert_owners_only().await;
    });
}
