//! The engine's connections to its file: one that writes, a few that read beside it, and who wakes whom.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use dynoxide::DynoxideError;
use dynoxide::storage::Storage;
use tempfile::TempDir;
use tokio::sync::watch;

use super::crew::Crew;
use super::dispatch::{self, Kind};
use super::stream::{self, StreamRecord};
use super::writer::{Log, Writer};
use super::{EngineError, Item};

/// Reads of more than one item that run at a time; each has a connection, so each costs a few MB of page cache at most.
const READERS: usize = 2;
/// A batch of reads whose request is no longer than this many bytes is done on the spot: some ten keys.
const FEW: usize = 1_024;
/// Records one batch of the stream holds at most.
const BATCH_MAX: usize = 1_000;
/// Statements a connection keeps prepared; the engine has about three per table and index.
const STATEMENTS: usize = 128;

/// DynamoDB on one SQLite file. Cheap to clone; the clones share connections. Needs a Tokio runtime.
#[derive(Clone)]
pub struct DynamoEngine {
    inner: Arc<Inner>,
}

struct Inner {
    writer: Writer,
    readers: Arc<Readers>,
    reading: Crew<Read>,
    changed: watch::Sender<u64>,
}

/// The connections that read. As many as reads run at one time: one per thread of the runtime, and [`READERS`].
struct Readers {
    file: DatabaseFile,
    idle: Mutex<Vec<Reader>>,
    /// Raised by every change of a table's definition: readers opened before have stale knowledge of tables.
    definitions: AtomicU64,
}

/// One read, which tells its asker what it found.
type Read = Box<dyn FnOnce() + Send>;

struct Reader {
    storage: Storage,
    definitions: u64,
}

/// Where the items are, and what a commit there is worth.
struct DatabaseFile {
    path: PathBuf,
    /// A database "in memory" is a file in a folder that goes with the engine: several connections must share it, and
    /// without waiting for the disk a file is as fast.
    folder: Option<TempDir>,
}

impl std::fmt::Debug for DynamoEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DynamoEngine").field("path", &self.inner.readers.file.path).finish_non_exhaustive()
    }
}

impl DynamoEngine {
    /// Opens or creates a database file. A call that was answered has reached the disk , several together.
    ///
    /// Several processes may open one file. Each learns a table's definition once, so tables are changed only while
    /// one process runs; creating missing tables at start is harmless.
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        Self::start(DatabaseFile { path: path.to_owned(), folder: None })
    }

    /// A database that lives as long as this engine and its clones.
    pub fn in_memory() -> Result<Self, EngineError> {
        let folder = TempDir::with_prefix("hantar-").map_err(EngineError::Folder)?;
        Self::start(DatabaseFile { path: folder.path().join("dynamodb.sqlite"), folder: Some(folder) })
    }

    fn start(file: DatabaseFile) -> Result<Self, EngineError> {
        let storage = file.connect()?;
        storage.conn().execute_batch(stream::INDEX)?;
        let log = file.folder.is_none().then(|| Log::of(&file.path));
        let readers = Arc::new(Readers { file, idle: Mutex::default(), definitions: AtomicU64::new(0) });
        let reading = Crew::new(READERS, 1, |reads: Vec<Read>| reads.into_iter().for_each(|read| read()));
        let inner = Inner { writer: Writer::new(storage, log), readers, reading, changed: watch::Sender::new(0) };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The connector to build SDK clients with.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// One request of DynamoDB's JSON protocol: `target` is the header `x-amz-target` or the bare operation. Returns
    /// status and body. Dropping the future does not stop a call that has begun.
    pub async fn call(&self, target: &str, body: &[u8]) -> (u16, String) {
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let kind = dispatch::kind(&operation);
        let result = match kind {
            // Microseconds, nearly always from the page cache: less than handing it to a thread and back.
            Kind::Read => self.inner.readers.run(|storage| dispatch::run(storage, &operation, body)),
            Kind::Snapshot if operation == "BatchGetItem" && body.len() <= FEW => {
                self.inner.readers.run(|storage| run_snapshot(storage, &operation, body))
            }
            Kind::Snapshot => {
                let body = body.to_vec();
                self.read(move |storage| run_snapshot(storage, &operation, &body)).await
            }
            Kind::Write | Kind::Define => {
                let body = body.to_vec();
                self.inner.writer.write(move |writing| writing.run(&operation, &body)).await
            }
        };
        match result {
            Ok(Ok(answer)) => {
                if kind == Kind::Define {
                    self.inner.readers.definitions.fetch_add(1, Ordering::AcqRel);
                }
                if kind == Kind::Write {
                    self.announce();
                }
                (200, answer)
            }
            Ok(Err(error)) => (error.status_code(), error.to_json()),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the embedded database failed");
                (500, DynoxideError::InternalServerError(error.to_string()).to_json())
            }
        }
    }

    /// Wakes after each write of this process; the value only rises. Writes of other processes do not show here.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The oldest records of a table's stream that were not consumed, in the order of their commits, at most `max`
    /// (and at most 1000). Writes that changed nothing are left out, as on AWS. Changes nothing that shows; may be
    /// repeated. Sees what every process wrote.
    pub async fn stream_batch(&self, table: &str, max: usize) -> Result<Vec<StreamRecord>, EngineError> {
        loop {
            let batch = self.stream_read(table, 0, max).await?;
            if !batch.records.is_empty() {
                return Ok(batch.records);
            }
            // Nothing but writes without effect: out of the way, or they would hide what follows them.
            let Some(last) = batch.last else { return Ok(Vec::new()) };
            self.consume(table, last).await?;
        }
    }

    /// The same, but only records with higher numbers than `after`: what follows a batch that is not consumed yet.
    pub async fn stream_after(&self, table: &str, after: u64, max: usize) -> Result<Vec<StreamRecord>, EngineError> {
        let mut after = after;
        loop {
            let batch = self.stream_read(table, after, max).await?;
            if !batch.records.is_empty() {
                return Ok(batch.records);
            }
            let Some(last) = batch.last else { return Ok(Vec::new()) };
            after = last;
        }
    }

    async fn stream_read(&self, table: &str, after: u64, max: usize) -> Result<stream::Batch, EngineError> {
        let (table, max) = (table.to_owned(), max.clamp(1, BATCH_MAX));
        self.read(move |storage| stream::read(storage.conn(), &table, after, max)).await?
    }

    /// Deletes a table's records up to and including this number. May be repeated, and never takes a record that was
    /// written later.
    pub async fn consume(&self, table: &str, through: u64) -> Result<(), EngineError> {
        let table = table.to_owned();
        self.inner.writer.write(move |writing| stream::delete(writing.connection(), &table, through)).await?
    }

    /// Deletes the items whose time to live has passed, in all tables that have one; returns how many. Reads every
    /// item of those tables, on a connection of its own, so other calls go on meanwhile.
    pub async fn sweep_ttl(&self) -> Result<u64, EngineError> {
        let readers = self.inner.readers.clone();
        let swept = blocking(move || {
            let storage = readers.file.connect()?;
            pollster::block_on(dynoxide::ttl::sweep_expired_items(&storage)).map_err(EngineError::Engine)
        })
        .await??;
        if swept > 0 {
            self.announce();
        }
        Ok(swept.try_into().unwrap_or(u64::MAX))
    }

    fn announce(&self) {
        self.inner.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Runs `work` on a blocking thread.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Storage) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let readers = self.inner.readers.clone();
        let asked = self.inner.reading.ask(|teller| -> Read {
            Box::new(move || {
                // The asker may have gone.
                let _ = teller.send(readers.run(work));
            })
        });
        asked.await?
    }
}

