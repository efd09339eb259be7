//! `check --manifest`: what it makes of a description of a carrier, and what it says of a wrong one.

use super::User;

const TELNYX: &str = include_str!("../../../config/manifests/telnyx.toml");

#[test]
fn a_manifest_is_told_with_what_it_gives_and_what_an_integration_needs() {
    let user = User::new();
    user.file("own.toml", TELNYX);
    let said = user.runs(&["check", "--manifest", "own.toml"]).succeeds();
    let said = said.prints(&["ok      own.toml: Telnyx (by manifest)", "billing cycle"]);
    assert!(!said.stdout.contains("account id"), "{}", said.stdout);
    let of_account = TELNYX.replace("path = \"sim_cards\"", "path = \"orgs/{account_id}/sims\"");
    user.file("of-account.toml", of_account);
    let said = user.runs(&["check", "--manifest", "of-account.toml"]);
    said.succeeds()
        .prints(&["account id      required: ", "listing.path"]);
}

#[test]
fn a_mistake_of_a_manifest_is_told_with_line_and_key() {
    let user = User::new();
    for (right, wrong, place, reason) in [
        ("\"bearer\"", "\"barer\"", "line 8: auth.kind", "`bearer`"),
        (
            "absent_is_deactivated",
            "absent_is_gone",
            "line 21: listing.absent_is_gone",
            "unknown field `absent_is_gone`",
        ),
    ] {
        user.file("wrong.toml", TELNYX.replace(right, wrong));
        let said = user.runs(&["check", "--manifest", "wrong.toml"]);
        assert_eq!(said.code, 1, "{said:?}");
        said.prints(&["FAILED  wrong.toml ", place, reason]);
        let said = user.runs(&["check", "--json", "--manifest", "wrong.toml"]);
        let line: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((&line["ok"], said.code), (&false.into(), 1));
    }
    user.runs(&["check", "--manifest", "none.toml"])
        .fails(1, &["none.toml"]);
}
