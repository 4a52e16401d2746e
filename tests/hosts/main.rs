//! Two device hosts on one table: sharing, dying, being stopped and woken, leaving, and being cut off.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]
