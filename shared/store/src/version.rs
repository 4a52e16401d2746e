//! The client version that the fleet's hosts say to WhatsApp: one item, found by whoever has claimed the look.

use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{FoundVersion, PortError};

use crate::items::{Fields, text, time};
use crate::places::Place;
use crate::store::Store;
use crate::writing::Write;

impl Store {
    pub(crate) async fn found_version(&self) -> Result<Option<FoundVersion>, PortError> {
        let Some(item) = self.get(&Place::client_version()).await? else { return Ok(None) };
        let fields = Fields(&item);
        // Claimed, and not found yet.
        let Some(version) = fields.maybe_word("v", parse)? else { return Ok(None) };
        Ok(Some(FoundVersion { version, found_at: fields.time("t")? }))
    }

    pub(crate) async fn claim_look(&self, now: Timestamp, apart: Duration) -> Result<bool, PortError> {
        let micros = i64::try_from(apart.as_micros()).unwrap_or(i64::MAX);
        // The SDK repeats a call whose answer was lost: by its token a claim knows its own work.
        let claim = Write::update(&Place::client_version(), "SET lk = :now, lb = :by")
            .when("attribute_not_exists(lk) OR lk <= :before OR lb = :by")
            .with(":by", text(self.fresh_token()))
            .with(":now", time(now))
            .with(":before", time(Timestamp(now.0.saturating_sub(micros))));
        Ok(self.write(claim).await?.is_done())
    }

    pub(crate) async fn keep_version(&self, found: &FoundVersion) -> Result<(), PortError> {
        let (a, b, c) = found.version;
        let keep = Write::update(&Place::client_version(), "SET v = :v, t = :t")
            .when("attribute_not_exists(t) OR t <= :t")
            .with(":v", text(format!("{a}.{b}.{c}")))
            .with(":t", time(found.found_at));
        self.write(keep).await.map(drop)
    }
}

fn parse(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.splitn(3, '.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}
