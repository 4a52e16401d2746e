//! How often a token may ask: a token bucket each for reads and writes, kept in this process.
//!
//! Several processes each give the whole allowance. That is meant: the limit protects the process, credits are what
//! limits cost.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hantar_domain::ids::TokenId;

/// How many buckets are kept; beyond that, full ones are forgotten (they say nothing), and if none is full, all.
const MAX_BUCKETS: usize = 20_000;

/// How many requests a token may make. Each is also the number that may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Reads per minute.
    pub reads_per_minute: u32,
    /// Writes per minute.
    pub writes_per_minute: u32,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self { reads_per_minute: 600, writes_per_minute: 300 }
    }
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// It looks.
    Read,
    /// It changes something.
    Write,
}

/// What became of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// How many there may be per minute.
    pub(crate) limit: u32,
    /// How many more may come at once.
    pub(crate) remaining: u32,
    /// How long to wait; `None` when the request may go on.
    pub(crate) wait: Option<Duration>,
}

/// The buckets.
pub(crate) struct Limiter {
    limits: RateLimits,
    buckets: Mutex<HashMap<(TokenId, Kind), Bucket>>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// Requests left, in sixty-millionths: at a limit of 1 one such part comes in a microsecond, so nothing is rounded.
    left: u64,
    at: Duration,
}

const ONE: u64 = 60_000_000;

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, buckets: Mutex::default() }
    }

    /// Takes one request out of a token's bucket. `running` is the process's monotonic time.
    pub(crate) fn take(&self, token: TokenId, kind: Kind, running: Duration) -> Allowance {
        let limit = match kind {
            Kind::Read => self.limits.reads_per_minute,
            Kind::Write => self.limits.writes_per_minute,
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(&(token, kind)) {
            self.make_room(&mut buckets, running);
        }
        let bucket = buckets.entry((token, kind)).or_insert(Bucket { left: full(limit), at: running });
        bucket.left = bucket.filled(limit, running);
        bucket.at = running;
        let wait = if bucket.left >= ONE {
            bucket.left -= ONE;
            None
        } else {
            Some(Duration::from_micros((ONE - bucket.left).div_ceil(u64::from(limit.max(1)))))
        };
        Allowance { limit, remaining: u32::try_from(bucket.left / ONE).unwrap_or(u32::MAX), wait }
    }

    fn make_room(&self, buckets: &mut HashMap<(TokenId, Kind), Bucket>, running: Duration) {
        let RateLimits { reads_per_minute, writes_per_minute } = self.limits;
        buckets.retain(|(_, kind), bucket| {
            let limit = if *kind == Kind::Read { reads_per_minute } else { writes_per_minute };
            bucket.filled(limit, running) < full(limit)
        });
        if buckets.len() >= MAX_BUCKETS {
            buckets.clear();
        }
    }
}

fn full(limit: u32) -> u64 {
    u64::from(limit) * ONE
}

impl Bucket {
    fn filled(self, limit: u32, running: Duration) -> u64 {
        let passed = u64::try_from(running.saturating_sub(self.at).as_micros()).unwrap_or(u64::MAX);
        let more = passed.saturating_mul(u64::from(limit));
        self.left.saturating_add(more).min(full(limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(reads: u32) -> Limiter {
        Limiter::new(RateLimits { reads_per_minute: reads, writes_per_minute: 1 })
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_bucket_empties_and_fills_again_with_time() {
        let limiter = limiter(2);
        assert_eq!(limiter.take(TokenId(1), Kind::Read, at(0)).remaining, 1);
        assert_eq!(limiter.take(TokenId(1), Kind::Read, at(0)).wait, None);
        assert_eq!(limiter.take(TokenId(1), Kind::Read, at(0)).wait, Some(at(30)));
        assert_eq!(limiter.take(TokenId(1), Kind::Read, at(29)).wait, Some(at(1)));
        assert_eq!(limiter.take(TokenId(1), Kind::Read, at(30)).wait, None);
        assert_eq!(
            limiter.take(TokenId(1), Kind::Read, at(10_000)).remaining,
            1,
            "it holds no more than a minute's worth"
        );
    }

    #[test]
    fn asking_all_the_time_does_not_keep_a_bucket_empty() {
        let limiter = limiter(1);
        let passed = |micros| limiter.take(TokenId(1), Kind::Read, Duration::from_micros(micros)).wait.is_none();
        assert!(passed(0));
        assert_eq!((1..=60_000_000).step_by(997).filter(|micros| passed(*micros)).count(), 0);
        assert!(passed(60_000_000));
    }

    #[test]
    fn tokens_and_kinds_have_buckets_of_their_own() {
        let limiter = limiter(1);
        for (token, kind) in [(1, Kind::Read), (1, Kind::Write), (2, Kind::Read)] {
            assert_eq!(limiter.take(TokenId(token), kind, at(0)).wait, None, "{token} {kind:?}");
        }
        assert!(limiter.take(TokenId(1), Kind::Write, at(0)).wait.is_some());
    }

    #[test]
    fn many_tokens_take_bounded_room() {
        let limiter = limiter(5);
        for token in 0..50_000 {
            limiter.take(TokenId(token), Kind::Read, at(0));
        }
        assert!(limiter.buckets.lock().unwrap().len() <= MAX_BUCKETS);
    }

    #[test]
    fn a_limit_without_end_neither_overflows_nor_refuses() {
        let limiter = limiter(u32::MAX);
        for second in [0, 1, u64::MAX / 2_000_000] {
            assert_eq!(limiter.take(TokenId(1), Kind::Read, at(second)).wait, None);
        }
    }
}
