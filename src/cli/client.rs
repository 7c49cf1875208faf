//! The connection to an engine, and the way an answer is shown.

use std::time::Duration;

use citytwin_proto::v1::operator_client::OperatorClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::args::ClientArgs;
use super::failure::Failure;
use super::output::Screen;
use crate::json::{self, Named};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest message taken: a whole city by sensor is some ten MiB.
const MAX_MESSAGE_BYTES: usize = 256 << 20;
/// How often an idle connection is tried, so that a dead engine is noticed by a watcher.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// A connected engine.
#[derive(Debug)]
pub struct Engine {
    operator: OperatorClient<Channel>,
    server: String,
    json: bool,
}

impl Engine {
    /// Connects.
    ///
    /// # Errors
    /// When the address is no URL or nobody answers there.
    pub async fn connect(args: &ClientArgs) -> Result<Engine, Failure> {
        let channel = connect(&args.engine.server).await?;
        let operator = OperatorClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Ok(Engine { operator, server: args.engine.server.clone(), json: args.json })
    }

    /// The API.
    pub fn operator(&mut self) -> &mut OperatorClient<Channel> {
        &mut self.operator
    }

    /// Whether answers are shown as JSON.
    pub fn json(&self) -> bool {
        self.json
    }

    /// What a refusal means.
    pub fn failure(&self, status: Status) -> Failure {
        Failure::of_status(status, &self.server)
    }

    /// Prints an answer: JSON if asked for, else as `human` does.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn show<M: Named>(
        &self,
        message: &M,
        screen: &mut Screen,
        human: impl FnOnce(&M, &mut Screen) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.json { screen.line(json::pretty(message)?) } else { human(message, screen) }
    }
}

/// Connects to an address.
///
/// # Errors
/// When it is no URL or nobody answers there.
pub async fn connect(server: &str) -> Result<Channel, Failure> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .ok()
        .filter(|endpoint| endpoint.uri().scheme_str() == Some("http"))
        .filter(|endpoint| endpoint.uri().host().is_some())
        .ok_or_else(|| {
            Failure::Usage(format!(
                "--server {server:?} is not allowed; allowed: http://HOST:PORT, such as \
                 http://127.0.0.1:50051"
            ))
        })?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| {
        let cause: &dyn std::error::Error = &error;
        Failure::Unreachable { server: server.to_owned(), reason: root(cause) }
    })
}

/// A request with a deadline, so that a hanging engine is told from a slow one.
pub fn within<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(30));
    request
}

fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
