//! JSON that leaves a process.
