//! The machine's clocks. The civil one is made strictly rising, so that two things recorded by one process never bear
//! the same moment, and so that their order is the order of their moments.
#![expect(clippy::disallowed_methods, reason = "this is where the time comes from")]

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_smithy_async::time::TimeSource;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::Clock;

/// The latest civil time that this process was told.
static LATEST: AtomicI64 = AtomicI64::new(i64::MIN);

/// The machine's clocks. All values of this type are one clock.
///
/// When the machine's civil clock is set back, readings go on by a microsecond each until it has caught up.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(rise(&LATEST, civil_micros()))
    }

    fn running(&self) -> Duration {
        running()
    }
}

/// The civil time as the AWS SDK asks for it, to sign with. The SDK's own source asks `std`, which panics in a Worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct CivilTime;

impl TimeSource for CivilTime {
    fn now(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH + since_1970()
    }
}

/// `reading`, or just after the latest one given out, whichever is later.
fn rise(latest: &AtomicI64, reading: i64) -> i64 {
    let after = |latest: i64| reading.max(latest.saturating_add(1));
    let before = latest.fetch_update(Ordering::AcqRel, Ordering::Acquire, |latest| Some(after(latest)));
    after(before.unwrap_or_else(|unchanged| unchanged))
}

/// Microseconds since 1970; zero on a machine whose clock was never set.
fn civil_micros() -> i64 {
    i64::try_from(since_1970().as_micros()).unwrap_or(i64::MAX)
}

#[cfg(not(target_arch = "wasm32"))]
fn since_1970() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(target_arch = "wasm32")]
fn since_1970() -> Duration {
    web_time::SystemTime::now().duration_since(web_time::UNIX_EPOCH).unwrap_or_default()
}

/// On Linux `CLOCK_MONOTONIC` stands still during suspend, and a lease would outlive its term; `CLOCK_BOOTTIME` goes
/// on (clock_gettime(2)). Elsewhere the plain monotonic clock is what there is.
#[cfg(not(target_arch = "wasm32"))]
fn running() -> Duration {
    use rustix::time::ClockId;

    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::Monotonic;

    let read = rustix::time::clock_gettime(CLOCK);
    let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(read.tv_nsec).unwrap_or_default())
}

/// A Worker has only the civil clock, which stands still between I/O. Nothing there holds a lease.
#[cfg(target_arch = "wasm32")]
fn running() -> Duration {
    static FURTHEST: AtomicI64 = AtomicI64::new(0);
    let reading = civil_micros();
    let furthest = FURTHEST.fetch_max(reading, Ordering::AcqRel).max(reading);
    Duration::from_micros(u64::try_from(furthest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_two_readings_of_the_civil_time_are_equal_on_any_thread() {
        const EACH: usize = 10_000;
        let reader = || {
            let readings: Vec<_> = (0..EACH).map(|_| SystemClock.now()).collect();
            assert!(readings.is_sorted_by(|earlier, later| earlier < later));
            readings
        };
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(reader)).collect();
        let all: BTreeSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(all.len(), 4 * EACH);
    }

    #[test]
    fn a_clock_that_was_set_back_goes_on_by_microseconds() {
        let latest = AtomicI64::new(i64::MIN);
        assert_eq!(rise(&latest, 500), 500);
        assert_eq!(rise(&latest, 100), 501);
        assert_eq!(rise(&latest, 501), 502);
        assert_eq!(rise(&latest, 900), 900);
    }

    #[test]
    fn the_civil_time_is_that_of_the_machine() {
        let before = since_1970();
        let read = Duration::from_micros(u64::try_from(SystemClock.now().0).unwrap());
        assert!(read + Duration::from_secs(1) > before && read < before + Duration::from_mins(1));
    }

    #[test]
    fn running_time_never_goes_back() {
        let readings: Vec<_> = (0..1000).map(|_| SystemClock.running()).collect();
        assert!(readings.is_sorted());
        assert!(readings[0] > Duration::ZERO);
    }

    /// `/proc/uptime` counts suspends in, as `CLOCK_BOOTTIME` does (proc_uptime(5)).
    #[cfg(target_os = "linux")]
    #[test]
    fn running_time_is_the_uptime_of_the_machine() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
        assert!((SystemClock.running().as_secs_f64() - seconds).abs() < 10.0);
    }
}
