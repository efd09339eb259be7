//! An answer is read up to the cap and never further, whatever it claims to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use carrier_sync::client::CallError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Setup, call};
use crate::scripted::{Reply, ScriptedCarrier, answer, bytes};

const CAP: usize = 64 * 1024;

fn capped() -> Setup {
    Setup {
        max_body_bytes: CAP,
        ..Setup::default()
    }
}

/// `{"success":true,"data":[]}` and blanks, of exactly this size.
fn listing_of(size: usize) -> String {
    let listing = r#"{"success":true,"data":[]}"#;
    format!("{listing}{}", " ".repeat(size - listing.len()))
}

fn announced(body: &str) -> Reply {
    answer(200, &[], body)
}

fn chunked(body: &str) -> Reply {
    let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    bytes(200, &[("Transfer-Encoding", "chunked")], chunks)
}

#[tokio::test]
async fn an_answer_at_the_cap_is_read_and_one_above_it_is_refused() {
    for form in [announced, chunked] {
        for (size, is_read) in [(CAP, true), (CAP + 1, false)] {
            let reply = form(&listing_of(size));
            let carrier = ScriptedCarrier::start(move |_, _| reply.clone()).await;
            let met = call(&capped().account(&carrier.base_url())).await;
            match met {
                Ok(_) => assert!(is_read, "{size}"),
                Err(error) => {
                    let expected = CallError::TooLarge { limit_bytes: CAP };
                    assert_eq!((error, is_read), (expected, false));
                }
            }
            // Too large is too large the second time as well.
            assert_eq!(carrier.seen().len(), 1);
        }
    }
}

#[tokio::test]
async fn an_announced_length_is_a_claim_and_is_not_waited_for() {
    // The claim alone decides: not one byte of it is sent.
    let carrier =
        ScriptedCarrier::start(|_, _| bytes(200, &[("Content-Length", "1099511627776")], "")).await;
    let error = call(&capped().account(&carrier.base_url()))
        .await
        .unwrap_err();
    assert_eq!(error, CallError::TooLarge { limit_bytes: CAP });
}

/// Sends `head` and then chunks without end; counts the bytes that the caller took.
async fn endless(head: &'static str) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/1", listener.local_addr().unwrap());
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
        while stream.write_all(chunk.as_bytes()).await.is_ok() {
            count.fetch_add(0x1000, Ordering::Relaxed);
        }
    });
    (url, taken)
}

#[tokio::test]
async fn a_chunked_answer_without_end_is_given_up_at_the_cap() {
    let (url, taken) = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let error = call(&capped().account(&url)).await.unwrap_err();
    assert_eq!(error, CallError::TooLarge { limit_bytes: CAP });
    // What the sockets' buffers hold is the system's; an answer read without a cap has no end.
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < 64 << 20, "{taken} bytes taken");
}

#[tokio::test]
async fn an_error_without_end_is_still_that_error() {
    let (url, _) = endless("HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let error = call(&capped().account(&url)).await.unwrap_err();
    assert!(matches!(error, CallError::Unauthorized { status: 401, .. }));
}

#[tokio::test]
async fn an_answer_that_inflates_past_the_cap_is_refused_before_it_is_whole() {
    let mut bomb = gzip_of_blanks(256 << 20);
    assert!(bomb.len() < 2 << 20, "{} bytes on the wire", bomb.len());
    // The end never comes: whoever wants the whole of it first, waits for ever.
    bomb.truncate(bomb.len() - 20);
    let Reply::Bytes(bomb) = bytes(200, &GZIP, &bomb) else {
        unreachable!("bytes are bytes");
    };
    let carrier = ScriptedCarrier::start(move |_, _| Reply::Stall(bomb.clone())).await;
    let error = call(&capped().account(&carrier.base_url()))
        .await
        .unwrap_err();
    assert_eq!(error, CallError::TooLarge { limit_bytes: CAP });
}

#[tokio::test]
async fn a_compressed_answer_below_the_cap_is_read() {
    let listing = br#"{"success":true,"continues":false,"data":[{"id":7}]}"#;
    let packed = gzip_stored(listing);
    let carrier = ScriptedCarrier::start(move |_, _| answer(200, &GZIP, &packed)).await;
    let page = call(&Setup::once().account(&carrier.base_url()))
        .await
        .unwrap();
    assert_eq!(page.records[0].device.as_str(), "7");
    assert!(
        carrier.seen()[0]
            .header("accept-encoding")
            .unwrap()
            .contains("gzip")
    );
}

const GZIP: [(&str, &str); 1] = [("Content-Encoding", "gzip")];
/// RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// A gzip member whose one block is stored, not compressed.
fn gzip_stored(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut packed = GZIP_HEAD.to_vec();
    packed.push(1);
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(content);
    packed.extend(crc32(content).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

fn crc32(content: &[u8]) -> u32 {
    !content.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

/// At least so many blanks, packed about 160 to 1: one literal, then "258 bytes from 1 back" over and
/// over (RFC 1951, fixed codes). The checksum is wrong, which nobody lives to see.
fn gzip_of_blanks(size: usize) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.push(0b011, 3); // the last block; fixed codes, lowest bit first
    bits.push_code(0x30 + u32::from(b' '), 8);
    for _ in 0..size / 258 {
        bits.push_code(0b1100_0101, 8); // length 258
        bits.push_code(0, 5); // distance 1
    }
    bits.push_code(0, 7);
    [&GZIP_HEAD[..], &bits.bytes(), &[0; 8]].concat()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        self.pending |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push((self.pending & 0xff) as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Huffman codes go highest bit first.
    fn push_code(&mut self, code: u32, count: u32) {
        self.push(code.reverse_bits() >> (32 - count), count);
    }

    fn bytes(mut self) -> Vec<u8> {
        self.push(0, 7);
        self.bytes
    }
}
