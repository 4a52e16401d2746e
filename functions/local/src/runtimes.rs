//! Two runtimes in one process: one answers callers, the other does the road (device host, relay, webhooks, sweeps). In a
//! cloud these are different machines. With one runtime, an answer would stand in line behind the steps of all messages
//! accepted before it.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// For API and pages.
pub(crate) fn front() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("front").build()
}

/// For everything that happens after an answer.
pub(crate) fn road() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("road").build()
}
