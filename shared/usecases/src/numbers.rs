//! Numbers for new things, drawn from blocks that this process reserved.
//!
//! A block costs one write for many numbers. What a process does not use up is a gap, and gaps are allowed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ports::{Fleet, PortError, Sequence};

/// How many blocks a process keeps; beyond that it forgets them all, which only leaves gaps.
const MAX_BLOCKS: usize = 10_000;

/// Draws numbers.
pub struct Numbers {
    fleet: Arc<dyn Fleet>,
    block: u64,
    blocks: Mutex<HashMap<Sequence, Range<u64>>>,
}

impl Numbers {
    /// Draws from `fleet`, for messages and contacts `block` numbers at a time; rare things are reserved one by one.
    pub fn new(fleet: Arc<dyn Fleet>, block: u64) -> Self {
        Self { fleet, block: block.max(1), blocks: Mutex::default() }
    }

    /// The next number. Each call answers another one, in this process and in all others.
    pub async fn next(&self, sequence: Sequence) -> Result<u64, PortError> {
        if let Some(number) = self.drawn_before(sequence) {
            return Ok(number);
        }
        let count = if matches!(sequence, Sequence::Messages(_) | Sequence::Contacts(_)) { self.block } else { 1 };
        let first = self.fleet.reserve(sequence, count).await?;
        self.keep(sequence, first + 1..first + count);
        Ok(first)
    }

    fn drawn_before(&self, sequence: Sequence) -> Option<u64> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.get_mut(&sequence)?.next()
    }

    fn keep(&self, sequence: Sequence, rest: Range<u64>) {
        if rest.is_empty() {
            return;
        }
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if blocks.len() >= MAX_BLOCKS {
            blocks.clear();
        }
        // Of two blocks reserved at the same moment the later one is kept: the other is a gap.
        blocks.insert(sequence, rest);
    }
}
