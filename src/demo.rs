//! `citytwin demo`: a generated city over Ho Chi Minh City, its sensors, and the engine they report
//! to. The city enters through the doors that a real one would use: its sensors are registered from
//! a GeoJSON file, its places read from another, its roads from GMNS tables, its readings come in
//! over MQTT.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use citytwin_ingest::clock::{Clock as _, SystemClock};
use citytwin_simulators::city::{City, files};
use citytwin_simulators::fleet::Fleet;
use citytwin_simulators::publish::ServerUrl;
use citytwin_simulators::simulate::{Finished, Register, SimulateError, SimulateOptions, simulate};
use citytwin_simulators::spec::FleetSpec;
use tokio_util::sync::CancellationToken;

use crate::cli::failure::Failure;
use crate::cli::output::Screen;
use crate::config::Config;
use crate::pipeline::Pipeline;
use crate::serve::{announce, say_kept, stop_signal};
use crate::statusline::{self, StatusLine};

/// Which city.
#[derive(Clone, Copy, Debug)]
pub struct DemoOptions {
    /// Simulated sensors.
    pub sensors: u32,
    /// The same seed gives the same city and the same fleet.
    pub seed: u64,
}

/// Runs until SIGINT or SIGTERM, then drains, archives and writes a checkpoint.
///
/// # Errors
/// When something cannot start, or the log or the archive fails.
pub async fn demo(
    mut config: Config,
    options: DemoOptions,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let fleet = found(&mut config, options)?;
    let mut pipeline = Pipeline::start(&config).await?;
    announce(&config, &pipeline, screen)?;
    screen.line(format_args!(
        "city of {} simulated sensors, described in {}; Ctrl-C ends it",
        options.sensors,
        config.data.join("city").display()
    ))?;
    screen.line("ready")?;
    let shutdown = CancellationToken::new();
    let mut simulation = tokio::spawn(publish(fleet, &pipeline, shutdown.clone())?);
    let failure = watch_over(&mut pipeline, &mut simulation, screen).await;
    shutdown.cancel();
    if !simulation.is_finished() {
        drop(simulation.await);
    }
    let kept = pipeline.stop().await;
    failure?;
    say_kept(&config, &kept?, screen)
}

/// Generates the city and writes it where the engine will read it.
fn found(config: &mut Config, options: DemoOptions) -> anyhow::Result<Fleet> {
    let spec = FleetSpec { sensors: options.sensors, seed: options.seed, ..FleetSpec::default() };
    let city = City::generate(options.seed);
    let fleet = Fleet::new(&spec, &city)?;
    let folder = config.data.join("city");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    files::write(&folder, &city, fleet.sensors())?;
    config.sensors.push(folder.join("sensors.geojson"));
    config.places.get_or_insert_with(|| folder.join("places.geojson"));
    config.network.get_or_insert_with(|| folder.join("network"));
    Ok(fleet)
}

/// The fleet's run against our own endpoint.
fn publish(
    fleet: Fleet,
    pipeline: &Pipeline,
    shutdown: CancellationToken,
) -> anyhow::Result<impl Future<Output = Result<Finished, SimulateError>> + Send + 'static> {
    let mqtt = pipeline.addresses().mqtt.context("the demo needs the MQTT endpoint")?;
    let server: ServerUrl = format!("mqtt://{mqtt}").parse()?;
    let clock = Arc::new(SystemClock::new());
    let mut options = SimulateOptions::new(server, Arc::new(move || clock.now().ms()));
    options.register = Register::None;
    Ok(async move { simulate(&fleet, &options, &shutdown).await })
}

/// Shows the status line until somebody says stop or something fails.
async fn watch_over(
    pipeline: &mut Pipeline,
    simulation: &mut tokio::task::JoinHandle<Result<Finished, SimulateError>>,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let line = StatusLine::new();
    let (city, rooms) = (Arc::clone(pipeline.city()), Arc::clone(pipeline.rooms()));
    let mut tick = tokio::time::interval(line.every());
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let ended = loop {
        tokio::select! {
            _ = tick.tick() => line.show(statusline::text(&city, &rooms), screen)?,
            () = &mut stop => break Ok(()),
            failure = pipeline.failed() => break Err(failure.into()),
            finished = &mut *simulation => break Err(match finished {
                Ok(Ok(_)) => anyhow!("the fleet has ended by itself"),
                Ok(Err(error)) => anyhow::Error::from(error).context("the fleet has ended"),
                Err(panic) => anyhow::Error::from(panic).context("the fleet has ended"),
            }.into()),
        }
    };
    line.clear();
    ended
}
