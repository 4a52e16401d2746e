//! The binary `hantar`.

fn main() -> std::process::ExitCode {
    hantar_local::program::run_with(std::env::args_os())
}
