//! Soracom's usage export: ask for it, fetch the file, read the CSV.
//!
//! The column names are not published, so the header is read by what its words can only mean, and a
//! header that is not understood is an error: then each SIM is asked for by itself, and nothing is
//! guessed. Knows nothing of SIMs that are not in the file.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use csv::{ReaderBuilder, StringRecord, Trim};
use url::Url;

use super::{
    envelope,
    normalise::{is_of_month, text},
    wire::ExportAnswer,
};
use crate::{
    carriers::{
        Answer, LineId, Page, ReadError, Request, Target, UsageRecord,
        calendar::usage_in,
        paging::{Endpoint, Next},
        request::DownloadUrl,
        scalar::FromScalar,
        walk::body_text,
    },
    device::{BillingCycle, ByteCount},
};

/// Ends of the names of byte counters, behind `upload` or `download`.
const BYTES: [&str; 6] = [
    "byte",
    "bytes",
    "bytesize",
    "bytesizetotal",
    "bytestotal",
    "bytetotal",
];

/// `POST stats/air/operators/{id}/export`, then the file that the answer names.
#[derive(Debug)]
pub(super) struct Export {
    month: BillingCycle,
    is_file: bool,
}

impl Export {
    pub(super) fn of(month: BillingCycle) -> Self {
        Self {
            month,
            is_file: false,
        }
    }
}

impl Endpoint for Export {
    type Record = UsageRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<UsageRecord>,
    ) -> Result<Next, ReadError> {
        let text = body_text(answer.body);
        if self.is_file {
            read_file(&text, &self.month, page)?;
            return Ok(Next::End);
        }
        let download = download(&text)?;
        self.is_file = true;
        Ok(Next::Request(download))
    }
}

/// The address is a key to the file, so no error repeats it. Where it may lead is the client's to judge.
fn download(body: &str) -> Result<Request, ReadError> {
    let answer = envelope::object::<ExportAnswer<'_>>(body)?;
    let malformed = |why: &str| ReadError::Malformed(why.to_owned());
    let url = text(&answer.url).ok_or_else(|| malformed("the export names no `url`"))?;
    let url = Url::parse(url).map_err(|_| malformed("the `url` of the export is no address"))?;
    Ok(Request {
        to: Target::Download(DownloadUrl(url)),
        ..Request::get("exported file").class("download")
    })
}

fn read_file(
    body: &str,
    month: &BillingCycle,
    page: &mut Page<UsageRecord>,
) -> Result<(), ReadError> {
    if body.trim_start().starts_with('<') {
        return Err(ReadError::Malformed("HTML or XML instead of CSV".into()));
    }
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::All)
        .from_reader(body.trim_start_matches('\u{feff}').as_bytes());
    let columns = reader.headers().ok().map(Columns::find);
    let columns = columns.unwrap_or_else(|| Err(ReadError::Malformed("no CSV".into())))?;
    let mut sims: BTreeMap<String, Option<ByteCount>> = BTreeMap::new();
    let mut is_whole = true;
    for (place, record) in reader.records().enumerate() {
        // One that cannot be read could be any SIM's, and every sum may lack it.
        is_whole &= record.is_ok();
        let row = match &record {
            Ok(record) => columns.row(record, month),
            Err(_) => Err("not a readable row"),
        };
        match row {
            Ok(Some((sim, used))) => {
                add(&mut sims, sim, used);
                if used.is_none() {
                    page.unreadable(|| {
                        format!("export row {}: bytes or date cannot be read", place + 1)
                    });
                }
            }
            Ok(None) => {}
            Err(reason) => page.unreadable(|| format!("export row {}: {reason}", place + 1)),
        }
    }
    page.records
        .extend(sims.into_iter().map(|(sim, used)| UsageRecord {
            line: LineId::Text(sim.into()),
            usage: usage_in(Some(*month), used.filter(|_| is_whole)),
        }));
    Ok(())
}

/// A SIM has a row per speed class, perhaps per day; one that cannot be read makes the sum unknown.
fn add(sims: &mut BTreeMap<String, Option<ByteCount>>, sim: &str, used: Option<ByteCount>) {
    match sims.entry(sim.to_owned()) {
        Entry::Vacant(vacant) => {
            vacant.insert(used);
        }
        Entry::Occupied(mut known) => {
            let sum = known
                .get()
                .zip(used)
                .and_then(|(sum, used)| sum.checked_add(used));
            known.insert(sum);
        }
    }
}

/// Where the columns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    /// Fields of the header; a row of another number is cut or broken.
    fields: usize,
    sim: usize,
    upload: usize,
    download: usize,
    date: Option<usize>,
    unixtime: Option<usize>,
}

