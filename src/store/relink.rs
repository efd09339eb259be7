//! What stays known of a device when its row is linked anew, as SQL that both engines speak.
//!
//! Knows the columns; knows no transaction and no engine.

/// Assignments of an upsert of `device_connections AS d`: what was read of one SIM says nothing of another.
/// Its usage under another SIM's cycle would be a wrong bill, so all is unknown until it has been read.
macro_rules! relinked {
    () => {
        concat!(
            "carrier_integration_id = excluded.carrier_integration_id, \
             carrier_device_id = excluded.carrier_device_id, \
             sim_iccid = COALESCE(excluded.sim_iccid, ",
            $crate::store::relink::of_the_same_sim!("sim_iccid"),
            "), ",
            $crate::store::relink::kept!("sim_status"),
            $crate::store::relink::kept!("network_status"),
            $crate::store::relink::kept!("data_used_bytes"),
            $crate::store::relink::kept!("data_used_mb"),
            $crate::store::relink::kept!("data_used_updated_at"),
            $crate::store::relink::kept!("billing_cycle_start"),
            $crate::store::relink::kept!("billing_cycle_end"),
            $crate::store::relink::kept!("billing_cycle_source"),
        )
    };
}

/// An assignment that keeps the column of a row that stays linked to the same SIM.
macro_rules! kept {
    ($column:literal) => {
        concat!(
            $column,
            " = ",
            $crate::store::relink::of_the_same_sim!($column),
            ", "
        )
    };
}

macro_rules! of_the_same_sim {
    ($column:literal) => {
        concat!(
            "CASE WHEN d.carrier_integration_id = excluded.carrier_integration_id \
                   AND d.carrier_device_id = excluded.carrier_device_id THEN d.",
            $column,
            " END"
        )
    };
}

pub(in crate::store) use {kept, of_the_same_sim, relinked};
