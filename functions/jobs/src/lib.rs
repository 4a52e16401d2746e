//! Handlers woken by a queue, the stream or a timer.
