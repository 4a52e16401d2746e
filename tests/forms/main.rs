//! The cloud's forms of the API over one AWS (the emulator): the built Worker in `workerd`, and API processes beside it.
//! What only one process can show is elsewhere; here is what must hold between them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

mod commands;
mod ground;
mod interleaved;
mod isolates;
mod journey;
mod recorder;
mod silence;
mod size;
mod worker;
