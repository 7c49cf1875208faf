//! The whole city as of a moment: the newest keyframe before it, and behind it the registrations,
//! readings and refusals that were known, folded by the code that the dataflow uses.
//!
//! With `known_at` alone the answer is the snapshot that was published at that epoch. With an event
//! time it is the city at that second by the sensors' clocks, with every reading that had arrived
//! by `known_at`, however late; silence is judged as of that second. Within one epoch the readings
//! of a series are taken by event time, since an archive does not keep their order; this can be
//! seen only in how long a value has stood still.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array as _, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use citytwin_core::frame::SensorChange;
use citytwin_core::ledger::Outcome;
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::reading::{Reading, RefusalReason, Verdict};
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{ArrivalTime, Epoch, EventTime, TimeMode};
use citytwin_core::twin::{Fold, Snapshot};
use citytwin_core::watermark::WatermarkRule;
use citytwin_ingest::archive::View;
use h3o::Resolution;

use super::engine::History;
use super::error::HistoryError;
use super::read;
use super::session::Question;

/// What is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The second, by the sensors' clocks; nothing: the newest that was known.
    pub event_time: Option<EventTime>,
    /// Only what had arrived in this epoch or before; nothing: everything.
    pub known_at: Option<Epoch>,
    /// Leave out files that are missing or damaged.
    pub allow_partial: bool,
}

/// The city then.
#[derive(Clone, Debug)]
pub struct AsOf {
    /// As it was.
    pub snapshot: Arc<Snapshot>,
    /// It rests on what had arrived in this epoch or before.
    pub through: Epoch,
    /// Files that were left out.
    pub left_out: Vec<String>,
}

impl History {
    /// The city as of a moment. Costs the reading of a keyframe and of what arrived in the quarter
    /// hour behind it, and a look at what came late.
    ///
    /// # Errors
    /// When the moment is before the archive begins, or a file is damaged.
    pub async fn as_of(&self, moment: Moment) -> Result<AsOf, HistoryError> {
        self.as_of_view(&self.view(), moment).await
    }

    /// The same, as of a view that the caller has.
    pub(super) async fn as_of_view(
        &self,
        view: &Arc<View>,
        moment: Moment,
    ) -> Result<AsOf, HistoryError> {
        let through = view.through();
        let known = moment.known_at.map_or(through, |epoch| epoch.min(through));
        if moment.event_time.is_none() && known == through {
            let snapshot = Arc::clone(view.snapshot());
            return Ok(AsOf { snapshot, through, left_out: Vec::new() });
        }
        let keyframe = {
            let view = Arc::clone(view);
            let read = move || view.keyframe(known, moment.event_time);
            let read = tokio::task::spawn_blocking(read).await;
            read.map_err(|broken| HistoryError::Internal(broken.to_string()))?
                .map_err(|error| HistoryError::Internal(error.to_string()))?
        };
        let (after, base) = match keyframe {
            Some((epoch, snapshot)) => (epoch, snapshot),
            None => (Epoch::ZERO, self.beginning(view, known).await?),
        };
        if after.next() < view.complete_from() {
            return Err(early(view.complete_from()));
        }
        let mut past = Past::new(&base, self.settings().shard_resolution);
        past.register(self.rows(view, (after, known), Wish::Sensors, moment).await?)?;
        past.gather(self.rows(view, (after, known), Wish::Readings, moment).await?)?;
        past.gather(self.rows(view, (after, known), Wish::Refusals, moment).await?)?;
        Ok(past.close(known, moment.event_time, self.settings().idle_after_ms))
    }

    /// An empty city, where the archive reaches back to its beginning and that is not later.
    async fn beginning(&self, view: &Arc<View>, known: Epoch) -> Result<Snapshot, HistoryError> {
        let question = Question::new("SELECT min(epoch) FROM sensor_changes");
        let batches = self.ask_now(Arc::clone(view), question).await?.collect().await?;
        let firsts = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().flatten());
        match firsts.min().map(|first| Epoch::new(first.cast_unsigned())) {
            Some(first) if first <= known => {
                let now = view.snapshot();
                Ok(Snapshot::empty(now.mode, now.lateness_ms, now.stuck_after_ms))
            }
            Some(first) => Err(early(first)),
            None => Err(HistoryError::TooEarly("no sensor was ever heard of".to_owned())),
        }
    }

    async fn rows(
        &self,
        view: &Arc<View>,
        (after, known): (Epoch, Epoch),
        wish: Wish,
        moment: Moment,
    ) -> Result<(Vec<RecordBatch>, Vec<String>), HistoryError> {
        let mut sql = format!(
            "SELECT {} FROM {} WHERE epoch > {after} AND epoch <= {known}",
            wish.columns(),
            wish.table(),
        );
        if let (Some(time), Wish::Readings | Wish::Refusals) = (moment.event_time, wish) {
            sql.push_str(" AND event_time <= ");
            sql.push_str(&read::literal(time));
        }
        let question = Question { sql, allow_partial: moment.allow_partial, ..Question::default() };
        let answer = self.ask_now(Arc::clone(view), question).await?;
        let left_out = answer.left_out().to_vec();
        Ok((answer.collect().await?, left_out))
    }
}

