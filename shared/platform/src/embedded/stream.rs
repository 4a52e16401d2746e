//! The table's stream, made fit: the engine finds its next number by index, and what was consumed is deleted.
//!
//! The engine keeps stream records in one SQLite table, numbers each by `MAX + 1` over the table's records (and never
//! below the clock's microseconds) and never deletes any. Without an index each write reads the whole stream. Its
//! numbers are unique among the records that exist, since they are taken inside the write transaction, but once all
//! are deleted and the clock steps back they may repeat. So our numbers are the table's row ids: `AUTOINCREMENT` never
//! gives one twice, and as SQLite has one writer at a time, over all processes, their order is that of the commits.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::Blob;
use rusqlite::{Connection, Row, params};

use super::EngineError;
use super::engine::item;

/// An item: its attributes by name.
pub type Item = HashMap<String, AttributeValue>;

/// The index on what the engine asks before each write to a streamed table: the highest number.
pub(super) const INDEX: &str = "CREATE INDEX IF NOT EXISTS hantar_stream_order \
     ON _stream_records (table_name, CAST(sequence_number AS INTEGER))";

/// Goes by the index over what was read and is not consumed, which is little (the unary plus keeps the planner from sorting).
const OLDEST: &str = "SELECT id, event_name, keys_json, old_image, new_image, user_identity FROM _stream_records \
     WHERE table_name = ?1 AND +id > ?3 ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?2";

/// Goes by row id (the unary plus keeps the planner off the index), so it reads what it deletes, and the older
/// records of other tables.
const DELETE: &str = "DELETE FROM _stream_records WHERE id <= ?2 AND +table_name = ?1";

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent {
    /// It came to be.
    Insert,
    /// It became another.
    Modify,
    /// It ceased to be.
    Remove,
}

/// One change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRecord {
    /// Rises with every change in the file, with gaps; what `consume` takes.
    pub sequence: u64,
    /// What happened.
    pub event: StreamEvent,
    /// The item's key attributes.
    pub keys: Item,
    /// The item before; `None` at an insert.
    pub old: Option<Item>,
    /// The item after; `None` at a removal.
    pub new: Option<Item>,
    /// Whether the item's time to live ended it.
    pub expired: bool,
}

/// What one look at the stream found.
pub(super) struct Batch {
    pub(super) records: Vec<StreamRecord>,
    /// The last number seen, of a record that is shown or not; `None` at the end of the stream.
    pub(super) last: Option<u64>,
}

/// The oldest `max` records with numbers higher than `after`, without those that changed nothing.
pub(super) fn read(connection: &Connection, table: &str, after: u64, max: usize) -> Result<Batch, EngineError> {
    let mut statement = connection.prepare_cached(OLDEST)?;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![table, i64::try_from(max).unwrap_or(i64::MAX), number(after)])?;
    let mut batch = Batch { records: Vec::new(), last: None };
    while let Some(row) = rows.next()? {
        let sequence: u64 = row.get(0)?;
        batch.last = Some(sequence);
        let record = record(row, sequence)?;
        let record = record.ok_or_else(|| EngineError::Corrupt { table: table.to_owned(), sequence })?;
        if !without_effect(&record) {
            batch.records.push(record);
        }
    }
    Ok(batch)
}

/// Deletes a table's records up to `through`.
pub(super) fn delete(connection: &Connection, table: &str, through: u64) -> Result<(), EngineError> {
    let through = i64::try_from(through).unwrap_or(i64::MAX);
    connection.prepare_cached(DELETE)?.execute(params![table, through])?;
    Ok(())
}

fn record(row: &Row<'_>, sequence: u64) -> rusqlite::Result<Option<StreamRecord>> {
    let event: String = row.get(1)?;
    let keys: String = row.get(2)?;
    let old: Option<String> = row.get(3)?;
    let new: Option<String> = row.get(4)?;
    let identity: Option<String> = row.get(5)?;
    let event = match event.as_str() {
        "INSERT" => StreamEvent::Insert,
        "MODIFY" => StreamEvent::Modify,
        "REMOVE" => StreamEvent::Remove,
        _ => return Ok(None),
    };
    let image = |json: Option<String>| json.map(|json| item(&json).ok_or(())).transpose();
    let (Some(keys), Ok(old), Ok(new)) = (item(&keys), image(old), image(new)) else { return Ok(None) };
    Ok(Some(StreamRecord { sequence, event, keys, old, new, expired: identity.is_some() }))
}

/// The engine records a write that leaves the item as it was; AWS does not.
fn without_effect(record: &StreamRecord) -> bool {
    match (&record.old, &record.new) {
        (Some(old), Some(new)) => same_items(old, new),
        _ => false,
    }
}

fn same_items(one: &Item, two: &Item) -> bool {
    one.len() == two.len() && one.iter().all(|(name, value)| two.get(name).is_some_and(|other| same(value, other)))
}

