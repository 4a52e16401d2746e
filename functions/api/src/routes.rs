//! Routes, by dialect.

pub(crate) mod v1;
