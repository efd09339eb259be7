//! A true answer spoilt on its way: cut, stalled, drip-fed, blown up, of other types.
//!
//! What the server would never do by itself is done by the body: a stream that ends in an error makes
//! it drop the connection, and a socket told to linger for no time is then reset.

use std::{any::Any, io, net::TcpStream, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BodyStream, SizedStream},
    dev::Extensions,
    http::header,
    rt::time::sleep,
    web::Bytes,
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use super::{gzip, response::Answer};

/// Longer than any caller waits.
pub(super) const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Time in which what was written leaves before the connection is cut.
const FLUSH: Duration = Duration::from_millis(20);

/// White space that is sent at once.
const PADDING: usize = 64 << 10;

type Chunk = io::Result<Bytes>;

/// The connection of a request, so that a fault can cut it.
struct Wire(TcpStream);

/// Keeps a handle of each connection within reach of its requests.
pub(super) fn keep_wire(connection: &dyn Any, data: &mut Extensions) {
    #[cfg(unix)]
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>() {
        use std::os::fd::AsFd;
        // Without a handle a reset is a plain end of the connection, which is a fault as well.
        if let Ok(handle) = stream.as_fd().try_clone_to_owned() {
            data.insert(Wire(TcpStream::from(handle)));
        }
    }
    #[cfg(not(unix))]
    let _ = (connection, data);
}

/// Makes the end of the request's connection a reset.
fn arm_reset(request: &HttpRequest) {
    let armed = request.conn_data::<Wire>().map(|wire| {
        let stream = actix_web::rt::net::TcpStream::from_std(wire.0.try_clone()?)?;
        stream.set_zero_linger()
    });
    // As above: unarmed, the connection just ends.
    let _ = armed;
}

/// No answer at all.
pub(super) fn reset(request: &HttpRequest) -> HttpResponse {
    arm_reset(request);
    HttpResponse::Ok().body(BodyStream::new(stream::iter([cut()])))
}

/// Half of the answer, and the connection is reset.
pub(super) fn reset_mid_body(request: &HttpRequest, answer: &Answer) -> HttpResponse {
    arm_reset(request);
    let end = stream::once(async {
        sleep(FLUSH).await;
        cut()
    });
    sized(answer, stream::iter([half(answer)]).chain(end))
}

/// Half of the answer, and nothing more.
pub(super) fn hang_mid_body(answer: &Answer) -> HttpResponse {
    sized(
        answer,
        stream::iter([half(answer)]).chain(stream::pending()),
    )
}

/// The answer, a byte at a time.
pub(super) fn drip(answer: &Answer, pause: Duration) -> HttpResponse {
    let bytes = answer.body().to_vec();
    let drops = stream::iter(bytes).then(move |byte| async move {
        sleep(pause).await;
        Ok(Bytes::copy_from_slice(&[byte]))
    });
    sized(answer, drops)
}

/// The answer behind `spaces` of white space; its length is not announced.
pub(super) fn oversized(answer: &Answer, spaces: u64) -> HttpResponse {
    let chunk = Bytes::from(vec![b' '; PADDING]);
    let chunks = spaces.div_ceil(PADDING as u64);
    let padding = stream::iter(0..chunks).map(move |_| Ok::<_, io::Error>(chunk.clone()));
    let body = Bytes::copy_from_slice(answer.body());
    answer
        .head()
        .body(BodyStream::new(padding.chain(stream::iter([Ok(body)]))))
}

/// The same, compressed.
pub(super) fn gzip_bomb(answer: &Answer, spaces: u64) -> HttpResponse {
    answer
        .head()
        .insert_header((header::CONTENT_ENCODING, "gzip"))
        .body(gzip::padded(spaces, answer.body()))
}

/// The answer with the values of its rows of another type; the envelope stays true.
pub(super) fn wrong_types(answer: &Answer, only: Option<&str>) -> HttpResponse {
    let body = serde_json::from_slice(answer.body()).map(|mut body: Value| {
        if let Some(data) = body.get_mut("data") {
            turn(data, only, only.is_none());
        }
        body.to_string()
    });
    answer.head().body(body.unwrap_or_default())
}

/// Lists and objects keep their shape, so that the damage reaches the values.
fn turn(value: &mut Value, only: Option<&str>, is_meant: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| turn(item, only, is_meant)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(name, field)| turn(field, only, is_meant || only == Some(name))),
        _ if !is_meant => {}
        Value::Number(_) => *value = Value::Bool(true),
        _ => *value = Value::Array(Vec::new()),
    }
}

fn half(answer: &Answer) -> Chunk {
    let body = answer.body();
    Ok(Bytes::copy_from_slice(&body[..body.len() / 2]))
}

fn cut() -> Chunk {
    Err(io::ErrorKind::ConnectionReset.into())
}

/// The answer's head, announcing the whole length, and whatever comes of the body.
fn sized(answer: &Answer, body: impl Stream<Item = Chunk> + 'static) -> HttpResponse {
    let length = answer.body().len() as u64;
    answer.head().body(SizedStream::new(length, body))
}
