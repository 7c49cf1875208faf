//! `citytwin history`: a sensor's readings, windows, and the city as of any second.

use citytwin_proto::v1;
use citytwin_proto::v1::history_client::HistoryClient;
use clap::{Args, Subcommand, ValueEnum};
use tonic::transport::Channel;

use super::args::{AreaArgs, ClientArgs, FilterArgs};
use super::client;
use super::failure::Failure;
use super::help;
use super::moments::{MomentArg, moment};
use super::output::Screen;
use super::show;
use crate::json::{self, Named};

/// Largest message taken: a whole city by sensor is some ten MiB.
pub(super) const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// `citytwin history`
#[derive(Clone, Debug, Subcommand)]
pub enum HistoryCommand {
    /// The readings of one sensor
    #[command(after_long_help = help::HISTORY_SENSOR)]
    Sensor(SensorArgs),
    /// Sums over windows of time, by sensor, cell, link, place or altogether
    #[command(after_long_help = help::HISTORY_WINDOWS)]
    Windows(Box<WindowsArgs>),
    /// The city as of any second, also as it was known at a time
    #[command(after_long_help = help::HISTORY_AT)]
    At(Box<AtArgs>),
}

/// When, and what was known.
#[derive(Args, Clone, Debug)]
pub struct SpanArgs {
    /// From this event time on: RFC 3339, local `2026-11-20 07:00`, or -2h
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    from: Option<MomentArg>,
    /// Up to, not including, this event time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    to: Option<MomentArg>,
    #[command(flatten)]
    known: KnownArgs,
    /// At most so many rows; 0: all
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: i64,
}

/// What was known.
#[derive(Args, Clone, Debug)]
pub struct KnownArgs {
    /// Only what had arrived by then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    known_at: Option<MomentArg>,
    /// Leave out files that are missing or damaged, and name them
    #[arg(long)]
    allow_partial: bool,
}

impl SpanArgs {
    fn range(&self) -> v1::TimeRange {
        v1::TimeRange {
            start_time: self.from.map(MomentArg::timestamp),
            end_time: self.to.map(MomentArg::timestamp),
        }
    }
}

/// `citytwin history sensor`
#[derive(Args, Clone, Debug)]
pub struct SensorArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Its id, agency/sensor
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

/// How windows are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Each sensor.
    Sensor,
    /// H3 cells; see --resolution.
    Cell,
    /// Road links.
    Link,
    /// Places of the places file.
    Place,
    /// Altogether.
    All,
}

/// `citytwin history windows`
#[derive(Args, Clone, Debug)]
pub struct WindowsArgs {
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    area: AreaArgs,
    #[command(flatten)]
    span: SpanArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Length of the windows, a multiple of the stored one; 0s: the stored one
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    window: std::time::Duration,
    /// What is put together
    #[arg(long, value_name = "WHAT", default_value = "all")]
    by: By,
    /// Resolution of cells
    #[arg(long, value_name = "1-9", default_value_t = 9)]
    resolution: i32,
}

/// `citytwin history at`
#[derive(Args, Clone, Debug)]
pub struct AtArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Which second: RFC 3339, local `2026-11-20 07:45`, or -2h
    #[arg(value_name = "TIME", allow_hyphen_values = true, value_parser = moment)]
    time: MomentArg,
    #[command(flatten)]
    area: AreaArgs,
    #[command(flatten)]
    known: KnownArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Break down by H3 cells of this resolution; 0: not
    #[arg(long, value_name = "0-10", default_value_t = 0)]
    resolution: i32,
    /// List the sensors too
    #[arg(long)]
    list: bool,
}

/// Asks about the past.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn run(command: &HistoryCommand, screen: &mut Screen) -> Result<(), Failure> {
    match command {
        HistoryCommand::Sensor(args) => sensor(args, screen).await,
        HistoryCommand::Windows(args) => windows(args, screen).await,
        HistoryCommand::At(args) => at(args, screen).await,
    }
}