fn early(begin: Epoch) -> HistoryError {
    let begin = chrono::DateTime::from_timestamp_millis(begin.end().ms());
    let begin = begin.map(|time| time.to_rfc3339()).unwrap_or_default();
    HistoryError::TooEarly(format!("this is before the archive begins ({begin})"))
}

/// The tables that are folded.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Sensors,
    Readings,
    Refusals,
}

impl Wish {
    const fn table(self) -> &'static str {
        match self {
            Wish::Sensors => "sensor_changes",
            Wish::Readings => "readings",
            Wish::Refusals => "refusals",
        }
    }

    const fn columns(self) -> &'static str {
        match self {
            Wish::Sensors => {
                "epoch, sensor, kind, latitude_deg, longitude_deg, interval_ms, name, link, lane, \
                 zone, free_flow_speed_kmh, lanes"
            }
            Wish::Readings => "epoch, sensor, quantity, event_time, lateness, value",
            Wish::Refusals => "epoch, sensor, quantity, event_time, reason",
        }
    }
}

/// One reading, applied or not.
#[derive(Clone, Copy, Debug)]
struct Row {
    sensor: SensorIndex,
    epoch: Epoch,
    event_time: EventTime,
    quantity: Quantity,
    outcome: Outcome,
    value: f64,
}

/// A snapshot in the making.
#[derive(Debug)]
struct Past {
    fold: Fold,
    /// Sensors that are registered, by id.
    sensors: HashMap<SensorKey, SensorIndex>,
    newest: EventTime,
    mode: TimeMode,
    lateness_ms: i64,
    rows: Vec<Row>,
    left_out: Vec<String>,
}

