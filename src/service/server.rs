//! The gRPC server: the operator service, health and reflection on one port.

use std::sync::Arc;
use std::time::Duration;

use citytwin_proto::FILE_DESCRIPTOR_SET;
use citytwin_proto::v1::operator_server::OperatorServer;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::city::{City, State};
use super::operator::OperatorService;

/// The service's full name, for health.
const OPERATOR: &str = "citytwin.v1.Operator";
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

/// Serves until `shutdown` is cancelled; then watches end with `UNAVAILABLE` and other calls are
/// given five seconds to finish.
///
/// # Errors
/// When the transport fails.
pub async fn serve(
    city: Arc<City>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), ServerError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    report(&city, &reporter).await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let operator = OperatorService::new(Arc::clone(&city), shutdown.clone());
    let served = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(OperatorServer::new(operator))
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
        never = follow(&city, &reporter) => match never {},
    }
}

/// Keeps health as the state is.
async fn follow(city: &City, reporter: &HealthReporter) -> std::convert::Infallible {
    let mut tick = tokio::time::interval(HEALTH_EVERY);
    loop {
        tick.tick().await;
        report(city, reporter).await;
    }
}

/// `SERVING` only when readings are acknowledged and answers are of the present.
async fn report(city: &City, reporter: &HealthReporter) {
    let status = match city.vitals().state {
        State::Serving => ServingStatus::Serving,
        State::Recovering | State::DiskFull | State::Failed => ServingStatus::NotServing,
    };
    for name in ["", OPERATOR] {
        reporter.set_service_status(name, status).await;
    }
}
