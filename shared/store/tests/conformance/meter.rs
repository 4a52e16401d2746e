//! What things cost.
