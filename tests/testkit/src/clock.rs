//! Time that a test moves by hand, and dice that fall the same way again.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Clock, Entropy};

/// A clock that stands still until it is moved. Clones are one clock.
///
/// Two readings are never equal, as the port demands: each moves the civil time by one microsecond.
#[derive(Clone, Debug)]
pub struct FrozenClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    /// The last civil time given out.
    civil: AtomicI64,
    /// Microseconds.
    running: AtomicU64,
}

impl FrozenClock {
    /// Stands at `start`; the machine has been running for an hour.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(Hands { civil: AtomicI64::new(start.0 - 1), running: AtomicU64::new(3_600_000_000) }))
    }

    /// Moves both clocks on.
    pub fn advance(&self, span: Duration) {
        self.0.civil.fetch_add((Timestamp::default() + span).0, Ordering::SeqCst);
        self.0.running.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Moves the civil clock on to `moment`, and the running one by as much. A moment that has passed changes nothing.
    pub fn advance_to(&self, moment: Timestamp) {
        self.advance(moment.since(Timestamp(self.0.civil.load(Ordering::SeqCst) + 1)));
    }
}

impl Default for FrozenClock {
    /// Stands at 2026-11-20T02:00:00Z, ten in the morning in Kuala Lumpur.
    fn default() -> Self {
        Self::at(Timestamp::from_seconds(1_795_140_000))
    }
}

impl Clock for FrozenClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.civil.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn running(&self) -> Duration {
        Duration::from_micros(self.0.running.load(Ordering::SeqCst))
    }
}

/// Random bytes that follow from a seed alone. Clones draw from one sequence.
#[derive(Clone, Debug)]
pub struct SeededEntropy(Arc<Mutex<u64>>);

impl SeededEntropy {
    /// Begins the sequence of `seed`, and prints the seed, which shows with a test that fails.
    pub fn new(seed: u64) -> Self {
        eprintln!("entropy seed: {seed}");
        Self(Arc::new(Mutex::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_by_hand_alone_and_gives_no_moment_twice() {
        let start = Timestamp::from_seconds(1000);
        let clock = FrozenClock::at(start);
        assert_eq!([clock.now(), clock.now()], [start, Timestamp(start.0 + 1)]);
        let running = clock.running();
        assert_eq!(clock.running(), running);
        clock.clone().advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp(start.0 + 2 + 5_000_000));
        assert_eq!(clock.running(), running + Duration::from_secs(5));
    }

    #[test]
    fn a_frozen_clock_goes_on_to_a_moment_and_never_back() {
        let clock = FrozenClock::at(Timestamp::from_seconds(1000));
        clock.advance_to(Timestamp::from_seconds(2000));
        assert_eq!(clock.now(), Timestamp::from_seconds(2000));
        clock.advance_to(Timestamp::from_seconds(1500));
        assert_eq!(clock.now(), Timestamp(2_000_000_001));
    }

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_another_one_gives_others() {
        let draw = |seed| {
            let mut bytes = [0; 13];
            SeededEntropy::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let one = SeededEntropy::new(1);
        let (mut first, mut second) = ([0; 8], [0; 8]);
        one.fill(&mut first);
        one.clone().fill(&mut second);
        assert_ne!(first, second);
        // The generator's published first value for the seed 0.
        assert_eq!(split_mix(&mut 0), 0xe220_a839_7b1d_cdaf);
    }
}
