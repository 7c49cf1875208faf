//! The commands that ask once: status, sensors, sensor, register, area, nearest, ledger,
//! dead-letters, places. Each builds the request, asks and shows the answer.

use citytwin_proto::ingest::v1::SensorDescription;
use citytwin_proto::v1;
use clap::Args;

use super::args::{AreaArgs, ClientArgs, FilterArgs, Health, numbers};
use super::client::{Engine, within};
use super::failure::Failure;
use super::output::Screen;
use super::show;

/// Sensors asked for in one page.
const PAGE: i32 = 5_000;

/// `citytwin sensors`
#[derive(Args, Clone, Debug)]
pub struct SensorsArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Only sensors of these kinds, such as traffic_loop,air_station
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = super::args::kind)]
    kinds: Vec<citytwin_core::sensor::SensorKind>,
    /// Only sensors that are doing so
    #[arg(long, value_name = "HEALTH")]
    health: Option<Health>,
    /// Only sensors of this agency
    #[arg(long, default_value = "", hide_default_value = true)]
    agency: String,
    /// At most so many; 0: all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// `citytwin sensor`
#[derive(Args, Clone, Debug)]
pub struct SensorArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Its id, agency/sensor
    #[arg(value_name = "ID")]
    id: String,
}

/// `citytwin register`
#[derive(Args, Clone, Debug)]
pub struct RegisterArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Its id, agency/sensor
    #[arg(value_name = "ID")]
    id: String,
    /// What it is, such as traffic_loop
    #[arg(long, value_parser = super::args::kind)]
    kind: citytwin_core::sensor::SensorKind,
    /// Where it stands, in degrees
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true, value_parser = numbers::<2>)]
    at: [f64; 2],
    /// How often it reports; silent after three times this
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = humantime::parse_duration)]
    interval: std::time::Duration,
    /// A name for people
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// The road link it watches
    #[arg(long, default_value = "", hide_default_value = true)]
    link: String,
    /// Lane on that link, 1 = kerb side, 0 = all
    #[arg(long, default_value_t = 0)]
    lane: u32,
    /// Industrial zone or ward
    #[arg(long, default_value = "", hide_default_value = true)]
    zone: String,
    /// Free-flow speed of the link in km/h; 0 = unknown
    #[arg(long, value_name = "KMH", default_value_t = 0.0)]
    free_flow_speed_kmh: f64,
    /// Lanes of the link; 0 = unknown
    #[arg(long, default_value_t = 0)]
    lanes: u32,
}

/// `citytwin area`
#[derive(Args, Clone, Debug)]
pub struct AreaQueryArgs {
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    area: AreaArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Break down by H3 cells of this resolution; 0: not
    #[arg(long, value_name = "0-10", default_value_t = 0)]
    resolution: i32,
    /// List the sensors too
    #[arg(long)]
    list: bool,
}

/// `citytwin nearest`
#[derive(Args, Clone, Debug)]
pub struct NearestArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// The point, in degrees
    #[arg(value_name = "LAT,LON", allow_hyphen_values = true, value_parser = numbers::<2>)]
    point: [f64; 2],
    /// How many
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit: i32,
    /// No further than this, in metres; 0: no limit
    #[arg(long, value_name = "METRES", default_value_t = 0.0)]
    max_distance_m: f64,
    /// Only sensors of these kinds
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = super::args::kind)]
    kinds: Vec<citytwin_core::sensor::SensorKind>,
}

/// `citytwin ledger`
#[derive(Args, Clone, Debug)]
pub struct LedgerArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// One sensor, agency/sensor; left out: the total
    #[arg(value_name = "ID", default_value = "", hide_default_value = true)]
    id: String,
    /// Every sensor's entry too
    #[arg(long, conflicts_with = "id")]
    all: bool,
}

/// `citytwin dead-letters`
#[derive(Args, Clone, Debug)]
pub struct DeadLettersArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// How many of the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: i32,
}

/// Asks for the engine's health.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn status(args: &ClientArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(args).await?;
    let answer = engine.operator().get_status(within(v1::GetStatusRequest {})).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::status)
}

