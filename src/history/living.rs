//! Tables made when they are asked for: the sensors as they are, the ledger, the archive's files.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use citytwin_core::ledger::LedgerEntry;
use citytwin_core::reading::RefusalReason;
use citytwin_core::time::EventTime;
use citytwin_core::twin::Snapshot;
use citytwin_ingest::archive::{ArchiveFile, Table, View};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

/// What makes the columns of a table.
type Rows = Box<dyn Fn() -> Vec<ArrayRef> + Send + Sync>;

/// A table made when it is asked for.
pub(super) struct Living {
    schema: SchemaRef,
    rows: Rows,
}

impl std::fmt::Debug for Living {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Living").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl Living {
    /// One row a sensor: what is known of it, and when it was last heard.
    pub(super) fn sensors(snapshot: &Arc<Snapshot>) -> Living {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let fields = vec![
            Field::new("sensor", DataType::Utf8, false),
            Field::new("kind", DataType::Utf8, false),
            Field::new("name", DataType::Utf8, false),
            Field::new("latitude_deg", DataType::Float64, false),
            Field::new("longitude_deg", DataType::Float64, false),
            Field::new("cell", DataType::Int64, false),
            Field::new("link", DataType::Utf8, false),
            Field::new("lane", DataType::Int64, false),
            Field::new("zone", DataType::Utf8, false),
            Field::new("interval_ms", DataType::Int64, false),
            Field::new("free_flow_speed_kmh", DataType::Float64, false),
            Field::new("lanes", DataType::Int64, false),
            Field::new("last_arrival", time, true),
        ];
        let schema = Arc::new(Schema::new(fields));
        let snapshot = Arc::clone(snapshot);
        Living { schema, rows: Box::new(move || sensors(&snapshot)) }
    }

    /// One row a sensor: what became of its readings. `received` is the sum of the rest.
    pub(super) fn ledger(snapshot: &Arc<Snapshot>) -> Living {
        let count = |name: &str| Field::new(name, DataType::Int64, false);
        let mut fields = vec![Field::new("sensor", DataType::Utf8, false)];
        fields.extend(["received", "applied", "duplicate", "late_applied"].map(count));
        fields.extend(RefusalReason::all().map(|reason| count(reason.name())));
        let schema = Arc::new(Schema::new(fields));
        let snapshot = Arc::clone(snapshot);
        Living { schema, rows: Box::new(move || ledger(&snapshot)) }
    }

    /// One row a file: where it is (`local`; `store`; `both`), and what it holds. Rows and
    /// times are null of a file that cannot be read.
    pub(super) fn files(view: &Arc<View>) -> Living {
        let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let fields = vec![
            Field::new("table_name", DataType::Utf8, false),
            Field::new("path", DataType::Utf8, false),
            Field::new("place", DataType::Utf8, false),
            Field::new("first_epoch", DataType::Int64, false),
            Field::new("last_epoch", DataType::Int64, false),
            Field::new("bytes", DataType::Int64, false),
            Field::new("rows", DataType::Int64, true),
            Field::new("first_time", time.clone(), true),
            Field::new("last_time", time, true),
        ];
        let view = Arc::clone(view);
        Living { schema: Arc::new(Schema::new(fields)), rows: Box::new(move || files(&view)) }
    }
}

fn sensors(snapshot: &Snapshot) -> Vec<ArrayRef> {
    let all: Vec<_> = snapshot.sensors.iter().map(|(_, registered)| registered).collect();
    let text = |of: fn(&citytwin_core::twin::Registered) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all.iter().map(|one| of(one))))
    };
    let number = |of: fn(&citytwin_core::twin::Registered) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(all.iter().map(|one| of(one))))
    };
    let count = |of: fn(&citytwin_core::twin::Registered) -> u32| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(all.iter().map(|one| i64::from(of(one)))))
    };
    let cells = all
        .iter()
        .map(|one| u64::from(one.description.position.cell(h3o::Resolution::Nine)).cast_signed());
    let heard: TimestampMillisecondArray = snapshot
        .last_arrivals()
        .into_iter()
        .map(|epoch| epoch.map(|epoch| epoch.end().ms()))
        .collect();
    vec![
        text(|one| one.key.as_str()),
        text(|one| one.description.kind.name()),
        text(|one| &one.description.name),
        number(|one| one.description.position.latitude_deg()),
        number(|one| one.description.position.longitude_deg()),
        Arc::new(Int64Array::from_iter_values(cells)),
        text(|one| &one.description.link),
        count(|one| one.description.lane),
        text(|one| &one.description.zone),
        count(|one| one.description.expected_interval_ms),
        number(|one| one.description.free_flow_speed_kmh),
        count(|one| one.description.lanes),
        Arc::new(heard.with_timezone("UTC")),
    ]
}

fn ledger(snapshot: &Snapshot) -> Vec<ArrayRef> {
    let entries = snapshot.ledgers();
    let all: Vec<_> = snapshot.sensors.iter().map(|(_, registered)| registered).collect();
    let keys = StringArray::from_iter_values(all.iter().map(|one| one.key.as_str()));
    let mut columns: Vec<ArrayRef> = vec![Arc::new(keys)];
    let count = |of: &dyn Fn(&LedgerEntry) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(entries.iter().map(|one| of(one).cast_signed())))
    };
    columns.push(count(&LedgerEntry::received));
    columns.push(count(&|entry| entry.applied));
    columns.push(count(&|entry| entry.duplicate));
    columns.push(count(&|entry| entry.late_applied));
    columns.extend(RefusalReason::all().map(|reason| count(&|entry| entry.refused[reason.slot()])));
    columns
}

fn files(view: &View) -> Vec<ArrayRef> {
    let all: Vec<&Arc<ArchiveFile>> =
        Table::ALL.into_iter().flat_map(|table| view.files(table)).collect();
    let count = |of: &dyn Fn(&ArchiveFile) -> u64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(all.iter().map(|file| of(file).cast_signed())))
    };
    let time = |of: fn((EventTime, EventTime)) -> EventTime| -> ArrayRef {
        let times = all.iter().map(|file| Some(of(file.bounds().ok()?.event_times?).ms()));
        Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
    };
    let names = all.iter().map(|file| file.table().name());
    let paths = all.iter().map(|file| file.path().display().to_string());
    let places = all.iter().map(|file| match (file.is_away(), file.is_stored()) {
        (true, _) => "store",
        (false, true) => "both",
        (false, false) => "local",
    });
    let rows = all.iter().map(|file| Some(file.bounds().ok()?.rows.cast_signed()));
    vec![
        Arc::new(StringArray::from_iter_values(names)),
        Arc::new(StringArray::from_iter_values(paths)),
        Arc::new(StringArray::from_iter_values(places)),
        count(&|file| file.first().number()),
        count(&|file| file.last().number()),
        count(&|file| file.bytes()),
        Arc::new(rows.collect::<Int64Array>()),
        time(|(first, _)| first),
        time(|(_, last)| last),
    ]
}

#[async_trait]
impl TableProvider for Living {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = (self.rows)();
        let batch = RecordBatch::try_new(SchemaRef::clone(&self.schema), columns)?;
        let schema = SchemaRef::clone(&self.schema);
        let memory = MemorySourceConfig::try_new(&[vec![batch]], schema, projection.cloned())?;
        Ok(DataSourceExec::from_data_source(memory.with_limit(limit)))
    }
}
