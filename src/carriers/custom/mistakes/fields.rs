//! Whether the values of a row can be understood: their units, their words, their cycle.

use super::super::manifest::{Amount, CycleRule, Fields, Manifest};
use super::Mistake;

impl Manifest {
    pub(super) fn fields(&self, section: &[&str], fields: &Fields, found: &mut Vec<Mistake>) {
        let below = |name| [section, &[name]].concat();
        for (name, amount) in [("used", &fields.used), ("limit", &fields.limit)] {
            if let Some(amount) = amount {
                self.amount(&below(name), amount, found);
            }
        }
        if self.cycle.rule == CycleRule::Fields
            && fields.cycle_end.is_none()
            && fields.used.is_some()
        {
            let reason = "missing; cycle.rule = \"fields\" needs cycle_start and cycle_end";
            found.push(Mistake::at(&below("cycle_end"), reason));
        }
        let words = [
            (
                "sim_status",
                fields.sim_status.is_some(),
                self.sim_status.is_empty(),
            ),
            (
                "network_status",
                fields.network_status.is_some(),
                self.network_status.is_empty(),
            ),
        ];
        for (name, is_read, has_no_words) in words {
            if is_read && has_no_words {
                let reason =
                    format!("[{name}] is empty: no word of the carrier's would be understood");
                found.push(Mistake::at(&below(name), reason));
            }
        }
    }

    pub(super) fn amount(&self, key: &[&str], amount: &Amount, found: &mut Vec<Mistake>) {
        let below = |name| [key, &[name]].concat();
        found.extend(match (&amount.unit, &amount.unit_path) {
            (Some(unit), None) if self.bytes_per(unit).is_none() => Some(Mistake::at(
                &below("unit"),
                format!("{unit:?} is not in [units]; add how many bytes it has"),
            )),
            (None, Some(_)) if self.units.is_empty() => Some(Mistake::at(
                &below("unit_path"),
                "needs [units] with how many bytes each unit has",
            )),
            (Some(_), None) | (None, Some(_)) => None,
            _ => Some(Mistake::at(key, "needs either unit or unit_path")),
        });
    }
}
