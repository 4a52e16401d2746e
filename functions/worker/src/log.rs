//! Log lines to the Worker's console, which `wrangler tail` and Workers Logs read: one JSON object a line.

use std::error::Error;
use std::fmt::Debug;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::metadata::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Logs from now on, down to this level.
pub(crate) fn start(most: Level) {
    // Whoever was first stays.
    let _taken = tracing::subscriber::set_global_default(Console { most, write: to_console });
}

fn to_console(level: Level, line: &str) {
    match level {
        Level::ERROR => worker::console_error!("{line}"),
        Level::WARN => worker::console_warn!("{line}"),
        _ => worker::console_log!("{line}"),
    }
}

/// Writes events. Spans are passed over: a request has an isolate's console to itself in `wrangler tail`.
struct Console {
    most: Level,
    write: fn(Level, &str),
}

impl Subscriber for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.most))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = Line(Map::new());
        line.put("level", metadata.level().as_str());
        line.put("target", metadata.target());
        event.record(&mut line);
        (self.write)(*metadata.level(), &Value::Object(line.0).to_string());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The fields of one event.
struct Line(Map<String, Value>);

impl Line {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    /// With its causes: what failed below is what somebody has to mend.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let causes = std::iter::successors(Some(value), |&error| error.source());
        let texts: Vec<String> = causes.map(ToString::to_string).collect();
        self.put(field.name(), texts.join(": "));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn a_line_is_one_json_object_with_an_error_and_its_causes() {
        let write = |_: Level, line: &str| LINES.lock().unwrap().push(line.to_owned());
        let error = hantar_usecases::ports::PortError::Unavailable { what: "table", source: "broken".into() };
        tracing::subscriber::with_default(Console { most: Level::INFO, write }, || {
            tracing::debug!("too quiet");
            tracing::warn!(error = &error as &dyn Error, tries = 3, "it failed");
        });
        let lines = LINES.lock().unwrap();
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["error"], "the table is not available: broken");
        assert_eq!(
            (&line["level"], &line["tries"], &line["message"]),
            (&"WARN".into(), &3.into(), &"it failed".into())
        );
    }
}
