//! Where scenarios are asked for: the planner of an engine, or, offline, one in this process with
//! nothing but a road network. Both are asked through the same API.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use citytwin_core::sensor::{SensorDescription, SensorKey};
use citytwin_core::time::{Epoch, TimeMode};
use citytwin_core::twin::Snapshot;
use citytwin_ingest::clock::{Clock, SystemClock};
use citytwin_proto::v1::planner_client::PlannerClient;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::Status;
use tonic::transport::Channel;

use crate::cli::args::ClientArgs;
use crate::cli::client;
use crate::cli::failure::Failure;
use crate::network;
use crate::planner::Planner;
use crate::service::{
    self, City, FolderId, Foundations, Health, Places, RegisterError, Registrar, Served, Vitals,
};

/// Largest message taken: a part of an outcome, or a comparison of all links.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// Runs at once without an engine: a scenario, and the city without its edits.
const RUNS: usize = 2;

/// A planner that can be asked.
#[derive(Debug)]
pub(in crate::cli) struct Desk {
    planner: PlannerClient<Channel>,
    server: String,
    _offline: Option<Offline>,
}

/// An engine without doors, as long as it is held.
#[derive(Debug)]
struct Offline {
    _folder: TempDir,
    _shutdown: DropGuard,
}

impl Desk {
    /// Of an engine.
    ///
    /// # Errors
    /// When nobody answers.
    pub(in crate::cli) async fn connect(args: &ClientArgs) -> Result<Desk, Failure> {
        let channel = client::connect(&args.engine.server).await?;
        Ok(Desk::over(channel, args.engine.server.clone(), None))
    }

    /// In this process, on a road network, with empty roads to begin with.
    ///
    /// # Errors
    /// When the network cannot be read.
    pub(super) async fn offline(network: &Path) -> Result<Desk, Failure> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (city, shutdown) = (empty_city(folder.path())?, CancellationToken::new());
        let planner = tokio::task::block_in_place(|| {
            let network = network::at_start(network)?;
            Planner::open(Arc::clone(&city), folder.path(), Some(network), RUNS)
                .context("the scenario has nowhere to run")
        })?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no free port")?;
        let server = format!("http://{}", listener.local_addr().context("a port")?);
        let (health, planner) = (Health::new(city), Arc::new(planner));
        let parts = Served { health, planner, history: None };
        tokio::spawn(service::serve(parts, listener, shutdown.clone()));
        let channel = client::connect(&server).await?;
        let offline = Offline { _folder: folder, _shutdown: shutdown.drop_guard() };
        Ok(Desk::over(channel, server, Some(offline)))
    }

    fn over(channel: Channel, server: String, offline: Option<Offline>) -> Desk {
        let planner = PlannerClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Desk { planner, server, _offline: offline }
    }

    /// The API: any number of calls at once.
    pub(in crate::cli) fn planner(&self) -> PlannerClient<Channel> {
        self.planner.clone()
    }

    /// What a refusal means.
    pub(in crate::cli) fn failure(&self, status: Status) -> Failure {
        Failure::of_status(status, &self.server)
    }
}

/// A city in which nothing was ever measured.
fn empty_city(folder: &Path) -> anyhow::Result<Arc<City>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    Ok(Arc::new(City::new(Foundations {
        snapshot: Arc::new(Snapshot::empty(TimeMode::Live, 0, 0)),
        places: Places::default(),
        folder: FolderId::of_folder(folder, clock.now())?,
        clock,
        vitals: Box::new(Vitals::default),
        registrar: Box::new(Nobody),
    })))
}

/// No door.
#[derive(Debug)]
struct Nobody;

#[tonic::async_trait]
impl Registrar for Nobody {
    async fn register(
        &self,
        _sensor: SensorKey,
        _description: SensorDescription,
    ) -> Result<Epoch, RegisterError> {
        Err(RegisterError("this engine has no door".to_owned()))
    }
}
