//! A call about one device: one request, one answer, one record.
//!
//! Knows no carrier: what the answer means is the function it is given.

use super::paging::{Endpoint, Next, Paged};
use super::{Answer, DeviceRecord, Page, ReadError, Request, Walk};

/// The walk of one answer, which `read` makes a record of. It notes raw values outside the carrier's
/// vocabulary in the list it is given.
pub fn one<F>(request: Request, read: F) -> Box<dyn Walk<DeviceRecord>>
where
    F: FnMut(&Answer<'_>, &mut Vec<String>) -> Result<DeviceRecord, ReadError> + Send + 'static,
{
    Box::new(Paged::once(Single(read), request))
}

/// The error of an answer that speaks of another device than was asked for.
#[must_use]
pub fn about_another_device() -> ReadError {
    ReadError::Malformed("the answer is about another device".into())
}

struct Single<F>(F);

impl<F> Endpoint for Single<F>
where
    F: FnMut(&Answer<'_>, &mut Vec<String>) -> Result<DeviceRecord, ReadError> + Send,
{
    type Record = DeviceRecord;

    fn read(
        &mut self,
        answer: &Answer<'_>,
        page: &mut Page<DeviceRecord>,
    ) -> Result<Next, ReadError> {
        let record = (self.0)(answer, &mut page.unmapped)?;
        page.records.push(record);
        Ok(Next::End)
    }
}
