//! The one who writes: carries out what waits, one after the other, and makes all of it durable at once.
//!
//! Waiting for the disk costs more than a small write itself. So each write is a transaction of its own, committed to
//! the log without waiting (synchronous NORMAL), then the log is flushed once for all that were carried out, and only
//! then they are answered: an answer says as much as under synchronous FULL. The log is written from front to back, so
//! what a later answered write could have seen is as durable as that write.

use std::fs::{File, OpenOptions};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use dynoxide::DynoxideError;
use dynoxide::storage::Storage;

use super::crew::Crew;
use super::tokens::{Claim, Tokens};
use super::{EngineError, dispatch};

/// Writes made durable together at most: a few milliseconds' work.
const TOGETHER: usize = 64;

/// The connection that writes, and the transactions that it knows.
pub(super) struct Writing {
    storage: Storage,
    tokens: Tokens,
}

/// Carries out one write; what it answers tells the asker, once the write is durable or is known not to be.
type Work = Box<dyn FnOnce(&mut Writing) -> Tell + Send>;
type Tell = Box<dyn FnOnce(Result<(), EngineError>) + Send>;

/// Does what is asked of it, one after the other.
pub(super) struct Writer(Crew<Work>);

/// The database's log, flushed by hand.
pub(super) struct Log {
    path: PathBuf,
    file: Option<File>,
}

impl Writer {
    /// Writes by this connection. Without a `log` nothing is flushed.
    pub(super) fn new(storage: Storage, log: Option<Log>) -> Self {
        let writing = Mutex::new((Writing { storage, tokens: Tokens::default() }, log));
        Self(Crew::new(1, TOGETHER, move |work: Vec<Work>| {
            let (writing, log) = &mut *writing.lock().unwrap_or_else(PoisonError::into_inner);
            let done: Vec<Tell> = work.into_iter().map(|work| work(writing)).collect();
            let flushed = log.as_mut().map_or(Ok(()), Log::flush).map_err(|error| error.to_string());
            for tell in done {
                tell(flushed.clone().map_err(EngineError::Flush));
            }
        }))
    }

    /// Does `work` when its turn comes; answers when it is durable. Dropping the future takes nothing back.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writing) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let asked = self.0.ask(|teller| -> Work {
            Box::new(move |writing| {
                let outcome = writing.carry_out(work);
                Box::new(move |durable: Result<(), EngineError>| {
                    // The asker may have gone.
                    let _ = teller.send(durable.and(outcome));
                })
            })
        });
        asked.await?
    }
}

impl Writing {
    /// One operation of DynamoDB.
    pub(super) fn run(&mut self, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
        let claim = if operation == "TransactWriteItems" { Claim::of(body) } else { None };
        let Some(claim) = claim else { return dispatch::run(&self.storage, operation, body) };
        if self.tokens.applied(&claim)? {
            return Ok("{}".to_owned());
        }
        let answer = dispatch::run(&self.storage, operation, body)?;
        self.tokens.record(claim);
        Ok(answer)
    }

    /// The database itself.
    pub(super) fn connection(&self) -> &rusqlite::Connection {
        self.storage.conn()
    }

    /// A panic of the engine is one write's failure, not the end of all; the transaction it left open is undone.
    fn carry_out<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Result<T, EngineError> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).map_err(|_| EngineError::Lost);
        if !self.connection().is_autocommit() {
            self.connection().execute_batch("ROLLBACK")?;
        }
        done
    }
}

impl Log {
    /// The log beside the database at `path`.
    pub(super) fn of(path: &std::path::Path) -> Self {
        let mut name = path.as_os_str().to_owned();
        name.push("-wal");
        Self { path: name.into(), file: None }
    }

    /// Waits until all that is in the log has reached the disk. The file stays the same while a connection is open.
    fn flush(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().read(true).write(true).open(&self.path)?,
        };
        file.sync_data()?;
        self.file = Some(file);
        Ok(())
    }
}