/// Equality of values; in sets the order says nothing.
fn same(one: &AttributeValue, two: &AttributeValue) -> bool {
    use AttributeValue::{Bs, L, M, Ns, Ss};
    match (one, two) {
        (Ss(one), Ss(two)) | (Ns(one), Ns(two)) => same_set(one, two),
        (Bs(one), Bs(two)) => same_set(one, two),
        (L(one), L(two)) => one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two)),
        (M(one), M(two)) => same_items(one, two),
        _ => one == two,
    }
}

fn same_set<T: PartialEq>(one: &[T], two: &[T]) -> bool {
    one.len() == two.len() && one.iter().all(|member| two.contains(member))
}

/// The engine's value in the SDK's terms.
pub(super) fn value(value: dynoxide::AttributeValue) -> AttributeValue {
    use dynoxide::AttributeValue as Engine;
    match value {
        Engine::S(text) => AttributeValue::S(text),
        Engine::N(number) => AttributeValue::N(number),
        Engine::B(bytes) => AttributeValue::B(Blob::new(bytes)),
        Engine::BOOL(truth) => AttributeValue::Bool(truth),
        Engine::NULL(null) => AttributeValue::Null(null),
        Engine::SS(set) => AttributeValue::Ss(set),
        Engine::NS(set) => AttributeValue::Ns(set),
        Engine::BS(set) => AttributeValue::Bs(set.into_iter().map(Blob::new).collect()),
        Engine::L(list) => AttributeValue::L(list.into_iter().map(self::value).collect()),
        Engine::M(map) => AttributeValue::M(map.into_iter().map(|(name, inner)| (name, self::value(inner))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynoxide::storage::Storage;
    use rusqlite::StatementStatus;

    /// How the engine numbers a record (dynoxide 3.2.0, `Storage::next_stream_sequence_number`).
    const NEXT: &str = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records \
        WHERE table_name = ?1";

    fn stream_of(records: i64) -> Storage {
        let storage = Storage::memory().unwrap();
        storage.conn().execute_batch(INDEX).unwrap();
        storage
            .conn()
            .execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                 INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
                 SELECT 't', 'REMOVE', '{}', 1000 + i, 's', 0 FROM n",
                [records],
            )
            .unwrap();
        storage
    }

    /// The steps SQLite's machine takes for a statement.
    fn steps(connection: &Connection, sql: &str, limit: Option<i64>) -> i32 {
        let mut statement = connection.prepare(sql).unwrap();
        let mut rows = match limit {
            Some(limit) => statement.query(params!["t", limit, 0]).unwrap(),
            None => statement.query(params!["t"]).unwrap(),
        };
        while rows.next().unwrap().is_some() {}
        drop(rows);
        statement.get_status(StatementStatus::VmStep)
    }

    fn plan(connection: &Connection, sql: &str) -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let bound = params!["t", 10, 0];
        let bound = &bound[..(1..=3).rev().find(|number| sql.contains(&format!("?{number}"))).unwrap()];
        let lines = statement.query_map(bound, |row| row.get::<_, String>(3)).unwrap();
        lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbering_a_record_and_reading_the_oldest_use_the_index_and_sort_nothing() {
        let storage = stream_of(10);
        let connection = storage.conn();
        for sql in [NEXT, OLDEST] {
            let plan = plan(connection, sql);
            assert!(plan.contains("hantar_stream_order") && !plan.contains("TEMP B-TREE"), "{plan}");
        }
        let plan = plan(connection, DELETE);
        assert!(plan.contains("INTEGER PRIMARY KEY"), "{plan}");
    }

    #[test]
    fn the_work_per_write_and_per_batch_does_not_grow_with_the_stream() {
        let (short, long) = (stream_of(50), stream_of(50_000));
        let (short, long) = (short.conn(), long.conn());
        assert_eq!(steps(short, NEXT, None), steps(long, NEXT, None));
        assert_eq!(steps(short, OLDEST, Some(20)), steps(long, OLDEST, Some(20)));
    }

    #[test]
    fn consuming_twice_takes_nothing_that_came_between() {
        let storage = stream_of(3);
        let connection = storage.conn();
        let last = read(connection, "t", 0, 10).unwrap().last.unwrap();
        delete(connection, "t", last).unwrap();
        // The clock stepped back: the engine's own number is lower than the consumed ones were.
        connection
            .execute_batch(
                "INSERT INTO _stream_records (table_name, event_name, keys_json, sequence_number, shard_id, created_at)
                 VALUES ('t', 'REMOVE', '{}', 7, 's', 0)",
            )
            .unwrap();
        delete(connection, "t", last).unwrap();
        let left = read(connection, "t", 0, 10).unwrap().records;
        assert_eq!(left.len(), 1);
        assert!(left[0].sequence > last);
    }
}
