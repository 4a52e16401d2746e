//! The tenant: who owns devices, messages and credits.

use crate::ids::AccountId;
use crate::phone::Region;
use crate::time::Timestamp;

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What its people call it.
    pub name: String,
    /// The countries to whose numbers it may send; the first one is home, for numbers in national spelling.
    pub regions: Vec<Region>,
    /// When it was made.
    pub created_at: Timestamp,
}
