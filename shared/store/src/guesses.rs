//! How often somebody guessed at something: a window that begins with the first guess, and counts up to a limit.

use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use crate::items::{Fields, Item, NewItem, TTL, expiry, number, time};
use crate::places::Place;
use crate::store::Store;
use crate::writing::{Write, Written};

/// How often a window is begun anew that somebody else begins at the same moment.
const TRIES: usize = 4;

impl Store {
    pub(crate) async fn count_one_guess(
        &self,
        what: &[u8; 32],
        most: u32,
        window: Duration,
        now: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        let place = Place::guesses(what);
        let count = Write::update(&place, "ADD n :one")
            .when("attribute_exists(pk) AND ex > :now AND n < :most")
            .with(":one", number(1))
            .with(":now", time(now))
            .with(":most", number(most));
        for _ in 0..TRIES {
            let Written::Refused(item) = self.write(count.clone()).await? else { return Ok(None) };
            if let Some(end) = end(item.as_ref())?.filter(|end| *end > now) {
                // Whoever began the window may have looked at the clock a moment later than we did.
                return Ok(Some(end.since(now).min(window)));
            }
            let first = NewItem::at(&place)
                .with("n", number(1))
                .with("ex", time(now + window))
                .with(TTL, expiry(now + window))
                .done();
            let first = Write::put(&place, first).when("attribute_not_exists(pk) OR ex <= :now");
            if self.write(first.with(":now", time(now))).await?.is_done() {
                return Ok(None);
            }
        }
        Err(PortError::Conflict)
    }
}

fn end(item: Option<&Item>) -> Result<Option<Timestamp>, PortError> {
    item.map_or(Ok(None), |item| Fields(item).maybe_time("ex"))
}
