//! Which version of WhatsApp's web client we say we are.
//!
//! WhatsApp refuses versions that are too old (405). It says the newest one itself, in the script of its web page. One
//! look serves the whole fleet for a day: were each device to ask, thousands of equal requests would leave one address
//! at each start. Until somebody has looked, and when the look fails, the pinned version is said.

mod page;

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Clock, Fleet, FoundVersion, PortError};
use tokio::sync::Mutex;
use wacore::version::parse_sw_js;

use super::transport::Server;

/// A version: `2.3000.` and a revision.
pub(crate) type Version = (u32, u32, u32);

/// The version that the pinned library was made for.
const PINNED: Version = (2, 3000, 1_042_742_319);
/// Revisions only rise, and have long passed this: a smaller number is none.
const LEAST_REVISION: u32 = 1_000_000_000;
/// How long a found version serves.
const GOOD_FOR: Duration = Duration::from_hours(24);
/// How long what the table says is taken for true; and how soon a look that failed is repeated.
const READ_AGAIN: Duration = Duration::from_mins(10);
/// How soon after a look another one is made because a version was refused.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
/// Pauses while another host looks.
const PAUSES_MS: [u64; 4] = [500, 1_000, 2_000, 3_000];

/// The fleet's version.
pub(crate) struct Versions {
    configured: Option<Version>,
    server: Server,
    fleet: Arc<dyn Fleet>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    found: Option<FoundVersion>,
    read_at: Option<Timestamp>,
}

impl Versions {
    /// The one that is configured, else the one that `server` says, remembered in `fleet`.
    pub(crate) fn new(
        configured: Option<Version>,
        server: Server,
        fleet: Arc<dyn Fleet>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { configured, server, fleet, clock, known: Mutex::default() }
    }

    /// The version to say. Takes a few seconds once a day, when it is this host's turn to look.
    pub(crate) async fn current(&self) -> Version {
        if let Some(configured) = self.configured {
            return configured;
        }
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        if known.read_at.is_none_or(|at| now.since(at) >= READ_AGAIN) {
            known.read_at = Some(now);
            match self.read_or_look(now).await {
                Ok(found) => known.found = found.or(known.found),
                Err(error) => tracing::warn!(%error, "the client version cannot be read from the table"),
            }
        }
        known.found.map_or(PINNED, |found| found.version)
    }

    async fn read_or_look(&self, now: Timestamp) -> Result<Option<FoundVersion>, PortError> {
        let found = self.fleet.client_version().await?;
        if found.is_some_and(|found| now.since(found.found_at) < GOOD_FOR) {
            return Ok(found);
        }
        Ok(self.look(now, READ_AGAIN).await?.or(found))
    }

    /// Looks, unless somebody of the fleet did so within `apart`.
    async fn look(&self, now: Timestamp, apart: Duration) -> Result<Option<FoundVersion>, PortError> {
        if !self.fleet.claim_version_look(now, apart).await? {
            return Ok(None);
        }
        let page = match page::fetch(&self.server).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "WhatsApp's page does not tell the client version");
                return Ok(None);
            }
        };
        let Some(version) = version_in(&page) else {
            tracing::warn!("WhatsApp's page holds no client version");
            return Ok(None);
        };
        let found = FoundVersion { version, found_at: now };
        self.fleet.keep_client_version(&found).await?;
        tracing::info!(revision = version.2, "WhatsApp's client version was looked up");
        Ok(Some(found))
    }

    /// WhatsApp refused `version`: whether another one is known by now. Looks at once, if nobody does.
    pub(crate) async fn is_superseded(&self, version: Version) -> bool {
        if self.configured.is_some() {
            return false;
        }
        // All devices of a host are refused at one moment: one asks, the others wait for what it learns.
        let mut known = self.known.lock().await;
        let newer = |found: &Option<FoundVersion>| found.is_some_and(|found| found.version != version);
        if newer(&known.found) {
            return true;
        }
        for pause in PAUSES_MS {
            let now = self.clock.now();
            let found = match self.fleet.client_version().await {
                Ok(found) if newer(&found) => Ok(found),
                Ok(_) => self.look(now, LOOK_AGAIN).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(Some(found)) => {
                    *known = Known { found: Some(found), read_at: Some(now) };
                    return found.version != version;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "the client version cannot be read from the table"),
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        false
    }
}

/// The version in the text of the page's script.
fn version_in(page: &str) -> Option<Version> {
    parse_sw_js(page).filter(|(_, _, revision)| *revision >= LEAST_REVISION)
}

#[cfg(test)]
#[path = "version/tests.rs"]
mod tests;
