//! The `History` service: requests become questions (`crate::history::read`), batches of rows
//! become messages. Rows are sent as they come; whoever hangs up ends the query.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMillisecondType, UInt64Type};
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorKind;
use citytwin_core::time::{ArrivalTime, Epoch, EventTime};
use citytwin_core::twin::{AreaQuery, Snapshot};
use citytwin_proto::v1;
use citytwin_proto::v1::history_server::History as HistoryCalls;
use prost_types::Timestamp;
use tokio_stream::Stream;
use tonic::{Code, Request, Response, Status};

use super::city::City;
use super::operator::query_area;
use super::request::{self, invalid};
use super::wire;
use crate::history::read::{self, Chosen, Group, Span, Terms, WindowsWanted};
use crate::history::{Answer, History, HistoryError, Moment};

/// Messages of one call.
type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Rows of a message: about 64 KiB.
const MESSAGE_ROWS: usize = 1_024;

/// The service.
#[derive(Clone, Debug)]
pub struct HistoryService {
    city: Arc<City>,
    history: Arc<History>,
}

impl HistoryService {
    /// Over a city and its past.
    pub fn new(city: Arc<City>, history: Arc<History>) -> HistoryService {
        HistoryService { city, history }
    }

    /// The sensors of an area, or of all places, each under its key.
    async fn chosen(
        &self,
        given: &v1::ReadWindowsRequest,
        group: v1::WindowGroup,
    ) -> Result<Option<Chosen>, Status> {
        let by_key = matches!(group, v1::WindowGroup::Link | v1::WindowGroup::Place);
        let shape = given.area.as_ref().and_then(|area| area.shape.as_ref());
        let is_everywhere = matches!(shape, Some(v1::area::Shape::Everywhere(_)));
        if (given.area.is_none() || is_everywhere) && !by_key {
            return Ok(None);
        }
        let places = self.city.places();
        let area = match &given.area {
            Some(area) => request::area(Some(area.clone()), places)?,
            None => citytwin_core::area::Area::everywhere(),
        };
        let snapshot = self.city.snapshot();
        let mut sensors = Vec::new();
        for (_, one) in snapshot.sensors.iter() {
            let position = one.description.position;
            if !area.contains(position) {
                continue;
            }
            match group {
                v1::WindowGroup::Link if one.description.link.is_empty() => {}
                v1::WindowGroup::Link => {
                    sensors.push((one.key.clone(), one.description.link.clone()));
                }
                v1::WindowGroup::Place => {
                    let around = places.all().iter().filter(|place| place.area.contains(position));
                    sensors.extend(around.map(|place| (one.key.clone(), place.name.clone())));
                }
                v1::WindowGroup::Unspecified
                | v1::WindowGroup::Sensor
                | v1::WindowGroup::Cell
                | v1::WindowGroup::All => sensors.push((one.key.clone(), String::new())),
            }
        }
        let cells = self.cells_of(&sensors).await?;
        Ok(Some(Chosen { sensors, cells }))
    }

    /// All cells in which these sensors ever stood.
    async fn cells_of(
        &self,
        sensors: &[(citytwin_core::sensor::SensorKey, String)],
    ) -> Result<Vec<u64>, Status> {
        let chosen = Chosen { sensors: sensors.to_vec(), cells: Vec::new() };
        let answer = self.history.ask(read::cells(&chosen)).await.map_err(|e| status(&e))?;
        let batches = answer.collect().await.map_err(|e| status(&e))?;
        let cells = batches.iter().map(|batch| batch.column(0).as_primitive::<Int64Type>());
        Ok(cells.flat_map(|cells| cells.values().iter().map(|cell| cell.cast_unsigned())).collect())
    }
}

/// What is said of a failed question.
pub(super) fn status(error: &HistoryError) -> Status {
    let code = match error {
        HistoryError::Question(_) => Code::InvalidArgument,
        HistoryError::Resources(_) | HistoryError::Busy(_) => Code::ResourceExhausted,
        HistoryError::Behind { .. } | HistoryError::Store(_) => Code::Unavailable,
        HistoryError::Damaged { .. } => Code::DataLoss,
        HistoryError::TooEarly(_) => Code::OutOfRange,
        HistoryError::Internal(_) => Code::Internal,
    };
    Status::new(code, error.to_string())
}