async fn connect(args: &ClientArgs) -> Result<HistoryClient<Channel>, Failure> {
    let channel = client::connect(&args.engine.server).await?;
    Ok(HistoryClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

fn show<M: Named>(
    args: &ClientArgs,
    message: &M,
    screen: &mut Screen,
    human: impl FnOnce(&M, &mut Screen) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if args.json { screen.line(json::pretty(message)?) } else { human(message, screen) }
}

/// Says what an answer rests on, where that is not everything.
fn basis(basis: Option<&v1::Basis>, screen: &mut Screen) -> Result<(), Failure> {
    let left_out = basis.map(|basis| &basis.left_out[..]).unwrap_or_default();
    left_out.iter().try_for_each(|file| screen.line(format_args!("left out: {file}")))
}

async fn sensor(args: &SensorArgs, screen: &mut Screen) -> Result<(), Failure> {
    let request = v1::ReadSensorRequest {
        sensor: args.id.clone(),
        range: Some(args.span.range()),
        quantities: args.filter.quantity_numbers(),
        known_at: args.span.known.known_at.map(MomentArg::timestamp),
        limit: args.span.limit,
        allow_partial: args.span.known.allow_partial,
    };
    let refused = |status| Failure::of_status(status, &args.client.engine.server);
    let mut engine = connect(&args.client).await?;
    let mut messages = engine.read_sensor(request).await.map_err(refused)?.into_inner();
    let mut all = v1::ReadSensorResponse::default();
    while let Some(message) = messages.message().await.map_err(refused)? {
        all.basis = all.basis.or(message.basis);
        all.readings.extend(message.readings);
    }
    show(&args.client, &all, screen, |all, screen| {
        let rows = all.readings.iter().map(|reading| {
            vec![
                show::time(reading.event_time.as_ref()),
                show::quantity(reading.quantity).to_owned(),
                show::number(reading.value),
                reading.lateness.clone(),
            ]
        });
        screen.table(&["event time", "quantity", "value", "came"], rows.collect())?;
        basis(all.basis.as_ref(), screen)
    })
}

async fn windows(args: &WindowsArgs, screen: &mut Screen) -> Result<(), Failure> {
    let group = match args.by {
        By::Sensor => v1::WindowGroup::Sensor,
        By::Cell => v1::WindowGroup::Cell,
        By::Link => v1::WindowGroup::Link,
        By::Place => v1::WindowGroup::Place,
        By::All => v1::WindowGroup::All,
    };
    let request = v1::ReadWindowsRequest {
        area: Some(args.area.area()?),
        range: Some(args.span.range()),
        window_s: i64::try_from(args.window.as_secs()).unwrap_or(i64::MAX),
        group: group.into(),
        resolution: args.resolution,
        quantities: args.filter.quantity_numbers(),
        kinds: args.filter.kind_numbers(),
        known_at: args.span.known.known_at.map(MomentArg::timestamp),
        limit: args.span.limit,
        allow_partial: args.span.known.allow_partial,
    };
    let refused = |status| Failure::of_status(status, &args.client.engine.server);
    let mut engine = connect(&args.client).await?;
    let mut messages = engine.read_windows(request).await.map_err(refused)?.into_inner();
    let mut all = v1::ReadWindowsResponse::default();
    while let Some(message) = messages.message().await.map_err(refused)? {
        all.basis = all.basis.or(message.basis);
        all.windows.extend(message.windows);
    }
    show(&args.client, &all, screen, |all, screen| {
        let rows = all.windows.iter().map(|window| {
            vec![
                show::time(window.start_time.as_ref()),
                window.key.clone(),
                show::quantity(window.quantity).to_owned(),
                window.sensors.to_string(),
                window.count.to_string(),
                show::number(window.mean),
                show::number(window.min),
                show::number(window.max),
                if window.closed { String::new() } else { "runs".to_owned() },
            ]
        });
        let head = ["start", "key", "quantity", "sensors", "readings", "mean", "min", "max", ""];
        screen.table(&head, rows.collect())?;
        basis(all.basis.as_ref(), screen)
    })
}

async fn at(args: &AtArgs, screen: &mut Screen) -> Result<(), Failure> {
    let request = v1::QueryAreaAtRequest {
        area: Some(args.area.area()?),
        event_time: Some(args.time.timestamp()),
        known_at: args.known.known_at.map(MomentArg::timestamp),
        resolution: args.resolution,
        include_sensors: args.list,
        quantities: args.filter.quantity_numbers(),
        kinds: args.filter.kind_numbers(),
        allow_partial: args.known.allow_partial,
    };
    let refused = |status| Failure::of_status(status, &args.client.engine.server);
    let mut engine = connect(&args.client).await?;
    let answer = engine.query_area_at(request).await.map_err(refused)?.into_inner();
    show(&args.client, &answer, screen, |answer, screen| {
        show::area(answer.state.as_ref().unwrap_or(&v1::QueryAreaResponse::default()), screen)?;
        basis(answer.basis.as_ref(), screen)
    })
}
