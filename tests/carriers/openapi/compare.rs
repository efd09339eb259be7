//! One case against the document: each of its requests and each of its answers.
//!
//! What may disagree stands in the case's `openapi.txt`; a line that does not come true is as wrong as a
//! disagreement that has no line, so that the list cannot rot.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Call, Document, Operation, Proof};

/// What the carrier's code says about all of its calls.
pub(super) struct Side {
    pub(super) base: String,
    pub(super) proof: Proof,
    /// The call that buys the token, where there are tokens.
    pub(super) token: Option<TokenCall>,
}

pub(super) struct TokenCall {
    pub(super) address: String,
    pub(super) proof: Proof,
    pub(super) media: &'static str,
    pub(super) body: Value,
}

/// What is in a case's folder.
#[derive(Default)]
pub(super) struct Case {
    /// As in `expected.json`.
    pub(super) requests: Vec<String>,
    /// Name without ending, and the content, in the order of the requests; `None`: not JSON.
    pub(super) answers: Vec<(String, Option<Value>)>,
    pub(super) token_answer: Option<Value>,
    /// `openapi.txt`.
    pub(super) accepted: String,
}

/// What a comparison found: `request …: text` or `answer …: text`.
#[derive(Default)]
pub(super) struct Found {
    pub(super) disagreements: BTreeSet<String>,
    pub(super) requests: usize,
    pub(super) answers: usize,
}

impl Found {
    fn add(&mut self, subject: &str, texts: BTreeSet<String>) {
        let lines = texts.into_iter().map(|text| format!("{subject}: {text}"));
        self.disagreements.extend(lines);
    }

    fn request<'a>(
        &mut self,
        document: &'a Document,
        name: &str,
        call: &Call<'_>,
    ) -> Option<Operation<'a>> {
        self.requests += 1;
        let (operation, wrong) = document.check_call(call);
        self.add(&format!("request {name}"), wrong);
        operation
    }

    fn answer(
        &mut self,
        document: &Document,
        of: (&str, Option<&Operation<'_>>),
        json: Option<&Value>,
    ) {
        // A walk is fed only what came with a 200.
        let (name, Some(operation)) = of else { return };
        let wrong = json.and_then(|json| document.check_answer(operation, "200", json));
        if let Some(wrong) = wrong {
            self.answers += 1;
            self.add(&format!("answer {name}"), wrong);
        }
    }

    /// Disagreements without a line.
    pub(super) fn unlisted(&self, accepted: &str) -> Vec<&str> {
        let is_listed = |found: &&str| lines_of(accepted).any(|line| covers(line, found));
        let all = self.disagreements.iter().map(String::as_str);
        all.filter(|found| !is_listed(found)).collect()
    }

    /// Lines without a disagreement.
    pub(super) fn stale<'a>(&self, accepted: &'a str) -> Vec<&'a str> {
        let is_true = |line: &&str| self.disagreements.iter().any(|found| covers(line, found));
        lines_of(accepted).filter(|line| !is_true(line)).collect()
    }

    /// Both, as a reader is told of them.
    pub(super) fn against(&self, accepted: &str) -> Vec<String> {
        let (unlisted, stale) = (self.unlisted(accepted), self.stale(accepted));
        let unlisted = unlisted.iter().map(|found| format!("disagrees: {found}"));
        let stale = stale
            .iter()
            .map(|line| format!("listed, and does not disagree: {line}"));
        unlisted.chain(stale).collect()
    }
}

/// `base`: where this case's account is asked.
pub(super) fn compare(document: &Document, side: &Side, base: &str, case: &Case) -> Found {
    let mut found = Found::default();
    if let (Some(token), Some(answer)) = (&side.token, &case.token_answer) {
        let call = Call {
            method: "POST",
            address: token.address.clone(),
            query: Vec::new(),
            body: Some((token.media, token.body.clone())),
            proof: &token.proof,
        };
        let operation = found.request(document, "read_token", &call);
        found.answer(document, ("read_token", operation.as_ref()), Some(answer));
    }
    assert_eq!(
        case.requests.len(),
        case.answers.len(),
        "an answer for each request"
    );
    for (request, (name, answer)) in case.requests.iter().zip(&case.answers) {
        // A file that an answer told us to fetch is no call of the document.
        if request.starts_with("download ") {
            continue;
        }
        let (address, call) = parse(request, base, &side.proof);
        let operation = found.request(document, address, &call);
        found.answer(document, (name, operation.as_ref()), answer.as_ref());
    }
    found
}

/// `POST auth?x=y {"json":1}` → how it is called in `openapi.txt` (no query, no body), and the call.
fn parse<'a>(request: &'a str, base: &str, proof: &'a Proof) -> (&'a str, Call<'a>) {
    let (rest, body) = match request.starts_with("POST ").then(|| request.find(" {")) {
        Some(Some(at)) => (&request[..at], Some(&request[at..])),
        _ => (request, None),
    };
    let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (method, path) = name
        .strip_prefix("POST ")
        .map_or(("GET", name), |path| ("POST", path));
    let call = Call {
        method,
        address: format!("{}/{path}", base.trim_end_matches('/')),
        query: pairs(query),
        body: body.map(|body| {
            (
                "application/json",
                serde_json::from_str(body).expect("a JSON body"),
            )
        }),
        proof,
    };
    (name, call)
}

/// Names and values of a query that is not percent-encoded: an `&` that no `name=` follows is part of a value.
fn pairs(query: &str) -> Vec<(&str, &str)> {
    let mut rest = query;
    let mut pairs = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let next = after.find('=').and_then(|at| after[..at].rfind('&'));
        let (value, left) = next.map_or((after, ""), |at| (&after[..at], &after[at + 1..]));
        pairs.push((name, value));
        rest = left;
    }
    pairs
}

/// The lines of an `openapi.txt` that are no comment.
pub(super) fn lines_of(accepted: &str) -> impl Iterator<Item = &str> {
    let lines = accepted.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// `answer get_x.1: is not of type` covers each disagreement of that answer that contains the text.
fn covers(line: &str, found: &str) -> bool {
    let Some((subject, text)) = line.split_once(": ") else {
        return false;
    };
    let of_subject = found
        .strip_prefix(subject)
        .and_then(|rest| rest.strip_prefix(": "));
    of_subject.is_some_and(|rest| rest.contains(text))
}
