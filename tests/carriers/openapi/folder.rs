//! A case read from its folder, and what the carrier's code says of its calls.

use std::{
    borrow::Cow,
    fs,
    path::{Path, PathBuf},
};

use carrier_sync::carriers::{
    Account, Authorization, Carrier, TokenRequest,
    token::{SecretHeaders, TokenAddress, TokenBody},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{
    compare::{Case, Side, TokenCall},
    document::Proof,
};
use crate::cases::{
    case::{FUNCTIONS, parse_name},
    entries,
};

impl Case {
    pub(super) fn read(folder: &Path) -> Self {
        let mut files: Vec<(usize, u32, String, Option<Value>)> = Vec::new();
        let mut case = Self::default();
        for path in entries(folder) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some((function, number)) = parse_name(name).filter(|_| is_answer(name)) else {
                continue;
            };
            let (stem, _) = name.rsplit_once('.').unwrap();
            let json = serde_json::from_slice(&fs::read(&path).unwrap()).ok();
            if function == "read_token" {
                case.token_answer = json;
                continue;
            }
            let place = FUNCTIONS.iter().position(|known| *known == function);
            files.push((place.unwrap(), number, stem.to_owned(), json));
        }
        files.sort_by_key(|(place, number, ..)| (*place, *number));
        case.answers = files
            .into_iter()
            .map(|(_, _, name, json)| (name, json))
            .collect();
        let requests = read_json(folder, "expected.json")["requests"].take();
        case.requests = serde_json::from_value(requests).unwrap();
        case.accepted = fs::read_to_string(folder.join("openapi.txt")).unwrap_or_default();
        case
    }
}

fn is_answer(name: &str) -> bool {
    !matches!(name, "expected.json" | "account.json" | "openapi.txt")
}

fn read_json(folder: &Path, name: &str) -> Value {
    let json = fs::read(folder.join(name)).unwrap_or_default();
    serde_json::from_slice(&json).unwrap_or_default()
}

/// What the carrier's code says of its calls, by the first case whose account it accepts: `None` where it
/// accepts none.
pub(super) fn side(carrier: &dyn Carrier, cases: &[PathBuf]) -> Option<Side> {
    let accepted = |case: &PathBuf| {
        let account = account(&read_json(case, "account.json"));
        let base = carrier.base_url(&account).ok()?.into_owned();
        Some((base, carrier.authorize(&account).ok()?))
    };
    let (base, authorization) = cases.iter().find_map(accepted)?;
    let (proof, token) = match authorization {
        Authorization::Basic { .. } => (Proof::Basic, None),
        Authorization::Headers(headers) => (sent(&headers), None),
        Authorization::Token(request) => {
            let headers = cases.iter().find_map(|case| token_headers(case));
            let proof = Proof::Headers(headers.unwrap_or_default());
            (proof, Some(token_call(&base, request)))
        }
    };
    Some(Side { base, proof, token })
}

/// Where a case's account is asked, if that depends on the account.
pub(super) fn base(carrier: &dyn Carrier, case: &Path) -> Option<String> {
    let account = account(&read_json(case, "account.json"));
    carrier.base_url(&account).ok().map(Cow::into_owned)
}

/// The headers of the token that a case got, by lower-case name.
fn token_headers(case: &Path) -> Option<Vec<(String, String)>> {
    let expected = read_json(case, "expected.json");
    let headers = expected["token"]["headers"].as_object()?;
    let texts = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    headers.iter().map(texts).collect()
}

/// The credentials of `account.json`; the rest of it does not matter here.
fn account(given: &Value) -> Account {
    let text = |name: &str| given[name].as_str().map(str::to_owned);
    let settings = given["settings"].as_object();
    Account {
        api_key: text("api_key").unwrap_or_else(|| "a-key".into()).into(),
        api_secret: text("api_secret").map(SecretString::from),
        account_id: text("account_id"),
        settings: settings.cloned().unwrap_or_default(),
    }
}

fn sent(headers: &SecretHeaders) -> Proof {
    let headers = headers.iter();
    let texts = headers.map(|(name, value)| (name.to_string(), value.expose_secret().to_owned()));
    Proof::Headers(texts.collect())
}

fn token_call(base: &str, request: TokenRequest) -> TokenCall {
    let base = base.trim_end_matches('/');
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let origin = base[after_scheme..]
        .find('/')
        .map_or(base, |at| &base[..after_scheme + at]);
    let address = match request.address {
        TokenAddress::Below(path) => format!("{base}/{path}"),
        TokenAddress::OnHost(path) => format!("{origin}/{}", path.trim_start_matches('/')),
        TokenAddress::Elsewhere { origin, path } => format!("{origin}{path}"),
    };
    let (media, body) = match request.body {
        TokenBody::Json(json) => (
            "application/json",
            serde_json::from_str(json.expose_secret()).expect("a JSON body"),
        ),
        TokenBody::Form(fields) => {
            let fields = fields.iter();
            let fields: Map<_, _> = fields
                .map(|(name, value)| (name.to_string(), json!(value.expose_secret())))
                .collect();
            ("application/x-www-form-urlencoded", Value::Object(fields))
        }
    };
    let proof = Proof::Buying {
        basic: request.basic.is_some(),
    };
    TokenCall {
        address,
        proof,
        media,
        body,
    }
}
