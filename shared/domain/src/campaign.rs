//! Messages to many, dripped out so that no number is in danger.

/// Whether rows of a campaign may go to the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Running,
    /// Not now: they keep their turns.
    Paused,
    /// Never: the campaign was cancelled, or is not there.
    Over,
}
