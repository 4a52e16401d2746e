//! Which version of WhatsApp's web client we say we are.
//!
//! WhatsApp refuses versions that are too old (405), which becomes a state of the device. One value serves the whole
//! fleet: were each device to ask, thousands of equal requests would leave one address at each start.

/// The version that the pinned library was made for.
pub(crate) const PINNED: (u32, u32, u32) = (2, 3000, 1_042_742_319);

/// The version to use: the one configured, else the pinned one.
pub(crate) fn resolve(configured: Option<(u32, u32, u32)>) -> (u32, u32, u32) {
    configured.unwrap_or(PINNED)
}
