//! The front doors: HTTP routes per dialect.