/// Asks for sensors, page by page.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn sensors(args: &SensorsArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let mut all = v1::ListSensorsResponse::default();
    let limit = if args.limit == 0 { usize::MAX } else { args.limit };
    loop {
        let missing = i32::try_from(limit - all.sensors.len()).unwrap_or(PAGE);
        let request = v1::ListSensorsRequest {
            page_size: missing.min(PAGE),
            page_token: all.next_page_token,
            kinds: args.kinds.iter().map(|kind| i32::from(kind.number())).collect(),
            health: args.health.map_or(0, Health::number),
            agency: args.agency.clone(),
        };
        let page = engine.operator().list_sensors(within(request)).await;
        let mut page = page.map_err(|status| engine.failure(status))?.into_inner();
        all.sensors.append(&mut page.sensors);
        all.next_page_token = page.next_page_token;
        all.as_of = page.as_of;
        if all.next_page_token.is_empty() || all.sensors.len() >= limit {
            break;
        }
    }
    engine.show(&all, screen, |all, screen| {
        show::sensors(&all.sensors, screen)?;
        if all.next_page_token.is_empty() {
            return Ok(());
        }
        screen.line(format_args!("… and more; --limit 0 shows all"))
    })
}

/// Asks for one sensor.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn sensor(args: &SensorArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let request = v1::GetSensorRequest { sensor: args.id.clone() };
    let answer = engine.operator().get_sensor(within(request)).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::sensor)
}

/// Registers a sensor or changes its description.
///
/// # Errors
/// When the engine cannot be asked, refuses, or the answer cannot be written.
pub async fn register(args: &RegisterArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let [latitude_deg, longitude_deg] = args.at;
    let description = SensorDescription {
        kind: i32::from(args.kind.number()),
        latitude_deg,
        longitude_deg,
        expected_interval_ms: i64::try_from(args.interval.as_millis()).unwrap_or(i64::MAX),
        name: args.name.clone(),
        link: args.link.clone(),
        lane: args.lane,
        zone: args.zone.clone(),
        free_flow_speed_kmh: args.free_flow_speed_kmh,
        lanes: args.lanes,
    };
    let request =
        v1::RegisterSensorRequest { sensor: args.id.clone(), description: Some(description) };
    let answer = engine.operator().register_sensor(within(request)).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, |answer, screen| {
        screen.line(format_args!("{} is registered (epoch {})", answer.sensor, answer.epoch))
    })
}

/// Asks for the live state of an area.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn area(args: &AreaQueryArgs, screen: &mut Screen) -> Result<(), Failure> {
    let request = v1::QueryAreaRequest {
        area: Some(args.area.area()?),
        resolution: args.resolution,
        include_sensors: args.list,
        quantities: args.filter.quantity_numbers(),
        kinds: args.filter.kind_numbers(),
    };
    let mut engine = Engine::connect(&args.client).await?;
    let answer = engine.operator().query_area(within(request)).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::area)
}

/// Asks for the sensors nearest to a point.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn nearest(args: &NearestArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let [latitude_deg, longitude_deg] = args.point;
    let request = v1::NearestRequest {
        point: Some(v1::Point { latitude_deg, longitude_deg }),
        limit: args.limit,
        max_distance_m: args.max_distance_m,
        kinds: args.kinds.iter().map(|kind| i32::from(kind.number())).collect(),
    };
    let answer = engine.operator().nearest(within(request)).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::nearest)
}

/// Asks what became of every reading.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn ledger(args: &LedgerArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let mut all: Option<v1::GetLedgerResponse> = None;
    loop {
        let request = v1::GetLedgerRequest {
            sensor: args.id.clone(),
            page_size: if args.all { PAGE } else { 0 },
            page_token: all.as_ref().map(|all| all.next_page_token.clone()).unwrap_or_default(),
        };
        let page = engine.operator().get_ledger(within(request)).await;
        let mut page = page.map_err(|status| engine.failure(status))?.into_inner();
        // The total is the last page's; the sensors are those of all pages.
        let mut sensors = all.map(|all| all.sensors).unwrap_or_default();
        sensors.append(&mut page.sensors);
        page.sensors = sensors;
        let done = page.next_page_token.is_empty();
        all = Some(page);
        if done {
            break;
        }
    }
    engine.show(&all.unwrap_or_default(), screen, show::ledgers)
}

/// Asks for the newest messages that could not be taken.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn dead_letters(args: &DeadLettersArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(&args.client).await?;
    let request = v1::ListDeadLettersRequest { page_size: args.limit };
    let answer = engine.operator().list_dead_letters(within(request)).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::dead_letters)
}

/// Asks for the named places.
///
/// # Errors
/// When the engine cannot be asked or the answer not be written.
pub async fn places(args: &ClientArgs, screen: &mut Screen) -> Result<(), Failure> {
    let mut engine = Engine::connect(args).await?;
    let answer = engine.operator().list_places(within(v1::ListPlacesRequest {})).await;
    let answer = answer.map_err(|status| engine.failure(status))?.into_inner();
    engine.show(&answer, screen, show::places)
}
