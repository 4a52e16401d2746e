//! The binary `hantar-device-host`; see [`hantar_device_host::program`].

use std::process::ExitCode;

/// The C library's own takes a fifth of all time when many threads ask.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    hantar_device_host::program::run(|name| std::env::var(name).ok())
}