impl Readers {
    /// Runs `work` here and now, on a connection that knows the tables as they are. A panic of the engine is one read's
    /// failure, not its asker's end.
    fn run<T>(&self, work: impl FnOnce(&Storage) -> T) -> Result<T, EngineError> {
        let reader = self.reader()?;
        let result = catch_unwind(AssertUnwindSafe(|| work(&reader.storage))).map_err(|_| EngineError::Lost)?;
        // A failed commit left a transaction open: not to be used again.
        if reader.storage.conn().is_autocommit() {
            self.idle().push(reader);
        }
        Ok(result)
    }

    fn reader(&self) -> Result<Reader, EngineError> {
        let definitions = self.definitions.load(Ordering::Acquire);
        loop {
            let idle = self.idle().pop();
            match idle {
                Some(reader) if reader.definitions == definitions => return Ok(reader),
                Some(_) => {}
                None => return Ok(Reader { storage: self.file.connect()?, definitions }),
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DatabaseFile {
    fn connect(&self) -> Result<Storage, EngineError> {
        let failed = |source| EngineError::Open { path: self.path.clone(), source };
        let name = self
            .path
            .to_str()
            .ok_or_else(|| failed(DynoxideError::InternalServerError("the path is no valid Unicode".to_owned())))?;
        // Sets WAL and a busy time-out of five seconds.
        let storage = Storage::new(name).map_err(failed)?;
        let connection = storage.conn();
        connection.pragma_update(None, "synchronous", if self.folder.is_some() { "OFF" } else { "NORMAL" })?;
        connection.pragma_update(None, "cache_size", -8_000)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        // Pages: 32 MB. Each write changes some seven, and a copy of the log into the file waits for the disk twice.
        connection.pragma_update(None, "wal_autocheckpoint", 8_000)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(storage)
    }
}

/// Everything the operation reads comes from one state of the file.
fn run_snapshot(storage: &Storage, operation: &str, body: &[u8]) -> Result<String, DynoxideError> {
    storage.conn().execute_batch("BEGIN")?;
    let answer = dispatch::run(storage, operation, body);
    storage.conn().execute_batch("COMMIT")?;
    answer
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| EngineError::Lost)
}

/// An item as the stream shows it, in the SDK's terms.
pub(super) fn item(json: &str) -> Option<Item> {
    let item: dynoxide::Item = serde_json::from_str(json).ok()?;
    Some(item.into_iter().map(|(name, value)| (name, stream::value(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_engine_is_one_reads_failure_and_the_next_read_finds_a_sound_connection() {
        let engine = DynamoEngine::in_memory().unwrap();
        let read = |panics: bool| {
            engine.inner.readers.run(move |storage| {
                storage.conn().execute_batch("BEGIN").unwrap();
                assert!(!panics, "on purpose");
                storage.conn().execute_batch("COMMIT").unwrap();
            })
        };
        read(false).unwrap();
        assert!(matches!(read(true), Err(EngineError::Lost)));
        read(false).unwrap();
        let on_a_thread = engine.read(|_| -> () { panic!("on purpose") }).await;
        assert!(matches!(on_a_thread, Err(EngineError::Lost)));
        assert!(engine.read(|_| ()).await.is_ok());
    }
}
