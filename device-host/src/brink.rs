//! A place to stop at, for the test of a host that wakes up too late. Only in builds with the feature `simulator`.
//!
//! Between the question whether the lease holds and the write to the socket lie a few microseconds. With
//! `HANTAR_STOP_FILE`, a process that finds that file when it is about to write a message renames it (`.held` is added) and
//! stops itself (SIGSTOP) exactly there. Whoever takes the renamed file away and wakes it (SIGCONT) sees the write happen.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static FILE: OnceLock<PathBuf> = OnceLock::new();
static MESSAGE_AHEAD: AtomicBool = AtomicBool::new(false);

/// Stops right before the write of the next message after `file` appears. To be called once, by a main.
pub fn stop_when(file: PathBuf) {
    let _ = FILE.set(file);
}

/// The next frame is a message.
pub(crate) fn message_ahead() {
    if FILE.get().is_some_and(|file| file.exists()) {
        MESSAGE_AHEAD.store(true, Ordering::Release);
    }
}

/// Here the lease was asked, and the write is next.
pub(crate) fn pass() {
    if MESSAGE_AHEAD.swap(false, Ordering::AcqRel)
        && let Some(file) = FILE.get()
    {
        let held = file.with_added_extension("held");
        if std::fs::rename(file, &held).is_err() {
            return;
        }
        tracing::warn!("stopping right before a write, as the test wants");
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        // Any thread may take the signal; this one does not run on before it has reached them all and was taken back.
        while held.exists() {
            std::thread::yield_now();
        }
    }
}