/// Milliseconds since 1970, rounded down.
fn ms(field: &str, time: &Timestamp) -> Result<i64, Status> {
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let ms = nanos.and_then(|nanos| {
        time.seconds.checked_mul(1_000)?.checked_add(i64::from(nanos / 1_000_000))
    });
    ms.ok_or_else(|| invalid(field, "is no time: seconds, and nanos from 0 to 999,999,999"))
}

fn event_time(field: &str, time: Option<&Timestamp>) -> Result<Option<EventTime>, Status> {
    time.map(|time| ms(field, time).map(EventTime::from_ms)).transpose()
}

/// The last epoch that had ended at a time.
fn known_at(time: Option<&Timestamp>) -> Result<Option<Epoch>, Status> {
    let Some(time) = time else { return Ok(None) };
    let at = ArrivalTime::from_ms(ms("known_at", time)?);
    let around = Epoch::of(at);
    let ended =
        if around.end() <= at { around.number() } else { around.number().saturating_sub(1) };
    Ok(Some(Epoch::new(ended)))
}

fn span(range: Option<&v1::TimeRange>) -> Result<Span, Status> {
    let Some(range) = range else { return Ok(Span::default()) };
    let begin = event_time("range.start_time", range.start_time.as_ref())?;
    let end = event_time("range.end_time", range.end_time.as_ref())?;
    if let (Some(begin), Some(end)) = (begin, end)
        && end <= begin
    {
        return Err(invalid("range.end_time", "is not behind range.start_time"));
    }
    Ok(Span { begin, end })
}

fn limit(rows: i64) -> Result<Option<u64>, Status> {
    let rows = u64::try_from(rows)
        .map_err(|_negative| invalid("limit", format!("{rows}; allowed: 0 (none) and more")))?;
    Ok((rows > 0).then_some(rows))
}

fn quantities(numbers: &[i32]) -> Result<Vec<Quantity>, Status> {
    let set = request::quantities(numbers)?;
    Ok(if numbers.is_empty() {
        Vec::new()
    } else {
        Quantity::all().filter(|q| set.contains(*q)).collect()
    })
}

fn kinds(numbers: &[i32]) -> Result<Vec<SensorKind>, Status> {
    let set = request::kinds(numbers)?;
    Ok(if numbers.is_empty() {
        Vec::new()
    } else {
        SensorKind::all().filter(|k| set.contains(*k)).collect()
    })
}

fn group(given: &v1::ReadWindowsRequest) -> Result<(v1::WindowGroup, Group), Status> {
    let wanted = v1::WindowGroup::try_from(given.group)
        .map_err(|_unknown| invalid("group", format!("{} is not known", given.group)))?;
    let group = match wanted {
        v1::WindowGroup::Unspecified | v1::WindowGroup::Sensor => Group::Sensor,
        v1::WindowGroup::Cell => match u8::try_from(given.resolution) {
            Ok(0) => Group::Cell(9),
            Ok(resolution @ 1..=9) => Group::Cell(resolution),
            Ok(_) | Err(_) => {
                let problem = format!("{}; allowed: 0 (9), or 1 to 9", given.resolution);
                return Err(invalid("resolution", problem));
            }
        },
        v1::WindowGroup::Link | v1::WindowGroup::Place => Group::Key,
        v1::WindowGroup::All => Group::All,
    };
    Ok((wanted, group))
}

fn basis(answer: &Answer) -> v1::Basis {
    v1::Basis { through_epoch: answer.through().number(), left_out: answer.left_out().to_vec() }
}