impl Columns {
    /// # Errors
    /// Which columns are missing or there twice; the header is not quoted, for it may be a row.
    fn find(header: &StringRecord) -> Result<Self, ReadError> {
        let names: Vec<String> = header.iter().map(plain).collect();
        let sim = one(&names, |name| name == "simid");
        let upload = one(&names, |name| is_bytes(name, "upload"));
        let download = one(&names, |name| is_bytes(name, "download"));
        if let (Some(sim), Some(upload), Some(download)) = (sim, upload, download) {
            return Ok(Self {
                fields: header.len(),
                sim,
                upload,
                download,
                date: one(&names, |name| name == "date"),
                unixtime: one(&names, |name| name == "unixtime"),
            });
        }
        let missing = [
            (sim, "the SIM id (simId)"),
            (upload, "uploaded bytes (uploadByteSizeTotal)"),
            (download, "downloaded bytes (downloadByteSizeTotal)"),
        ];
        let missing: Vec<&str> = missing
            .into_iter()
            .filter_map(|(place, what)| place.is_none().then_some(what))
            .collect();
        let has_other_name = names.iter().any(|name| name == "imsi" || name == "iccid");
        let hint = if sim.is_none() && has_other_name {
            "; imsi and iccid do not tell which SIM of the listing it is"
        } else {
            ""
        };
        Err(ReadError::Malformed(format!(
            "the header of the usage export is not understood: not exactly one column for {}{hint}",
            missing.join(", ")
        )))
    }

    /// The SIM and what the row counts; `None`: of another month.
    fn row<'r>(
        &self,
        record: &'r StringRecord,
        month: &BillingCycle,
    ) -> Result<Option<(&'r str, Option<ByteCount>)>, &'static str> {
        let sim = record.get(self.sim).filter(|sim| !sim.is_empty());
        let sim = sim.ok_or("no SIM id")?;
        if record.len() != self.fields {
            return Ok(Some((sim, None)));
        }
        let date = self.date.and_then(|place| record.get(place));
        let unixtime = self
            .unixtime
            .and_then(|place| record.get(place)?.parse().ok());
        let is_ours = match (self.date, self.unixtime) {
            (None, None) => Some(true), // of the month that was asked for
            _ => is_of_month(date, unixtime, month),
        };
        if is_ours == Some(false) {
            return Ok(None);
        }
        let bytes = |place| ByteCount::from_text(Cow::Borrowed(record.get(place)?));
        let sum = || bytes(self.upload)?.checked_add(bytes(self.download)?);
        Ok(Some((sim, is_ours.and_then(|_| sum()))))
    }
}

/// `uploadByteSizeTotal`, `upload_byte_size_total` and `Upload byte size total` are one name.
fn plain(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn is_bytes(name: &str, direction: &str) -> bool {
    name.strip_prefix(direction)
        .is_some_and(|rest| BYTES.contains(&rest))
}

/// Its place, where exactly one is.
fn one(names: &[String], is: impl Fn(&str) -> bool) -> Option<usize> {
    let mut places = (0..names.len()).filter(|place| is(&names[*place]));
    places.next().filter(|_| places.next().is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::{collection::vec, prelude::*, sample::subsequence};

    use super::*;
    use crate::carriers::calendar;

    const COLUMNS: [&str; 5] = [
        "simId",
        "speedClass",
        "uploadByteSizeTotal",
        "downloadByteSizeTotal",
        "uploadPacketSizeTotal",
    ];

    fn sums(file: &str) -> BTreeMap<String, u64> {
        let month = calendar::month("2026-04-09T08:00:00Z".parse().unwrap()).unwrap();
        let mut page = Page::default();
        read_file(file, &month, &mut page).unwrap();
        let sum = |record: UsageRecord| {
            let used = record.usage.used.unwrap().bytes();
            (record.line.to_string(), used)
        };
        page.records.into_iter().map(sum).collect()
    }

    proptest! {
        #[test]
        fn the_sum_of_a_sim_does_not_depend_on_the_order_of_rows_and_columns(
            rows in vec((0..4_u8, 0..1_u64 << 40, 0..1_u64 << 40), 1..20),
            order in Just(COLUMNS.to_vec()).prop_shuffle(),
            later in subsequence((0..20_usize).collect::<Vec<_>>(), 0..20),
        ) {
            let mut expected = BTreeMap::new();
            for (sim, up, down) in &rows {
                *expected.entry(format!("89{sim}")).or_insert(0) += up + down;
            }
            let line = |(sim, up, down): &(u8, u64, u64)| {
                let value = |column: &&str| match *column {
                    "simId" => format!("89{sim}"),
                    "speedClass" => "\"s1.fast, new\"".to_owned(),
                    "uploadByteSizeTotal" => up.to_string(),
                    "downloadByteSizeTotal" => down.to_string(),
                    _ => "7".to_owned(),
                };
                order.iter().map(value).collect::<Vec<_>>().join(",")
            };
            let (last, first): (Vec<_>, Vec<_>) =
                rows.iter().enumerate().partition(|(place, _)| later.contains(place));
            let lines = first.into_iter().chain(last).map(|(_, row)| line(row));
            let file: Vec<String> = [order.join(",")].into_iter().chain(lines).collect();
            prop_assert_eq!(sums(&file.join("\n")), expected);
        }
    }
}