impl Past {
    fn new(base: &Snapshot, shard_resolution: Resolution) -> Past {
        Past {
            fold: Fold::new(base, shard_resolution),
            sensors: base.sensors.iter().map(|(index, one)| (one.key.clone(), index)).collect(),
            newest: base.newest_event_time(),
            mode: base.mode,
            lateness_ms: base.lateness_ms,
            rows: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Registers sensors in order of arrival.
    fn register(
        &mut self,
        (batches, left_out): (Vec<RecordBatch>, Vec<String>),
    ) -> Result<(), HistoryError> {
        self.left_out.extend(left_out);
        let mut by_epoch: BTreeMap<Epoch, Vec<SensorChange>> = BTreeMap::new();
        let mut all = Vec::new();
        for batch in &batches {
            all.extend(described(batch)?);
        }
        // Stable: those of one epoch stay in log order.
        all.sort_by_key(|(epoch, _, _)| *epoch);
        for (epoch, key, description) in all {
            let next = u32::try_from(self.sensors.len()).expect("sensors are counted in u32");
            let index = *self.sensors.entry(key.clone()).or_insert(SensorIndex::new(next));
            by_epoch.entry(epoch).or_default().push(SensorChange { index, key, description });
        }
        for (epoch, changes) in by_epoch {
            self.fold.register(&changes, epoch);
        }
        Ok(())
    }

    fn gather(
        &mut self,
        (batches, left_out): (Vec<RecordBatch>, Vec<String>),
    ) -> Result<(), HistoryError> {
        self.left_out.extend(left_out);
        for batch in &batches {
            self.gather_batch(batch)?;
        }
        Ok(())
    }

    fn gather_batch(&mut self, batch: &RecordBatch) -> Result<(), HistoryError> {
        let sensors = Names::of(batch, 1)?;
        let indexes = sensors.meant(|name| self.sensors.get(name).copied());
        let quantities = Names::of(batch, 2)?;
        let known = quantities.meant(Quantity::from_name);
        let outcomes = Names::of(batch, 4)?;
        let meant = outcomes.meant(outcome);
        let epochs = batch.column(0).as_primitive::<Int64Type>();
        let times = batch.column(3).as_primitive::<TimestampMillisecondType>();
        let values = batch.columns().get(5).map(AsArray::as_primitive::<Float64Type>);
        for row in 0..batch.num_rows() {
            let sensor = indexes[sensors.key(row)];
            if sensor.is_none() && !self.left_out.is_empty() {
                // Its description is in a file that was left out.
                continue;
            }
            let quantity = known[quantities.key(row)];
            let outcome = meant[outcomes.key(row)];
            let (Some(sensor), Some(quantity), Some(outcome)) = (sensor, quantity, outcome) else {
                return Err(HistoryError::Internal(format!(
                    "row {row} names a sensor, quantity or outcome that is not known"
                )));
            };
            self.rows.push(Row {
                sensor,
                epoch: Epoch::new(epochs.value(row).cast_unsigned()),
                event_time: EventTime::from_ms(times.value(row)),
                quantity,
                outcome,
                value: values.map_or(0.0, |values| values.value(row)),
            });
        }
        Ok(())
    }

    /// Folds each sensor's readings in order of arrival. Files have them nearly so.
    fn close(mut self, known: Epoch, event_time: Option<EventTime>, idle_after_ms: i64) -> AsOf {
        self.rows.sort_by_key(|row| (row.sensor, row.epoch, row.event_time, row.quantity));
        for row in &self.rows {
            let Row { sensor, epoch, event_time, quantity, outcome, value } = *row;
            let verdict = Verdict::Admitted;
            let reading = Reading { event_time, value, sensor, quantity, verdict };
            self.fold.record(&reading, outcome, epoch);
            if matches!(outcome, Outcome::Applied | Outcome::LateApplied) {
                self.newest = self.newest.max(event_time);
            }
        }
        let Past { mode, lateness_ms, .. } = self;
        let rule = WatermarkRule { mode, lateness_ms, idle_after_ms };
        let (mut epoch, mut watermark) = (known, rule.at(self.newest, known));
        if let Some(time) = event_time {
            if mode == TimeMode::Live {
                epoch = known.min(Epoch::of(ArrivalTime::from_ms(time.ms())));
            }
            watermark = watermark.min(time.plus_ms(-lateness_ms));
        }
        let snapshot = Arc::new(self.fold.close(epoch, watermark));
        AsOf { snapshot, through: known, left_out: self.left_out }
    }
}

fn outcome(name: &str) -> Option<Outcome> {
    match name {
        "on_time" => Some(Outcome::Applied),
        "revised" | "archived_only" => Some(Outcome::LateApplied),
        "duplicate" => Some(Outcome::Duplicate),
        other => RefusalReason::all().find(|reason| reason.name() == other).map(Outcome::Refused),
    }
}

/// A column of repeated names.
struct Names<'a> {
    keys: &'a arrow::array::Int32Array,
    values: &'a arrow::array::StringArray,
}

impl<'a> Names<'a> {
    fn of(batch: &'a RecordBatch, column: usize) -> Result<Names<'a>, HistoryError> {
        let broken = || HistoryError::Internal(format!("column {column} is no dictionary"));
        let typed = batch.column(column).as_dictionary_opt::<Int32Type>().ok_or_else(broken)?;
        Ok(Names { keys: typed.keys(), values: typed.values().as_string_opt().ok_or_else(broken)? })
    }

    /// What the names mean, by key. A dictionary is that of a whole row group, of which a batch has
    /// a part: only names that occur are looked up, and each once.
    fn meant<T: Copy>(&self, meaning: impl Fn(&str) -> Option<T>) -> Vec<Option<T>> {
        let mut looked_up = vec![false; self.values.len()];
        let mut meant = vec![None; self.values.len()];
        for key in self.keys.values() {
            let key = usize::try_from(*key).unwrap_or(usize::MAX);
            if let Some(known) = looked_up.get_mut(key)
                && !std::mem::replace(known, true)
            {
                meant[key] = meaning(self.values.value(key));
            }
        }
        meant
    }

    fn key(&self, row: usize) -> usize {
        usize::try_from(self.keys.value(row)).unwrap_or(usize::MAX)
    }
}

/// The descriptions of a batch of `sensor_changes`.
fn described(
    batch: &RecordBatch,
) -> Result<Vec<(Epoch, SensorKey, SensorDescription)>, HistoryError> {
    let broken = |what: String| HistoryError::Internal(format!("sensor_changes: {what}"));
    let text = |column: usize, row: usize| batch.column(column).as_string::<i32>().value(row);
    let number =
        |column: usize, row: usize| batch.column(column).as_primitive::<Float64Type>().value(row);
    let count = |column: usize, row: usize| {
        let count = batch.column(column).as_primitive::<Int64Type>().value(row);
        u32::try_from(count).map_err(|_none| broken(format!("{count} is no count")))
    };
    let (kinds, zones) = (Names::of(batch, 2)?, Names::of(batch, 9)?);
    let names = |names: &Names<'_>, row: usize| names.values.value(names.key(row)).to_owned();
    let epochs = batch.column(0).as_primitive::<Int64Type>();
    (0..batch.num_rows())
        .map(|row| {
            let key = SensorKey::parse(text(1, row)).map_err(|error| broken(error.to_string()))?;
            let kind = names(&kinds, row);
            let kind = SensorKind::from_name(&kind).ok_or_else(|| broken(kind))?;
            let position = Position::new(number(3, row), number(4, row));
            let description = SensorDescription {
                kind,
                position: position.map_err(|error| broken(error.to_string()))?,
                expected_interval_ms: count(5, row)?,
                name: text(6, row).to_owned(),
                link: text(7, row).to_owned(),
                lane: count(8, row)?,
                zone: names(&zones, row),
                free_flow_speed_kmh: number(10, row),
                lanes: count(11, row)?,
            };
            Ok((Epoch::new(epochs.value(row).cast_unsigned()), key, description))
        })
        .collect()
}
