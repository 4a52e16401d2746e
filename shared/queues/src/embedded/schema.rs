//! The tables of a queue file, and the settings of a connection to it.

use rusqlite::Connection;

use super::EngineError;

/// Raised with every change of the tables.
const VERSION: i64 = 1;
/// How long a call waits for another process that writes.
const BUSY: std::time::Duration = std::time::Duration::from_secs(5);

/// `visible_at` alone says whether a message may be received; one index answers "the next due one of this queue". Row
/// ids are never given twice, so what names a message names it for ever.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS queues (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        attributes TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        modified_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue INTEGER NOT NULL REFERENCES queues (id),
        body TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        first_received_at INTEGER,
        receives INTEGER NOT NULL DEFAULT 0,
        died_in INTEGER
    );
    CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, visible_at, id);
";

/// Makes a connection fit: settings, tables, version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), EngineError> {
    let known = |error| EngineError::Open(error);
    connection.busy_timeout(BUSY).map_err(known)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(known)?;
    connection.pragma_update(None, "synchronous", "NORMAL").map_err(known)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024).map_err(known)?;
    let tables = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(known)?;
    let found: i64 = tables.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(known)?;
    if found > VERSION {
        return Err(EngineError::Newer { found, known: VERSION });
    }
    tables.execute_batch(TABLES).map_err(known)?;
    tables.pragma_update(None, "user_version", VERSION).map_err(known)?;
    tables.commit().map_err(known)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}
