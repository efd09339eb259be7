//! Calls to carriers reach the metrics here: the client may not know who counts, nor the status who calls.

use std::time::Duration;

use crate::client::Traffic;
use crate::integration::CallResult;
use crate::status::Board;

impl Traffic for Board {
    fn attempt_ended(&self, carrier: &str, result: CallResult) {
        self.metrics.call_ended(carrier, result);
    }

    fn permits_waited(&self, carrier: &str, waited: Duration) {
        self.metrics.permits_waited(carrier, waited);
    }
}
