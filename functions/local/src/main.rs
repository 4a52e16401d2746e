//! The binary `hantar`.

/// The C library's own takes a fifth of all time when many threads ask.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hantar_local::program::run_with(std::env::args_os())
}
