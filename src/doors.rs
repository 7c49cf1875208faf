//! Opens the doors that the configuration asks for, and closes them first when the engine stops.

use std::sync::Arc;

use anyhow::Result;
use citytwin_ingest::broker::Broker;
use citytwin_ingest::endpoint::Endpoint;
use citytwin_ingest::intake::Intake;
use tokio::sync::mpsc;

use crate::config::Config;
use crate::pipeline::Background;
use crate::rooms::Rooms;

/// The open doors.
#[derive(Debug)]
pub(crate) struct Doors {
    background: Background,
}

impl Doors {
    /// Opens them all; `instance` differs from start to start.
    ///
    /// # Errors
    /// When a port or a file is not to be had.
    pub(crate) async fn open(
        config: &Config,
        intake: &Intake,
        rooms: &Rooms,
        instance: u64,
        failing: mpsc::Sender<anyhow::Error>,
    ) -> Result<Doors> {
        let mut doors = Doors { background: Background::new(failing) };
        if let Some(settings) = config.endpoint_settings(instance) {
            let endpoint = Arc::new(Endpoint::bind(settings, intake.clone()).await?);
            drop(rooms.endpoint.set(Arc::clone(&endpoint)));
            let shutdown = doors.background.shutdown.clone();
            doors.background.tasks.spawn(async move { endpoint.run(shutdown).await });
        }
        if let Some(settings) = config.broker_settings()? {
            let url = settings.url.clone();
            let broker = Broker::new(settings, intake.clone())?;
            drop(rooms.broker.set((url, broker.status())));
            let (shutdown, failing) =
                (doors.background.shutdown.clone(), doors.background.failing.clone());
            doors.background.tasks.spawn(async move {
                if let Err(error) = broker.run(shutdown).await {
                    drop(failing.try_send(error.into()));
                }
            });
        }
        Ok(doors)
    }

    /// Takes nothing more, sends the acknowledgements that are due, hangs up.
    pub(crate) async fn close(&mut self) {
        self.background.close().await;
    }
}
