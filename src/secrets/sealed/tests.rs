//! What sealing promises, for any secret and any place.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TWO: &str = "HxoZGBcWFRQTEhEQDw4NDAsKCQgHBgUEAwIBAAECAwQ=";

/// Owns what a [`Place`] borrows.
#[derive(Debug, Clone)]
struct Owned {
    tenant: TenantId,
    integration: IntegrationId,
    column: SecretColumn,
}

impl Owned {
    fn new(tenant: &str, integration: &str, column: SecretColumn) -> Self {
        Self {
            tenant: TenantId::parse(tenant).unwrap(),
            integration: IntegrationId::parse(integration).unwrap(),
            column,
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            tenant_id: &self.tenant,
            integration_id: &self.integration,
            column: self.column,
        }
    }
}

fn here() -> Owned {
    Owned::new("acme", "main", SecretColumn::ApiKey)
}

fn ring(text: &str) -> Keyring {
    Keyring::from_list(text).unwrap()
}

fn sealed(ring: &Keyring, owned: &Owned, secret: &str) -> String {
    let sealed = ring.current().unwrap().seal(owned.place(), &secret.into());
    sealed.unwrap().expose_secret().to_owned()
}

fn open(ring: &Keyring, owned: &Owned, text: &str) -> Result<String, OpenError> {
    ring.open(owned.place(), &text.into())
        .map(|secret| secret.expose_secret().to_owned())
}

#[test]
fn a_sealed_text_names_version_and_key_and_never_repeats_itself() {
    let ring = ring(ONE);
    let (one, two) = (
        sealed(&ring, &here(), "canary"),
        sealed(&ring, &here(), "canary"),
    );
    let prefix = format!("enc:v1:{}:", ring.current().unwrap().id());
    assert!(one.starts_with(&prefix), "{one}");
    assert_ne!(one, two, "a nonce of its own each time");
    assert!(!one.contains("canary"));
}

/// What is stored must open for ever. This text was made by another implementation, from the format as
/// documented: it pins format, key id and associated data.
#[test]
fn a_text_that_was_sealed_once_opens_for_ever() {
    let stored = "enc:v1:9301561c:ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7HxKX0Y1X86mbQUksZdlEcBtHcj8Vaw==";
    assert_eq!(open(&ring(ONE), &here(), stored).unwrap(), "canary");
}

#[test]
fn a_text_moved_to_another_tenant_integration_or_column_does_not_open() {
    let ring = ring(ONE);
    let text = sealed(&ring, &here(), "canary");
    for elsewhere in [
        Owned::new("acme2", "main", SecretColumn::ApiKey),
        Owned::new("acme", "main2", SecretColumn::ApiKey),
        Owned::new("acme", "main", SecretColumn::ApiSecret),
        // The same letters, cut elsewhere.
        Owned::new("acmem", "ain", SecretColumn::ApiKey),
        Owned::new("main", "acme", SecretColumn::ApiKey),
    ] {
        let told = open(&ring, &elsewhere, &text).unwrap_err();
        assert!(matches!(told, OpenError::Foreign { .. }), "{told:?}");
    }
    assert_eq!(open(&ring, &here(), &text).unwrap(), "canary");
}

#[test]
fn the_wrong_key_and_no_key_say_which_is_wanted_and_what_to_set() {
    let text = sealed(&ring(ONE), &here(), "canary");
    let wanted = ring(ONE).current().unwrap().id().to_string();
    let other = ring(TWO).current().unwrap().id().to_string();
    let told = open(&Keyring::default(), &here(), &text)
        .unwrap_err()
        .to_string();
    for part in [
        "api_key",
        &wanted,
        "secrets.key_file",
        "CARRIER_SYNC__SECRETS__KEY",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let told = open(&ring(TWO), &here(), &text).unwrap_err().to_string();
    for part in ["api_key", &wanted, &other, "secrets.key_file"] {
        assert!(told.contains(part), "{told}");
    }
    let both = ring(&format!("{TWO},{ONE}"));
    assert_eq!(open(&both, &here(), &text).unwrap(), "canary");
}

#[test]
fn clear_text_is_its_own_secret_with_and_without_keys() {
    for text in ["key", "", "enc:", "enc:vx:1", "encrypted", "Enc:v1:x"] {
        assert_eq!(open(&Keyring::default(), &here(), text).unwrap(), text);
        assert_eq!(open(&ring(ONE), &here(), text).unwrap(), text);
    }
}

#[test]
fn a_text_of_another_version_or_cut_short_is_told_apart_and_not_repeated() {
    let ring = ring(ONE);
    let text = sealed(&ring, &here(), "x");
    let newer = text.replacen("v1", "v2", 1);
    let column = SecretColumn::ApiKey;
    assert_eq!(
        open(&ring, &here(), &newer),
        Err(OpenError::NewerVersion { column })
    );
    for damaged in ["enc:v1", "enc:v1:", "enc:v1:00", &text[..16], &text[..30]] {
        let told = open(&ring, &here(), damaged).unwrap_err();
        assert_eq!(told, OpenError::Damaged { column }, "{damaged}");
    }
}

fn any_place() -> impl Strategy<Value = Owned> {
    let id = "[^\\p{C}]{0,20}[a-z]";
    let column = prop_oneof![Just(SecretColumn::ApiKey), Just(SecretColumn::ApiSecret)];
    (id, id, column)
        .prop_map(|(tenant, integration, column)| Owned::new(&tenant, &integration, column))
}

proptest! {
    #[test]
    fn what_is_sealed_opens_to_the_letter(secret in "\\PC{0,200}", place in any_place()) {
        let ring = ring(ONE);
        let text = sealed(&ring, &place, &secret);
        prop_assert!(is_sealed(&text));
        prop_assert_eq!(open(&ring, &place, &text).unwrap(), secret);
    }

    #[test]
    fn two_places_never_share_a_text(secret in "[a-z]{1,20}", one in any_place(), two in any_place()) {
        let ring = ring(ONE);
        let same = one.place().associated_data() == two.place().associated_data();
        let is_one = (&one.tenant, &one.integration, one.column)
            == (&two.tenant, &two.integration, two.column);
        prop_assert_eq!(same, is_one);
        let text = sealed(&ring, &one, &secret);
        prop_assert_eq!(open(&ring, &two, &text).is_ok(), is_one);
    }

    #[test]
    fn a_text_with_any_letter_changed_does_not_open(at in 0usize..100, letter in "[!-~]") {
        let ring = ring(ONE);
        let text = sealed(&ring, &here(), "canary-0123456789");
        let at = at % text.len();
        let mut changed = text.clone();
        changed.replace_range(at..=at, &letter);
        prop_assume!(changed != text);
        // Without its mark it is clear text, and would be sent as a key that no carrier takes.
        if let Ok(opened) = open(&ring, &here(), &changed) {
            prop_assert!(!is_sealed(&changed), "{}", changed);
            prop_assert_eq!(opened, changed);
        }
    }

    #[test]
    fn no_text_makes_opening_panic(text in "(enc:v1:([0-9a-f]{8}:)?)?\\PC{0,60}") {
        let _ = open(&ring(ONE), &here(), &text);
    }
}