/// Messages of an answer, a thousand rows each; the first one even if there are none.
fn messages<T: Send + 'static>(
    mut answer: Answer,
    message: impl Fn(Option<v1::Basis>, &RecordBatch) -> Result<T, Status> + Send + 'static,
) -> Messages<T> {
    let mut first = Some(basis(&answer));
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            let batch = match answer.next().await {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => {
                    drop(sender.send(Err(status(&error))).await);
                    return;
                }
            };
            for from in (0..batch.num_rows()).step_by(MESSAGE_ROWS) {
                let part = batch.slice(from, MESSAGE_ROWS.min(batch.num_rows() - from));
                if sender.send(message(first.take(), &part)).await.is_err() {
                    return;
                }
            }
        }
        if first.is_some() {
            let none = RecordBatch::new_empty(Arc::clone(answer.schema()));
            drop(sender.send(message(first, &none)).await);
        }
    });
    Box::pin(tokio_stream::wrappers::ReceiverStream::new(receiver))
}

/// A column in a type, whatever it is stored as.
fn column(
    batch: &RecordBatch,
    name: &str,
    of: &DataType,
) -> Result<arrow::array::ArrayRef, Status> {
    let broken = |error: arrow::error::ArrowError| Status::internal(format!("{name}: {error}"));
    let index = batch.schema().index_of(name).map_err(broken)?;
    cast(batch.column(index), of).map_err(broken)
}

