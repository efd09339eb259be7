//! Reading the rows of an import: every good row, and every bad one with its line and the reason.
//!
//! Pure: bytes in, rows out. What the database thinks of the rows is `import.rs`'s business.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, Trim};

use crate::{
    cli::CliError,
    device::{CarrierDeviceId, DeviceId},
    store::DeviceLink,
};

/// Longest ICCID that is accepted: ITU-T E.118 ends at 20 digits, some carriers add a filler.
const MAX_ICCID_CHARS: usize = 32;

const COLUMNS: &str = "device_id, carrier_device_id and, optionally, sim_iccid";

/// A row that can be imported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct GoodRow {
    /// Where it begins, counted from one, the header included.
    pub(super) line: u64,
    /// What it says.
    pub(super) link: DeviceLink,
}

/// A row that cannot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Where it begins.
    pub(super) line: u64,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// The rows of a file.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// In the order of the file.
    pub(super) good: Vec<GoodRow>,
    /// In the order of the file.
    pub(super) bad: Vec<BadRow>,
}

impl Rows {
    /// Takes out the rows whose name at the carrier `check` refuses, and answers them with its reason.
    pub(super) fn refuse(&mut self, check: impl Fn(&str) -> Result<(), String>) -> Vec<BadRow> {
        let mut refused = Vec::new();
        self.good
            .retain(|row| match check(row.link.carrier_device_id.as_str()) {
                Ok(()) => true,
                Err(reason) => {
                    refused.push(BadRow {
                        line: row.line,
                        reason,
                    });
                    false
                }
            });
        refused
    }
}

/// Reads a CSV file with a header row.
///
/// White space around a cell is not part of it. A file whose header is wrong is refused as a whole.
pub(super) fn read(text: &[u8]) -> Result<Rows, CliError> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true) // a row with too many cells is reported, not the end of the file
        .trim(Trim::All)
        .from_reader(text);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).map_err(unreadable)? {
        return Err(wrong_header("the file is empty"));
    }
    let columns = Columns::from_header(&record)?;
    let mut rows = Rows::default();
    let mut seen = Seen::default();
    let mut lines = Lines::new(text);
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        let line = lines.of(&record);
        match columns.link(&record).and_then(|link| seen.note(line, link)) {
            Ok(link) => rows.good.push(GoodRow { line, link }),
            Err(reason) => rows.bad.push(BadRow { line, reason }),
        }
    }
    Ok(rows)
}

/// Counts lines as an editor does. The reader's own count is behind after `\r\n` and empty lines,
/// because it places a record where it began to look for it.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            counted: 0,
            line: 1,
        }
    }

    /// The line a record begins on; records have to come in their order.
    fn of(&mut self, record: &ByteRecord) -> u64 {
        let looked_from = record.position().map_or(0, csv::Position::byte);
        let looked_from = usize::try_from(looked_from).unwrap_or(usize::MAX);
        let skipped = self.text.iter().skip(looked_from);
        let start = looked_from
            + skipped
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
        let passed = self.text.get(self.counted..start).unwrap_or_default();
        let ends_line = |(i, byte): &(usize, &u8)| match byte {
            b'\n' => true,
            b'\r' => passed.get(i + 1) != Some(&b'\n'),
            _ => false,
        };
        self.line += passed.iter().enumerate().filter(ends_line).count() as u64;
        self.counted = start;
        self.line
    }
}

/// An ICCID: letters and digits, as carriers print it.
pub(super) fn parse_iccid(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_ICCID_CHARS {
        return Err(format!(
            "sim_iccid must have 1 to {MAX_ICCID_CHARS} characters"
        ));
    }
    if !text.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err("sim_iccid holds something else than letters and digits".to_owned());
    }
    Ok(text.to_owned())
}

fn unreadable(error: csv::Error) -> CliError {
    CliError::new("cannot read the file").because(error)
}

fn wrong_header(problem: &str) -> CliError {
    CliError::new(format!("line 1: {problem}")).hint(format!(
        "the first line names the columns, with commas between: {COLUMNS}"
    ))
}

/// Which cell is what.
#[derive(Debug, Default)]
struct Columns {
    count: usize,
    device_id: usize,
    carrier_device_id: usize,
    sim_iccid: Option<usize>,
}

impl Columns {
    fn from_header(header: &ByteRecord) -> Result<Self, CliError> {
        let mut places: HashMap<String, usize> = HashMap::new();
        for (place, cell) in header.iter().enumerate() {
            let name = String::from_utf8_lossy(cell);
            let name = name.trim_start_matches('\u{feff}').trim(); // spreadsheets write a mark first
            if header.len() == 1 && name.contains([';', '\t']) {
                return Err(wrong_header("the columns are not separated by commas"));
            }
            if !["device_id", "carrier_device_id", "sim_iccid"].contains(&name) {
                return Err(wrong_header(&format!(
                    "unknown column {name:?}; allowed: {COLUMNS}"
                )));
            }
            if places.insert(name.to_owned(), place).is_some() {
                return Err(wrong_header(&format!("column {name:?} stands there twice")));
            }
        }
        let required = |name: &str| {
            let place = places.get(name).copied();
            place.ok_or_else(|| wrong_header(&format!("there is no column {name:?}")))
        };
        Ok(Self {
            count: header.len(),
            device_id: required("device_id")?,
            carrier_device_id: required("carrier_device_id")?,
            sim_iccid: places.get("sim_iccid").copied(),
        })
    }

