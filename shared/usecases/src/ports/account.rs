//! What an account says of itself.

use hantar_domain::phone::Region;
use hantar_domain::zone::Zone;

/// A change of what an account says of itself: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// Its name.
    pub name: Option<String>,
    /// The countries that it writes to, home first; at least one.
    pub regions: Option<Vec<Region>>,
    /// Where it lives.
    pub time_zone: Option<Zone>,
}
