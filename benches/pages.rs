//! What a page of 1,000 devices costs us: to read the listing, to read the usage report into the
//! book, to merge the two, and to form the batch of updates.
//!
//! The answers are the simulated carrier's own, fetched once over HTTP before anything is measured.
//! Compare figures of one run with each other, never with another machine's; nothing is asserted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs
)]

use std::hint::black_box;
use std::net::TcpListener;
use std::time::Duration;

use carrier_sync::carriers::registry;
use carrier_sync::carriers::{
    Account, Answer, Authorization, Bulk, Carrier, Context, DeviceRecord, PageSizes, UsageRecord,
    Walk,
};
use carrier_sync::client::allowed_hosts::Egress;
use carrier_sync::client::destination::{Destination, Proof, basic_header};
use carrier_sync::client::egress::parse_base_url;
use carrier_sync::client::scrub::Scrubber;
use carrier_sync::client::transport::{Answerer, Outgoing};
use carrier_sync::client::{Transport, TransportConfig};
use carrier_sync::device::{DeviceId, DeviceUpdate, IntegrationId, TenantId, UpdateBatch};
use carrier_sync::simulator::{SimulatedAccount, Simulator, SimulatorConfig};
use carrier_sync::sync::book::UsageBook;
use carrier_sync::sync::merge::merge;
use chrono::{DateTime, Utc};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const DEVICES: u64 = 1_000;
const PAGES: PageSizes = PageSizes {
    devices: 1_000,
    usage: 5_000,
    max_pages: 10,
};

/// The answers of one simulated account, and the questions to put them to.
struct Answers {
    carrier: &'static dyn Carrier,
    account: Account,
    listing: Vec<u8>,
    report: Vec<u8>,
    now: DateTime<Utc>,
}

impl Answers {
    fn fetch() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let simulated = SimulatedAccount::numbered(1, DEVICES);
        let account = Account {
            api_key: simulated.api_key.clone().into(),
            api_secret: None,
            account_id: Some(simulated.org_id.to_string()),
            settings: serde_json::Map::new(),
        };
        let config = SimulatorConfig {
            accounts: vec![simulated],
            ..SimulatorConfig::default()
        };
        let simulator = Simulator::start(config, listener).expect("the simulator starts");
        let mut answers = Self {
            carrier: registry::find("hologram").expect("a known carrier"),
            account,
            listing: Vec::new(),
            report: Vec::new(),
            now: simulator.now(),
        };
        let listing = answers.listing_walk().request().expect("a first page");
        let report = answers.report_walk().request().expect("a first page");
        let to = destination(&simulator, &answers);
        let transport = transport();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let fetch = |request| {
            let Proof::Headers(proof) = to.proof.clone() else {
                panic!("credentials in every request");
            };
            let call = Outgoing {
                url: to.address(request, None).expect("an address"),
                of: Answerer::Carrier,
                proof,
                body: None,
            };
            let (received, _) = runtime.block_on(transport.send(&to, call, answers.now));
            received.unwrap().body
        };
        let (listing, report) = (fetch(&listing), fetch(&report));
        (answers.listing, answers.report) = (listing, report);
        answers
    }

    fn context(&self) -> Context<'_> {
        Context {
            account: &self.account,
            pages: PAGES,
            now: self.now,
            common_cycle: None,
        }
    }

    fn listing_walk(&self) -> Box<dyn Walk<DeviceRecord>> {
        match self.carrier.get_bulk_device_info(self.context()) {
            Bulk::Listing(walk) => walk,
            Bulk::PerDevice => panic!("an account with an id has a listing"),
        }
    }

    fn report_walk(&self) -> Box<dyn Walk<UsageRecord>> {
        let report = self.carrier.get_bulk_usage(self.context());
        report.expect("an account with an id has a report").walk
    }

    fn read_listing(&self) -> Vec<DeviceRecord> {
        let answer = Answer::of(&self.listing, self.now);
        self.listing_walk().read(&answer).unwrap().records
    }

    fn read_book(&self) -> UsageBook {
        let mut book = UsageBook::default();
        let answer = Answer::of(&self.report, self.now);
        book.extend(self.report_walk().read(&answer).unwrap().records);
        book
    }

    /// What a sync makes of one page.
    fn batch(&self, records: Vec<DeviceRecord>, book: &UsageBook) -> UpdateBatch {
        let update = |record: DeviceRecord| {
            let name = record.device.as_str();
            let device_id = DeviceId::parse(name).expect("an id");
            let carrier_device_id = name.into();
            let merged = merge(record, book);
            DeviceUpdate {
                device_id,
                carrier_device_id,
                observed_at: self.now,
                usage: merged.usage.ok(),
                info: merged.info,
            }
        };
        UpdateBatch {
            tenant_id: TenantId::parse("acme").expect("an id"),
            integration_id: IntegrationId::parse("acme-hologram").expect("an id"),
            epoch: None,
            updates: records.into_iter().map(update).collect(),
        }
    }
}

fn transport() -> Transport {
    Transport::new(TransportConfig {
        connect_timeout: Duration::from_secs(10),
        max_body_bytes: 32 * 1024 * 1024,
        allow_private_hosts: true,
        throttle_pause: Duration::from_secs(1),
        max_retry_after: Duration::from_secs(1),
    })
    .expect("TLS is set up")
}

fn destination(simulator: &Simulator, answers: &Answers) -> Destination {
    let authorization = answers.carrier.authorize(&answers.account).expect("a key");
    let Authorization::Basic { user, password } = &authorization else {
        panic!("a key in every request");
    };
    let proof = Proof::Headers(basic_header(user, password));
    Destination {
        carrier: answers.carrier,
        base: parse_base_url(&simulator.base_url(), true).expect("an address"),
        scrubber: Scrubber::new(&answers.account, &authorization),
        proof,
        egress: Egress::default(),
        timeout: Duration::from_secs(30),
    }
}

fn pages(criterion: &mut Criterion) {
    let answers = Answers::fetch();
    let (records, book) = (answers.read_listing(), answers.read_book());
    println!(
        "{} devices in {} bytes of listing, {} lines in {} bytes of report",
        records.len(),
        answers.listing.len(),
        book.len(),
        answers.report.len(),
    );
    let mut group = criterion.benchmark_group("page");
    let read = |body: &[u8]| Throughput::ElementsAndBytes {
        elements: DEVICES,
        bytes: body.len() as u64,
    };
    group.throughput(read(&answers.listing));
    group.bench_function("read the listing", |bench| {
        bench.iter(|| black_box(answers.read_listing()));
    });
    group.throughput(read(&answers.report));
    group.bench_function("read the usage report into the book", |bench| {
        bench.iter(|| black_box(answers.read_book()));
    });
    group.throughput(Throughput::Elements(DEVICES));
    group.bench_function("merge into a batch of updates", |bench| {
        bench.iter_batched(
            || records.clone(),
            |records| black_box(answers.batch(records, &book)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("all of it", |bench| {
        bench.iter(|| {
            let book = answers.read_book();
            black_box(answers.batch(answers.read_listing(), &book))
        });
    });
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);
