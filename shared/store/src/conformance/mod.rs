//! What the ports promise, as tests that run on any tables: on the embedded engine, on an emulator, under injected
//! faults. Each case is an async function over a [`World`] and panics where a promise is broken.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "these are tests: a broken promise panics"
)]
#![expect(clippy::cast_possible_truncation, reason = "small numbers of test cases")]

pub mod accepting;
pub mod bulks;
pub mod campaigns;
pub mod commands;
pub mod consents;
pub mod contacts;
pub mod deliveries;
pub mod devices;
pub mod endings;
pub mod facts;
pub mod files;
pub mod fleet;
pub mod groups;
pub mod inbound;
pub mod keys;
pub mod leases;
pub mod ledger;
pub mod lines;
pub mod lists;
pub mod orders;
pub mod people;
pub mod templates;
pub mod tenants;
mod world;

pub use world::{Hand, Home, World};

/// Hands the names of all cases, as `module::case`, to a macro that makes tests of them.
#[macro_export]
macro_rules! store_cases {
    ($test:ident) => {
        $test! {
            accepting::an_accepted_message_is_stored_charged_and_in_line,
            accepting::too_few_credits_write_nothing,
            accepting::a_repeat_of_an_acceptance_charges_once,
            accepting::a_key_answers_with_the_message_that_it_stood_for_first,
            accepting::a_key_of_another_request_is_refused,
            accepting::a_key_counts_until_it_expires,
            accepting::one_key_used_many_times_at_once_makes_one_message,
            accepting::many_at_once_are_charged_exactly,
            accepting::many_at_once_with_credit_for_some_serve_exactly_these,
            accepting::a_grant_counts_once_by_its_name,
            facts::a_receipt_says_that_the_server_took_the_message_too,
            facts::every_fact_moves_each_state_as_the_rules_say,
            facts::facts_in_any_order_lead_to_the_state_of_the_rules,
            facts::dispatch_is_fenced_by_its_epoch,
            facts::a_hold_is_extended_without_a_further_step,
            facts::a_hold_for_another_reason_is_a_step_and_a_scheduled_message_is_found_when_it_is_due,
            facts::what_a_message_carries_is_kept_until_it_is_on_the_wire_and_not_after,
            facts::a_fact_about_no_message_is_missing,
            endings::cancel_and_dispatch_leave_one_winner_and_right_money,
            endings::cancel_gives_the_credit_back_once_and_its_key_answers_again,
            endings::a_nack_gives_the_credit_back_once,
            endings::silence_is_refunded_once_and_a_late_answer_repairs_the_state_alone,
            endings::a_nack_after_the_refund_moves_no_money,
            endings::an_answer_and_the_refund_racing_leave_sound_books,
            ledger::what_moves_credits_without_a_message_is_noted_the_latest_first,
            ledger::a_grant_is_noted_once_by_its_name,
            ledger::noted_movements_come_page_by_page_without_gaps,
            ledger::what_was_told_of_a_low_balance_is_remembered,
            ledger::a_threshold_is_set_once_by_its_key,
            ledger::owners_are_found_among_the_people,
            orders::orders_are_kept_and_listed_newest_first,
            orders::an_order_is_paid_once_however_often_that_is_heard,
            orders::a_payment_counts_also_after_it_failed_and_a_late_failure_changes_nothing,
            orders::an_order_is_made_once_by_its_key,
            orders::an_account_may_have_prices_of_its_own,
            lines::turns_come_by_lane_then_by_acceptance,
            lines::scheduled_messages_take_their_turns_when_they_are_due_and_hide_nobody_until_then,
            lines::who_is_due_comes_before_a_backlog_of_less_urgent_ones,
            lines::a_scheduled_message_leaves_the_line_by_whatever_way_and_at_whatever_time,
            lines::a_scheduled_message_is_held_longer_or_shorter_by_its_host,
            lines::a_message_leaves_the_line_when_it_is_answered_or_ended,
            lines::a_stale_turn_can_be_forgotten,
            lines::unknown_messages_stand_in_a_line_of_their_own,
            inbound::a_received_message_is_stored_once,
            inbound::one_call_with_repeats_stores_each_once,
            inbound::two_deliveries_at_once_store_one_message,
            inbound::hundreds_at_once_are_all_stored,
            inbound::it_is_known_who_wrote_last_and_when,
            lists::pages_show_the_newest_first_and_join_without_gaps,
            lists::a_page_that_shows_nothing_leads_on_all_the_same,
            lists::filters_pick_out_what_they_name,
            lists::several_messages_come_in_the_order_asked_for,
            lists::counts_move_with_their_mark_and_count_no_batch_twice,
            campaigns::a_campaign_is_started_once_and_paid,
            campaigns::recipients_are_taken_in_chunk_by_chunk,
            campaigns::messages_are_claimed_by_one_and_made_once,
            campaigns::orders_move_a_campaign_and_a_key_answers_again,
            campaigns::what_is_taken_back_is_paid_back_once,
            campaigns::a_campaigns_counts_move_with_their_mark,
            devices::a_status_is_counted_when_it_changes_and_not_when_it_is_repeated,
            devices::an_older_host_cannot_change_a_device,
            devices::pairing_is_wanted_shown_and_over_once_linked,
            devices::changes_at_once_all_count,
            devices::a_device_is_added_once_and_found_by_its_shard,
            deliveries::a_delivery_is_due_until_it_is_made,
            deliveries::of_two_claims_one_wins,
            deliveries::of_two_attempts_at_once_one_is_recorded,
            deliveries::an_attempt_is_recorded_although_the_delivery_was_claimed_since_it_was_read,
            deliveries::a_due_entry_can_be_cleared_away_when_its_delivery_is_gone,
            deliveries::an_account_that_is_full_gets_no_endpoint_but_hears_of_its_earlier_ones,
            deliveries::a_deletion_under_a_key_answers_the_same_again,
            deliveries::an_endpoint_is_changed_only_as_it_was_seen,
            deliveries::endpoints_are_made_once_switched_off_and_deleted,
            fleet::numbers_are_never_given_twice,
            fleet::the_first_number_of_shards_stays,
            fleet::an_account_is_founded_whole_and_once,
            fleet::an_address_belongs_to_one_user,
            fleet::a_token_is_found_by_its_hash,
            fleet::the_use_of_a_token_is_noted_now_and_then,
            fleet::a_sign_in_secret_is_used_once,
            fleet::sessions_end_by_their_own_expiry,
            fleet::one_of_many_looks_for_the_client_version_and_the_newest_finding_stays,
            leases::a_heartbeat_rises_by_ones_and_repeats_are_harmless,
            leases::an_ended_heartbeat_never_lives_again,
            leases::a_host_that_has_not_ended_is_seen_by_whatever_clock,
            leases::of_a_renewal_and_an_ending_one_wins,
            leases::of_many_takers_one_gets_the_shard,
            leases::each_take_over_raises_the_epoch,
            keys::keys_are_read_back_and_listed_in_order,
            keys::an_older_owner_is_fenced_from_what_the_new_one_has_written,
            keys::an_older_owner_is_fenced_from_what_the_new_one_has_read,
            keys::an_older_owner_is_fenced_from_what_the_new_one_has_listed,
            keys::an_older_owner_is_fenced_from_what_the_new_one_has_deleted,
            keys::a_device_is_claimed_by_rising_epochs,
            keys::numbers_are_added_to_a_set,
            keys::many_keys_are_stored_at_once_and_erased,
            keys::a_value_that_no_item_holds_is_refused,
            commands::a_command_is_taken_and_answered,
            commands::a_command_is_taken_by_one_host_once,
            commands::a_command_is_answered_once,
            commands::nobody_takes_or_answers_a_command_that_is_over,
            commands::a_command_is_found_by_its_own_account_and_device_alone,
            templates::a_slug_belongs_to_one_template,
            templates::of_two_changes_of_a_template_at_once_one_is_made,
            templates::a_template_is_made_once_under_a_key_and_no_more_than_the_account_may_have,
            consents::what_a_number_said_last_counts,
            consents::exactly_those_are_suppressed_who_said_so,
            consents::it_is_known_how_somebody_stands,
            consents::a_consent_is_noted_once_under_a_key,
            consents::consent_settings_are_kept,
            bulks::a_bulk_is_charged_whole_or_not_at_all,
            bulks::one_key_used_many_times_at_once_makes_one_bulk,
            bulks::messages_of_a_bulk_are_stored_once_however_often_it_is_tried,
            contacts::a_contact_is_made_once_and_changed_after_that,
            contacts::many_upserts_of_one_number_at_once_make_one_contact_and_lose_nothing,
            contacts::drafts_of_one_number_in_one_call_follow_each_other,
            contacts::a_repeat_of_drafts_changes_nothing_more,
            contacts::many_drafts_are_all_stored_and_found,
            contacts::a_draft_that_does_not_fit_changes_nothing,
            contacts::a_key_answers_whether_the_first_one_made_or_changed,
            contacts::an_edit_changes_what_it_names_and_its_key_answers_again,
            contacts::a_deleted_contact_leaves_no_trace_and_its_number_is_free,
            contacts::a_merge_gives_what_lacks_and_deletes_the_other,
            contacts::counts_are_exact_whatever_happens_at_once,
            contacts::contacts_are_found_by_beginnings_of_words,
            contacts::pages_of_several_words_show_each_contact_once_whatever_is_added_between,
            contacts::contacts_are_found_by_their_last_digits_and_their_reference,
            contacts::lists_show_the_newest_first_and_join_without_gaps,
            contacts::filters_together_show_what_each_of_them_shows,
            contacts::two_tenants_never_see_each_others_contacts,
            groups::a_group_has_a_name_of_its_own,
            groups::keys_of_groups_answer_again,
            groups::members_come_in_order_of_their_numbers_and_join_without_gaps,
            groups::contacts_move_in_and_out_and_are_counted,
            groups::a_deleted_group_is_cleared_step_by_step,
            files::an_import_is_made_once_under_its_key_with_its_work,
            files::an_import_is_started_once,
            files::an_upload_is_announced_once_under_its_key_with_its_work,
            files::of_two_who_record_a_step_one_is_refused,
            files::an_export_is_made_once_under_its_key_with_its_work,
            files::files_are_found_by_their_own_account_alone,
            people::a_link_leads_somewhere_until_it_is_used_or_ends,
            people::guesses_are_counted_up_to_their_limit_within_a_window,
            people::a_password_is_set_with_the_end_of_what_began_before,
            people::a_second_factor_counts_once_it_is_confirmed,
            people::a_code_is_used_once,
            people::a_change_of_people_is_kept_with_its_key,
            people::roles_change_from_what_was_seen,
            people::a_removed_person_is_gone_and_the_owner_stays,
            people::an_invitation_is_made_once_and_bounded_in_number,
            people::an_invitation_is_accepted_once_and_whole,
            people::tokens_are_listed_and_deleted_by_their_numbers,
            people::the_audit_log_keeps_every_entry_in_order,
            people::an_account_to_be_deleted_is_noted_once_and_may_stay,
            people::an_account_is_erased_step_by_step,
            tenants::two_tenants_never_see_each_others_records,
        }
    };
}
