//! The questions of the `History` service, in SQL.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::{SensorKey, SensorKind};
use citytwin_core::time::{Epoch, EventTime};

use super::session::Question;

/// Most ranges of cells that narrow a question.
const MOST_RANGES: usize = 16;

/// A span of event time: begin included, end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Nothing: from the beginning.
    pub begin: Option<EventTime>,
    /// Nothing: to the end.
    pub end: Option<EventTime>,
}

/// What all questions have in common.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// When.
    pub span: Span,
    /// What; empty: everything.
    pub quantities: Vec<Quantity>,
    /// As it was known then; nothing: now.
    pub known_at: Option<Epoch>,
    /// Rows at most.
    pub limit: Option<u64>,
    /// Leave out damaged files.
    pub allow_partial: bool,
}

/// How windows are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// By sensor.
    Sensor,
    /// By cell of this resolution, 1 to 9.
    Cell(u8),
    /// By whatever the chosen sensors are listed under.
    Key,
    /// Altogether.
    All,
}

/// Sensors that count, each under a key; a sensor may be listed under several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Sensor, key.
    pub sensors: Vec<(SensorKey, String)>,
    /// Cells of resolution 9 in which they stand, to narrow the search.
    pub cells: Vec<u64>,
}

/// A question for windows.
#[derive(Clone, Debug)]
pub struct WindowsWanted {
    /// When, what, as known when.
    pub terms: Terms,
    /// Length, ms; a multiple of the stored one.
    pub window_ms: i64,
    /// How they are put together.
    pub group: Group,
    /// Kinds of sensors; empty: all.
    pub kinds: Vec<SensorKind>,
    /// Sensors that count; nothing: all.
    pub chosen: Option<Chosen>,
}

/// The readings of a sensor that stands in one of these cells, or stood there: columns
/// `quantity, value, event_time, epoch, lateness`.
pub fn readings(sensor: &SensorKey, terms: &Terms) -> Question {
    let mut conditions = vec![format!("sensor = {}", text(sensor.as_str()))];
    conditions.extend(terms.conditions("event_time"));
    let sql = format!(
        "SELECT quantity, value, event_time, epoch, lateness FROM readings WHERE {} \
         ORDER BY event_time, quantity{}",
        conditions.join(" AND "),
        terms.limited(),
    );
    terms.question(sql)
}

/// Windows put together: columns `key, quantity, start, sensors, count, sum, min, max, last,
/// last_time, closed`.
pub fn windows(wanted: &WindowsWanted) -> Question {
    let WindowsWanted { terms, window_ms, group, kinds, chosen } = wanted;
    let key = match group {
        Group::Sensor => "arrow_cast(w.sensor, 'Utf8')".to_owned(),
        Group::Cell(9) => "h3_to_string(w.cell)".to_owned(),
        Group::Cell(resolution) => format!("h3_to_string(h3_parent(w.cell, {resolution}))"),
        Group::Key => "c.key".to_owned(),
        Group::All => "''".to_owned(),
    };
    let mut conditions = terms.conditions("w.window_start");
    if !kinds.is_empty() {
        let names: Vec<String> = kinds.iter().map(|kind| text(kind.name())).collect();
        conditions.push(format!("w.kind IN ({})", names.join(", ")));
    }
    let join = if chosen.is_some() { " JOIN chosen c ON c.sensor = w.sensor" } else { "" };
    if let Some(chosen) = chosen {
        conditions.push(ranges(&chosen.cells));
    }
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let sql = format!(
        "SELECT {key} AS key, w.quantity AS quantity, \
         time_bucket(INTERVAL '{window_ms} milliseconds', w.window_start) AS start, \
         count(DISTINCT w.sensor) AS sensors, sum(w.count) AS count, sum(w.sum) AS sum, \
         min(w.min) AS min, max(w.max) AS max, \
         first_value(w.last ORDER BY w.last_time DESC) AS last, max(w.last_time) AS last_time, \
         bool_and(w.closed) AS closed \
         FROM windows w{join}{filter} GROUP BY 1, 2, 3 ORDER BY start, key, quantity{}",
        terms.limited(),
    );
    let mut question = terms.question(sql);
    question.tables.extend(chosen.as_ref().map(|chosen| ("chosen", chosen.table())));
    question
}

/// The cells in which chosen sensors ever stood: column `cell`.
pub fn cells(chosen: &Chosen) -> Question {
    let sql = "SELECT DISTINCT s.cell FROM sensor_changes s JOIN chosen c ON s.sensor = c.sensor";
    let tables = vec![("chosen", chosen.table())];
    Question { tables, ..Question::new(sql) }
}

impl Terms {
    fn conditions(&self, time: &str) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(begin) = self.span.begin {
            all.push(format!("{time} >= {}", literal(begin)));
        }
        if let Some(end) = self.span.end {
            all.push(format!("{time} < {}", literal(end)));
        }
        if !self.quantities.is_empty() {
            let names: Vec<String> = self.quantities.iter().map(|one| text(one.name())).collect();
            all.push(format!("quantity IN ({})", names.join(", ")));
        }
        all
    }

    fn limited(&self) -> String {
        self.limit.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default()
    }

    fn question(&self, sql: String) -> Question {
        let (known_at, allow_partial) = (self.known_at, self.allow_partial);
        Question { sql, known_at, allow_partial, ..Question::default() }
    }
}

impl Chosen {
    fn table(&self) -> RecordBatch {
        let sensors = self.sensors.iter().map(|(sensor, _)| sensor.as_str());
        let keys = self.sensors.iter().map(|(_, key)| key.as_str());
        let fields = ["sensor", "key"].map(|name| Field::new(name, DataType::Utf8, false));
        RecordBatch::try_new(
            Arc::new(Schema::new(fields.to_vec())),
            vec![
                Arc::new(StringArray::from_iter_values(sensors)),
                Arc::new(StringArray::from_iter_values(keys)),
            ],
        )
        .expect("two columns of one length and of the types of the schema")
    }
}

/// That a row's cell is one of these, or nearly: neighbours in order are taken together.
fn ranges(cells: &[u64]) -> String {
    let mut cells = cells.to_vec();
    cells.sort_unstable();
    cells.dedup();
    let Some((first, last)) = cells.first().zip(cells.last()) else { return "false".to_owned() };
    let mut gaps: Vec<(u64, u64)> = cells.windows(2).map(|pair| (pair[0], pair[1])).collect();
    gaps.sort_unstable_by_key(|(before, after)| std::cmp::Reverse(after - before));
    gaps.truncate(MOST_RANGES - 1);
    gaps.sort_unstable();
    let mut condition = format!("(w.cell BETWEEN {first}");
    for (before, after) in gaps {
        write!(condition, " AND {before} OR w.cell BETWEEN {after}")
            .expect("a text can be written to");
    }
    condition + &format!(" AND {last})")
}

/// A time that needs no conversion.
pub(super) fn literal(time: EventTime) -> String {
    format!("arrow_cast({}, 'Timestamp(Millisecond, Some(\"UTC\"))')", time.ms())
}

/// A text between quotes.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
