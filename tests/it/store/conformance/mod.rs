//! What every engine promises. Each function is a promise, run once per engine.

pub mod admin;
pub mod calls;
pub mod read;
pub mod record;
pub mod runs;
pub mod write;

/// Makes a test of each promise for one engine; `$open` makes its [`super::fleet::Fleet`].
macro_rules! on_engine {
    ($open:expr) => {
        $crate::store::conformance::on_engine!(@each $open;
            write::every_field_comes_back_as_written,
            write::a_field_that_was_not_fetched_keeps_its_stored_value,
            write::a_derived_start_does_not_replace_a_reported_one_of_the_same_cycle,
            write::bytes_of_a_cycle_that_nobody_told_are_not_put_under_one_that_is_over,
            write::missing_usage_is_never_zero_and_zero_is_written,
            write::an_end_that_is_off_by_seconds_is_the_same_cycle_s,
            write::an_iccid_is_stored_only_where_none_is,
            write::bad_rows_among_thousands_are_isolated_and_told,
            write::a_batch_of_bad_rows_only_is_told_and_harms_no_other_batch,
            write::a_row_that_is_gone_or_linked_elsewhere_is_left_alone_and_told,
            write::a_device_named_twice_takes_the_last_word,
            write::receipts_answer_batches_in_order_across_tenants,
            write::writing_the_same_batch_again_changes_nothing,
            write::the_same_device_name_of_another_tenant_is_another_device,
            write::nothing_to_write_is_no_error,
            read::integrations_of_all_tenants_are_seen_by_id,
            read::linked_devices_come_never_read_first_then_oldest,
            read::linked_devices_are_those_with_a_name_at_the_carrier,
            read::an_unreadable_row_costs_no_other,
            read::devices_are_listed_in_pages_without_gap_or_repetition,
            read::devices_are_found_by_a_part_of_any_of_their_names,
            read::devices_that_cannot_be_read_do_not_end_a_list,
            read::an_unreadable_integration_is_named_to_whoever_tells_people,
            read::devices_are_counted_and_listed_by_the_age_of_their_usage,
            admin::the_service_switches_a_timer_off_and_on_and_changes_nothing_else,
            record::success_moves_both_times_and_clears_the_error,
            record::partial_and_error_keep_the_last_success,
            record::an_interrupted_sync_keeps_the_last_sync_time,
            record::a_record_of_a_removed_integration_is_refused,
            record::records_of_several_tenants_are_answered_in_their_order,
            record::of_two_records_of_an_integration_the_later_one_stays,
            runs::a_run_comes_back_as_it_was_recorded,
            runs::a_run_that_is_recorded_again_is_one_run,
            runs::what_did_not_run_or_was_not_recorded_is_no_run,
            runs::runs_are_listed_latest_first_in_pages_without_gap_or_repetition,
            runs::runs_that_cannot_be_read_do_not_end_a_list,
            runs::no_more_runs_are_kept_than_configured_and_none_that_is_older,
            runs::the_runs_of_a_removed_integration_go_with_it,
            runs::the_runs_of_an_integration_that_is_gone_go_when_they_are_too_old,
            calls::a_booking_holds_what_was_asked_for_or_what_is_left,
            calls::what_was_not_made_is_given_back_once,
            calls::saying_it_again_books_nothing_more,
            calls::the_days_of_a_month_add_up_and_old_ones_are_forgotten,
            calls::each_integration_counts_for_itself,
            calls::bookings_at_once_never_exceed_the_budget,
            calls::calls_of_a_removed_integration_are_not_booked_and_its_count_goes_with_it,
            admin::an_integration_is_added_with_defaults_and_named,
            admin::an_integration_is_changed_field_by_field,
            admin::an_impossible_change_is_refused_and_changes_nothing,
            admin::an_unknown_integration_is_named_in_the_error,
            admin::a_removed_integration_leaves_its_devices_unlinked,
            admin::links_make_and_update_rows_and_are_idempotent,
            admin::of_another_sim_nothing_is_known_and_of_the_same_one_all_stays,
            admin::a_conflicting_link_refuses_the_whole_list_and_names_offenders,
            admin::two_devices_may_swap_their_names_at_the_carrier,
            admin::a_store_that_was_closed_is_unavailable,
            admin::a_secret_is_replaced_only_where_it_still_is_what_was_read,
            admin::a_config_nested_beyond_reading_costs_no_row,
            admin::migrating_again_keeps_every_row,
        );
    };
    (@each $open:expr; $($module:ident :: $promise:ident,)+) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let fleet = $open.await;
                $crate::store::conformance::$module::$promise(&fleet).await;
            }
        )+
    };
}
pub(crate) use on_engine;
