//! What the emulator cannot play, by name, and which check looks at it instead.

use crate::deployment::clone;

/// A part, the file that checks it, and the name of the check in there.
const NOT_PLAYED: [(&str, &str, &str); 11] = [
    (
        "partial failures of stream batches: the plan asks for them",
        "terraform/modules/functions/tests/functions.tftest.hcl",
        "run \"a_batch_of_the_stream_is_replayed_from_its_lowest_failure\"",
    ),
    (
        "partial failures of stream batches: our own loop replays from the lowest failure",
        "functions/lambda/tests/functions/stream.rs",
        "fn what_fails_is_replayed_from_the_lowest_failure_and_nothing_after_it_is_lost",
    ),
    (
        "what is replayed is counted once",
        "functions/lambda/tests/functions/stream.rs",
        "fn what_is_replayed_is_counted_once_and_relaying_counts_nothing",
    ),
    (
        "batching windows",
        "terraform/modules/functions/tests/functions.tftest.hcl",
        "run \"a_doorbell_waits_for_nothing_and_counts_are_gathered_for_seconds\"",
    ),
    (
        "deletions by time to live in the stream: the filter lets no deletion through",
        "terraform/modules/functions/tests/functions.tftest.hcl",
        "run \"the_stream_is_filtered_to_messages_and_devices_as_written\"",
    ),
    (
        "containers that run: what they may do",
        "terraform/modules/device_host/tests/device_host.tftest.hcl",
        "run \"the_container_can_do_little\"",
    ),
    (
        "containers that run: the root file system of the image",
        "tests/deploy/image.rs",
        "fn a_host_runs_in_its_image_as_nobody_and_without_writing",
    ),
    (
        "deployments of containers, their circuit breaker",
        "terraform/modules/device_host/tests/device_host.tftest.hcl",
        "run \"hosts_follow_one_another_without_a_gap\"",
    ),
    (
        "scaling targets and policies",
        "terraform/modules/device_host/tests/device_host.tftest.hcl",
        "run \"the_fleet_grows_with_devices_and_with_waiting_doorbells\"",
    ),
    ("alarms", "terraform/modules/alarms/tests/alarms.tftest.hcl", "run \"every_alarm_tells_somebody\""),
    (
        "policies that are enforced",
        "terraform/modules/functions/tests/functions.tftest.hcl",
        "run \"each_function_may_do_its_own_work_only\"",
    ),
];

#[test]
fn whatever_the_emulator_cannot_play_is_checked_elsewhere() {
    for (part, file, check) in NOT_PLAYED {
        let text = std::fs::read_to_string(clone().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(check), "{part}: {file} holds no `{check}`");
        println!("not played by the emulator: {part}; checked by {file}");
    }
}
