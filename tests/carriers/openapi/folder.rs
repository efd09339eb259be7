//! A case read from its folder, and what the carrier's code says of its calls.

use std::{fs, path::Path};

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

/// The headers of the token that a case got, by lower-case name.
pub(super) fn token_headers(folder: &Path) -> Option<Vec<(String, String)>> {
    let expected = read_json(folder, "expected.json");
    let headers = expected["token"]["headers"].as_object()?;
    let texts = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    headers.iter().map(texts).collect()
}

/// `None` where the carrier refuses the case's account. `token`: what a token of this carrier is sent as.
pub(super) fn side(
    carrier: &dyn Carrier,
    folder: &Path,
    token: &[(String, String)],
) -> Option<Side> {
    let account = account(&read_json(folder, "account.json"));
    let base = carrier.base_url(&account).ok()?.into_owned();
    let side = match carrier.authorize(&account).ok()? {
        Authorization::Basic { .. } => Side {
            base,
            proof: Proof::Basic,
            token: None,
        },
        Authorization::Headers(headers) => Side {
            base,
            proof: sent(&headers),
            token: None,
        },
        Authorization::Token(request) => Side {
            token: Some(token_call(&base, request)),
            base,
            proof: Proof::Headers(token.to_vec()),
        },
    };
    Some(side)
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
