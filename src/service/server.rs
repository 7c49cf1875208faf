//! The gRPC server: operator, planner, history, Arrow Flight SQL, health and reflection on
//! one port.

use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use citytwin_proto::FILE_DESCRIPTOR_SET;
use citytwin_proto::v1::history_server::HistoryServer;
use citytwin_proto::v1::operator_server::OperatorServer;
use citytwin_proto::v1::planner_server::PlannerServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::city::{City, State};
use super::flight::FlightSql;
use super::history::HistoryService;
use super::operator::OperatorService;
use super::planner::PlannerService;
use crate::history::History;
use crate::planner::Planner;

/// The services' full names, for health.
const OPERATOR: &str = "citytwin.v1.Operator";
const PLANNER: &str = "citytwin.v1.Planner";
const HISTORY: &str = "citytwin.v1.History";
/// Largest request to the planner: a scenario with all trips between some hundred zones.
const MAX_SCENARIO_BYTES: usize = 16 << 20;
/// How often health follows the state.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How often an idle connection is tried, so that a dead client's watch ends.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long open calls may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the server ended.
#[derive(Debug, Error)]
pub enum ServerError {
    /// Our own descriptors are broken.
    #[error("reflection cannot be set up")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// What health checks are told of a city. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Health {
    city: Arc<City>,
    reporter: HealthReporter,
}

impl Health {
    /// Of this city.
    pub fn new(city: Arc<City>) -> Health {
        Health { city, reporter: HealthReporter::new() }
    }

    /// Tells the state as it is now: `SERVING` only when readings are acknowledged and answers are
    /// of the present. Happens by itself every second; call it where nobody should wait for that.
    pub async fn tell(&self) {
        let status = match self.city.vitals().state {
            State::Serving => ServingStatus::Serving,
            State::Recovering | State::DiskFull | State::Failed => ServingStatus::NotServing,
        };
        for name in ["", OPERATOR, PLANNER, HISTORY] {
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Keeps telling.
    async fn follow(&self) -> std::convert::Infallible {
        let mut tick = tokio::time::interval(HEALTH_EVERY);
        loop {
            tick.tick().await;
            self.tell().await;
        }
    }
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Served {
    /// The city, and what health checks are told of it.
    pub health: Health,
    /// What if.
    pub planner: Arc<Planner>,
    /// The past; an engine without an archive has none.
    pub history: Option<Arc<History>>,
}

/// Serves until `shutdown` is cancelled; then watches end with `UNAVAILABLE` and other calls are
/// given five seconds to finish.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    served: Served,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let Served { health, planner, history } = served;
    health.tell().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let operator = OperatorService::new(Arc::clone(&health.city), shutdown.clone());
    let planner = PlannerServer::new(PlannerService::new(planner))
        .max_decoding_message_size(MAX_SCENARIO_BYTES);
    let past = history.as_ref().map(|history| {
        let past = HistoryService::new(Arc::clone(&health.city), Arc::clone(history));
        HistoryServer::new(past)
    });
    let flight = history.map(|history| FlightServiceServer::new(FlightSql::new(history)));
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .add_service(HealthServer::new(HealthService::from_health_reporter(
            health.reporter.clone(),
        )))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(OperatorServer::new(operator))
        .add_service(planner)
        .add_optional_service(past)
        .add_optional_service(flight)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.clone().cancelled_owned(),
        );
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = served => Ok(served?),
        () = drained => {
            tracing::warn!("gRPC calls that did not end in time were cut off");
            Ok(())
        }
        never = health.follow() => match never {},
    }
}