fn texts(batch: &RecordBatch, name: &str) -> Result<Vec<String>, Status> {
    let texts = column(batch, name, &DataType::Utf8)?;
    Ok(texts.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn numbers(batch: &RecordBatch, name: &str) -> Result<Vec<f64>, Status> {
    Ok(column(batch, name, &DataType::Float64)?.as_primitive::<Float64Type>().values().to_vec())
}

fn counts(batch: &RecordBatch, name: &str) -> Result<Vec<u64>, Status> {
    Ok(column(batch, name, &DataType::UInt64)?.as_primitive::<UInt64Type>().values().to_vec())
}

fn times(batch: &RecordBatch, name: &str) -> Result<Vec<Timestamp>, Status> {
    let of = DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, Some("UTC".into()));
    let times = column(batch, name, &of)?;
    let times = times.as_primitive::<TimestampMillisecondType>().values();
    Ok(times.iter().map(|ms| wire::arrival_time(ArrivalTime::from_ms(*ms))).collect())
}

fn quantity(name: &str) -> i32 {
    Quantity::from_name(name).map_or(0, |quantity| i32::from(quantity.number()))
}

fn past_readings(batch: &RecordBatch) -> Result<Vec<v1::PastReading>, Status> {
    let (quantities, lateness) = (texts(batch, "quantity")?, texts(batch, "lateness")?);
    let (values, epochs) = (numbers(batch, "value")?, counts(batch, "epoch")?);
    let times = times(batch, "event_time")?;
    Ok((0..batch.num_rows())
        .map(|row| v1::PastReading {
            quantity: quantity(&quantities[row]),
            value: values[row],
            event_time: Some(times[row]),
            epoch: epochs[row],
            lateness: lateness[row].clone(),
        })
        .collect())
}

fn past_windows(batch: &RecordBatch, window_s: i64) -> Result<Vec<v1::PastWindow>, Status> {
    let (keys, quantities) = (texts(batch, "key")?, texts(batch, "quantity")?);
    let (starts, lasts) = (times(batch, "start")?, times(batch, "last_time")?);
    let (sensors, count) = (counts(batch, "sensors")?, counts(batch, "count")?);
    let [sum, min, max, last] = [
        numbers(batch, "sum")?,
        numbers(batch, "min")?,
        numbers(batch, "max")?,
        numbers(batch, "last")?,
    ];
    let closed = column(batch, "closed", &DataType::Boolean)?;
    Ok((0..batch.num_rows())
        .map(|row| v1::PastWindow {
            key: keys[row].clone(),
            quantity: quantity(&quantities[row]),
            start_time: Some(starts[row]),
            window_s,
            sensors: u32::try_from(sensors[row]).unwrap_or(u32::MAX),
            count: count[row],
            mean: sum[row] / count[row] as f64,
            sum: sum[row],
            min: min[row],
            max: max[row],
            last: last[row],
            last_time: Some(lasts[row]),
            closed: closed.as_boolean().value(row),
        })
        .collect())
}

#[tonic::async_trait]
impl HistoryCalls for HistoryService {
    type ReadSensorStream = Messages<v1::ReadSensorResponse>;
    type ReadWindowsStream = Messages<v1::ReadWindowsResponse>;

    async fn read_sensor(
        &self,
        request: Request<v1::ReadSensorRequest>,
    ) -> Result<Response<Self::ReadSensorStream>, Status> {
        let given = request.into_inner();
        let key = request::sensor_key("sensor", &given.sensor)?;
        if self.city.snapshot().sensors.find(&key).is_none() {
            return Err(Status::not_found(format!("sensor {key} was never registered")));
        }
        let terms = Terms {
            span: span(given.range.as_ref())?,
            quantities: quantities(&given.quantities)?,
            known_at: known_at(given.known_at.as_ref())?,
            limit: limit(given.limit)?,
            allow_partial: given.allow_partial,
        };
        let answer = self.history.ask(read::readings(&key, &terms)).await;
        Ok(Response::new(messages(answer.map_err(|error| status(&error))?, |basis, batch| {
            Ok(v1::ReadSensorResponse { basis, readings: past_readings(batch)? })
        })))
    }

    async fn read_windows(
        &self,
        request: Request<v1::ReadWindowsRequest>,
    ) -> Result<Response<Self::ReadWindowsStream>, Status> {
        let given = request.into_inner();
        let stored_ms = self.history.settings().window_ms;
        let window_ms = match given.window_s {
            0 => stored_ms,
            seconds => seconds.saturating_mul(1_000),
        };
        if window_ms <= 0 || window_ms % stored_ms != 0 {
            let stored = stored_ms as f64 / 1_000.0;
            let problem = format!("{}; allowed: multiples of {stored}", given.window_s);
            return Err(invalid("window_s", problem));
        }
        let (wanted, group) = group(&given)?;
        let terms = Terms {
            span: span(given.range.as_ref())?,
            quantities: quantities(&given.quantities)?,
            known_at: known_at(given.known_at.as_ref())?,
            limit: limit(given.limit)?,
            allow_partial: given.allow_partial,
        };
        let chosen = self.chosen(&given, wanted).await?;
        let kinds = kinds(&given.kinds)?;
        let question = read::windows(&WindowsWanted { terms, window_ms, group, kinds, chosen });
        let answer = self.history.ask(question).await.map_err(|error| status(&error))?;
        Ok(Response::new(messages(answer, move |basis, batch| {
            let windows = past_windows(batch, window_ms / 1_000)?;
            Ok(v1::ReadWindowsResponse { basis, windows })
        })))
    }

    async fn query_area_at(
        &self,
        request: Request<v1::QueryAreaAtRequest>,
    ) -> Result<Response<v1::QueryAreaAtResponse>, Status> {
        let given = request.into_inner();
        let time = event_time("event_time", given.event_time.as_ref())?;
        let moment = Moment {
            event_time: Some(time.ok_or_else(|| invalid("event_time", "is missing"))?),
            known_at: known_at(given.known_at.as_ref())?,
            allow_partial: given.allow_partial,
        };
        let query = v1::QueryAreaRequest {
            area: given.area,
            resolution: given.resolution,
            include_sensors: given.include_sensors,
            quantities: given.quantities,
            kinds: given.kinds,
        };
        let query: AreaQuery = request::area_query(query, self.city.places())?;
        let then = self.history.as_of(moment).await.map_err(|error| status(&error))?;
        let basis = v1::Basis { through_epoch: then.through.number(), left_out: then.left_out };
        let answer = move |snapshot: &Snapshot| query_area(snapshot, &query);
        let state = tokio::task::spawn_blocking(move || answer(&then.snapshot)).await;
        let state = state.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(v1::QueryAreaAtResponse { state: Some(state), basis: Some(basis) }))
    }
}