    fn link(&self, record: &ByteRecord) -> Result<DeviceLink, String> {
        if record.len() != self.count {
            return Err(format!("{} cells instead of {}", record.len(), self.count));
        }
        let cell = |place: usize| {
            let bytes = record.get(place).unwrap_or_default();
            std::str::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned())
        };
        let iccid = self
            .sim_iccid
            .map(cell)
            .transpose()?
            .filter(|iccid| !iccid.is_empty());
        Ok(DeviceLink {
            device_id: DeviceId::parse(cell(self.device_id)?).map_err(|e| e.to_string())?,
            carrier_device_id: CarrierDeviceId::parse(cell(self.carrier_device_id)?)
                .map_err(|e| e.to_string())?,
            sim_iccid: iccid.map(parse_iccid).transpose()?,
        })
    }
}

/// What the rows before have used.
#[derive(Debug, Default)]
struct Seen {
    devices: HashMap<DeviceId, u64>,
    at_carrier: HashMap<CarrierDeviceId, u64>,
}

impl Seen {
    fn note(&mut self, line: u64, link: DeviceLink) -> Result<DeviceLink, String> {
        if let Some(first) = self.devices.get(&link.device_id) {
            return Err(format!(
                "device_id {:?} is on line {first} already",
                link.device_id
            ));
        }
        if let Some(first) = self.at_carrier.get(&link.carrier_device_id) {
            let id = &link.carrier_device_id;
            return Err(format!(
                "carrier_device_id {id:?} is on line {first} already"
            ));
        }
        self.devices.insert(link.device_id.clone(), line);
        self.at_carrier.insert(link.carrier_device_id.clone(), line);
        Ok(link)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const HEADER: &[u8] = b"device_id,carrier_device_id,sim_iccid\n";

    fn rows(body: &[u8]) -> Rows {
        read(&[HEADER, body].concat()).unwrap()
    }

    #[test]
    fn a_bad_row_is_told_with_its_line_and_reason_and_costs_no_other() {
        let long = format!("{},9,\n", "x".repeat(256));
        let cases: &[(&[u8], &str)] = &[
            (b",9,\n", "device_id is empty"),
            (b"z,,\n", "carrier_device_id is empty"),
            (b"z\n", "1 cells instead of 3"),
            (b"z,9,,x\n", "4 cells instead of 3"),
            (b"\"z\nz\",9,\n", "device_id contains a control character"),
            (b"z\xff,9,\n", "not UTF-8 text"),
            (long.as_bytes(), "device_id is longer than 255 bytes"),
            (b"a,9,\n", "device_id \"a\" is on line 2 already"),
            (b"z,1,\n", "carrier_device_id \"1\" is on line 2 already"),
            (
                b"z,9,89-44\n",
                "sim_iccid holds something else than letters and digits",
            ),
        ];
        for (bad, reason) in cases {
            let rows = rows(&[b"a,1,8944\n", *bad, b"last,99,\n"].concat());
            assert_eq!(
                rows.bad,
                [BadRow {
                    line: 3,
                    reason: (*reason).to_owned()
                }]
            );
            assert_eq!(rows.good.len(), 2, "{reason}");
        }
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for (body, expected) in [
            (&b"a,1,\nb,2,\n"[..], vec![2, 3]),
            (b"a,1,\r\nb,2,\r\n", vec![2, 3]),
            (b"a,1,\rb,2,", vec![2, 3]),
            (b"\n\na,1,\r\n\n\n\"b\",2,\n", vec![4, 7]),
        ] {
            let rows = rows(body);
            let lines: Vec<u64> = rows.good.iter().map(|row| row.line).collect();
            assert_eq!(lines, expected, "{:?}", String::from_utf8_lossy(body));
        }
        assert_eq!(rows(b"a,1,\r\n\n,2,\n").bad[0].line, 4);
    }

    #[test]
    fn columns_may_stand_in_any_order_and_white_space_is_no_part_of_a_cell() {
        let rows = read(&b"\xef\xbb\xbfcarrier_device_id , device_id\n 7 , pump 1 \n"[..]).unwrap();
        assert_eq!(rows.good[0].link.device_id.as_str(), "pump 1");
        assert_eq!(rows.good[0].link.carrier_device_id.as_str(), "7");
        assert_eq!(rows.good[0].link.sim_iccid, None);
    }

    #[test]
    fn a_wrong_header_is_refused_and_says_what_is_allowed() {
        for (text, problem) in [
            ("", "the file is empty"),
            (
                "device_id,carrier_device_id,colour\n",
                "unknown column \"colour\"; allowed: device_id",
            ),
            ("device_id\na\n", "there is no column \"carrier_device_id\""),
            (
                "device_id,device_id\n",
                "column \"device_id\" stands there twice",
            ),
            ("device_id;carrier_device_id\n", "not separated by commas"),
            ("a,1\n", "unknown column \"a\""),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(problem), "{text:?}: {error}");
        }
    }
}
