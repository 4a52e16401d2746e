//! The tenant: who owns devices, messages and credits.

use crate::ids::AccountId;
use crate::phone::Region;
use crate::time::Timestamp;
use crate::zone::Zone;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What its people call it.
    pub name: String,
    /// The countries to whose numbers it may send; the first one is home, for numbers in national spelling.
    pub regions: Vec<Region>,
    /// Where it lives: local times are those of this zone.
    pub time_zone: Zone,
    /// When it was made.
    pub created_at: Timestamp,
}
