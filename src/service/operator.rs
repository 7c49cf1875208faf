//! The `Operator` service: each call takes the newest snapshot, asks it and writes the answer.
//!
//! Where answers are made: a query by cells or totals takes at most a few milliseconds and runs on
//! the calling task, since handing it to another thread and back costs more than most of them. An
//! answer that lists sensors can be a whole city (tens of milliseconds and of MiB): those run on
//! the blocking pool, a few at a time, so that no MQTT connection waits behind them and memory
//! stays bounded.

use std::sync::Arc;

use citytwin_core::time::Epoch;
use citytwin_core::twin::{AreaQuery, SensorFilter, SensorView, Snapshot};
use citytwin_proto::v1;
use citytwin_proto::v1::operator_server::Operator;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::city::City;
use super::request::{self, MAX_DEAD_LETTERS, MAX_PAGE, invalid};
use super::watch::{Messages, Watch};
use super::{token, wire};

/// Sensors of a page when the request does not say.
const DEFAULT_PAGE: i32 = 1_000;
/// Long answers made at once.
const LONG_ANSWERS: usize = 4;

/// The service.
#[derive(Clone, Debug)]
pub struct OperatorService {
    city: Arc<City>,
    shutdown: CancellationToken,
    long: Arc<Semaphore>,
}

impl OperatorService {
    /// Over a city; watches end when `shutdown` is cancelled.
    pub fn new(city: Arc<City>, shutdown: CancellationToken) -> OperatorService {
        OperatorService { city, shutdown, long: Arc::new(Semaphore::new(LONG_ANSWERS)) }
    }

    /// Makes a long answer from the newest snapshot.
    async fn long<T: Send + 'static>(
        &self,
        answer: impl FnOnce(&Snapshot) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let turn = Arc::clone(&self.long).acquire_owned().await;
        let turn = turn.expect("this semaphore is never closed");
        let snapshot = self.city.snapshot();
        let made = tokio::task::spawn_blocking(move || {
            let answer = answer(&snapshot);
            drop(turn);
            answer
        });
        made.await.map_err(|error| Status::internal(format!("the answer broke off: {error}")))
    }
}

/// The sensor with this id, or the refusal that names it.
fn sensor(snapshot: &Snapshot, text: &str) -> Result<SensorView, Status> {
    let key = request::sensor_key("sensor", text)?;
    snapshot.sensor(&key).ok_or_else(|| {
        Status::not_found(format!(
            "sensor {key} is not registered ({} are); ListSensors names all",
            snapshot.sensors.len()
        ))
    })
}

pub(super) fn query_area(snapshot: &Snapshot, query: &AreaQuery) -> v1::QueryAreaResponse {
    let answer = snapshot.area(query, None);
    v1::QueryAreaResponse {
        as_of: Some(wire::as_of(snapshot)),
        counts: Some(wire::counts(answer.counts)),
        totals: answer.totals.iter().map(wire::aggregate).collect(),
        traffic: answer.traffic.as_ref().map(wire::traffic),
        cells: answer.cells.iter().map(wire::cell).collect(),
        sensors: answer.sensors.iter().map(wire::sensor).collect(),
    }
}

/// The first id of a page, from its token.
fn page_begin(page_token: &str) -> Result<String, Status> {
    let first = token::page(page_token).map_err(|error| invalid("page_token", error))?;
    Ok(first.map(|key| key.to_string()).unwrap_or_default())
}

#[tonic::async_trait]
impl Operator for OperatorService {
    type WatchStream = Messages;

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let snapshot = self.city.snapshot();
        let vitals = self.city.vitals();
        Ok(Response::new(v1::GetStatusResponse {
            as_of: Some(wire::as_of(&snapshot)),
            state: vitals.state.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time: Some(wire::arrival_time(self.city.started())),
            counts: Some(wire::counts(snapshot.counts())),
            ledger: Some(wire::ledger(&snapshot.ledger_total())),
            readings_per_second: vitals.readings_per_second,
            frontier_lag_s: vitals.frontier_lag_s,
            durable_lag_s: vitals.durable_lag_s,
            archived_through_epoch: vitals.archived_through.number(),
            archive_bytes: vitals.archive_bytes,
            log_bytes: vitals.log_bytes,
            connections: vitals.connections,
            watchers: self.city.watchers(),
            resident_bytes: vitals.resident_bytes,
            shards: u32::try_from(snapshot.shards.len()).unwrap_or(u32::MAX),
            doors: vitals.doors,
        }))
    }

    async fn get_sensor(
        &self,
        request: Request<v1::GetSensorRequest>,
    ) -> Result<Response<v1::SensorState>, Status> {
        let snapshot = self.city.snapshot();
        let view = sensor(&snapshot, &request.get_ref().sensor)?;
        Ok(Response::new(v1::SensorState {
            ledger: Some(wire::ledger(&view.ledger)),
            as_of: Some(wire::as_of(&snapshot)),
            ..wire::sensor(&view)
        }))
    }

    async fn list_sensors(
        &self,
        request: Request<v1::ListSensorsRequest>,
    ) -> Result<Response<v1::ListSensorsResponse>, Status> {
        let given = request.into_inner();
        let filter = request::sensor_filter(&given)?;
        let limit = request::size("page_size", given.page_size, DEFAULT_PAGE, MAX_PAGE)?;
        let begin = page_begin(&given.page_token)?;
        let answer = self.long(move |snapshot| {
            let page = snapshot.page(&filter, &begin, limit);
            v1::ListSensorsResponse {
                sensors: page.sensors.iter().map(wire::sensor).collect(),
                next_page_token: page.next.map(|key| key.to_string()).unwrap_or_default(),
                as_of: Some(wire::as_of(snapshot)),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn register_sensor(
        &self,
        request: Request<v1::RegisterSensorRequest>,
    ) -> Result<Response<v1::RegisterSensorResponse>, Status> {
        let given = request.into_inner();
        let key = request::sensor_key("sensor", &given.sensor)?;
        let description = request::description(given.description.as_ref())?;
        let epoch: Epoch = self
            .city
            .registrar()
            .register(key, description)
            .await
            .map_err(|error| Status::unavailable(format!("cannot be registered: {error}")))?;
        Ok(Response::new(v1::RegisterSensorResponse {
            sensor: given.sensor,
            epoch: epoch.number(),
        }))
    }

    async fn query_area(
        &self,
        request: Request<v1::QueryAreaRequest>,
    ) -> Result<Response<v1::QueryAreaResponse>, Status> {
        let query = request::area_query(request.into_inner(), self.city.places())?;
        let answer = if query.include_sensors {
            self.long(move |snapshot| query_area(snapshot, &query)).await?
        } else {
            query_area(&self.city.snapshot(), &query)
        };
        Ok(Response::new(answer))
    }

    async fn nearest(
        &self,
        request: Request<v1::NearestRequest>,
    ) -> Result<Response<v1::NearestResponse>, Status> {
        let query = request::nearest_query(request.get_ref())?;
        let snapshot = self.city.snapshot();
        let neighbours = snapshot.nearest(&query).into_iter().map(|(view, distance_m)| {
            v1::Neighbour { sensor: Some(wire::sensor(&view)), distance_m }
        });
        Ok(Response::new(v1::NearestResponse {
            as_of: Some(wire::as_of(&snapshot)),
            neighbours: neighbours.collect(),
        }))
    }

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Messages>, Status> {
        let (city, shutdown) = (Arc::clone(&self.city), self.shutdown.clone());
        let watch = Watch::begin(city, request.into_inner(), shutdown).await?;
        Ok(Response::new(Messages::of(watch)))
    }

    async fn get_ledger(
        &self,
        request: Request<v1::GetLedgerRequest>,
    ) -> Result<Response<v1::GetLedgerResponse>, Status> {
        let given = request.into_inner();
        let snapshot = self.city.snapshot();
        if !given.sensor.is_empty() {
            let view = sensor(&snapshot, &given.sensor)?;
            return Ok(Response::new(v1::GetLedgerResponse {
                as_of: Some(wire::as_of(&snapshot)),
                sensors: vec![v1::SensorLedger {
                    sensor: given.sensor,
                    ledger: Some(wire::ledger(&view.ledger)),
                }],
                ..v1::GetLedgerResponse::default()
            }));
        }
        let limit = request::size("page_size", given.page_size, 0, MAX_PAGE)?;
        let begin = page_begin(&given.page_token)?;
        let answer = self.long(move |snapshot| {
            let page = (limit > 0).then(|| snapshot.page(&SensorFilter::default(), &begin, limit));
            let (sensors, next) = page.map(|page| (page.sensors, page.next)).unwrap_or_default();
            let sensors = sensors.iter().map(|view| v1::SensorLedger {
                sensor: view.registered.key.to_string(),
                ledger: Some(wire::ledger(&view.ledger)),
            });
            v1::GetLedgerResponse {
                as_of: Some(wire::as_of(snapshot)),
                total: Some(wire::ledger(&snapshot.ledger_total())),
                sensors: sensors.collect(),
                next_page_token: next.map(|key| key.to_string()).unwrap_or_default(),
                dead_letters: wire::dead_letter_counts(&snapshot.dead_letters),
            }
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_dead_letters(
        &self,
        request: Request<v1::ListDeadLettersRequest>,
    ) -> Result<Response<v1::ListDeadLettersResponse>, Status> {
        let limit = request::size("page_size", request.get_ref().page_size, 100, MAX_DEAD_LETTERS)?;
        let snapshot = self.city.snapshot();
        let newest = snapshot.dead_letters.newest().take(limit).map(wire::dead_letter);
        Ok(Response::new(v1::ListDeadLettersResponse { dead_letters: newest.collect() }))
    }

    async fn list_places(
        &self,
        _request: Request<v1::ListPlacesRequest>,
    ) -> Result<Response<v1::ListPlacesResponse>, Status> {
        let places = self.city.places().all().iter().map(wire::place).collect();
        Ok(Response::new(v1::ListPlacesResponse { places }))
    }
}
