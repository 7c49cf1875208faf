//! What the command line takes: one struct for each group of flags, turned into what the API or
//! the configuration understands. No command's work is here.

use std::path::PathBuf;

use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::SensorKind;
use citytwin_proto::v1;
use clap::{Args, ValueEnum, ValueHint};

use crate::config::Flags;
use crate::config::keys::nearest;

use super::failure::Failure;
use super::shapes;

/// Configuration by flags; every other key by `--set`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// TOML file to read [env: CITYTWIN_CONFIG]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Set any key, `--set twin.window=30s`; `citytwin config show` lists all
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// Folder of the log, the checkpoints and the archive
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<String>,
    /// File of sensors to register at the start (.csv, .geojson); may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub register: Vec<String>,
    /// GeoJSON file of named places
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub places: Option<String>,
    /// Road network for scenarios: GMNS folder or OpenStreetMap extract (.osm.pbf)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub network: Option<String>,
    /// Where the MQTT endpoint listens
    #[arg(long, value_name = "IP:PORT", alias = "mqtt-listen")]
    pub endpoint_listen: Option<String>,
    /// No MQTT endpoint: take readings from the broker only
    #[arg(long)]
    pub no_endpoint: bool,
    /// Broker to take readings from as well, mqtt://HOST:PORT or mqtts://USER:PASSWORD@HOST:PORT
    #[arg(long, value_name = "URL")]
    pub broker: Option<String>,
    /// Where the gRPC API listens
    #[arg(long, value_name = "IP:PORT")]
    pub grpc_listen: Option<String>,
    /// Where Prometheus fetches /metrics; empty: nowhere
    #[arg(long, value_name = "IP:PORT")]
    pub metrics_listen: Option<String>,
    /// live, or event for recorded data
    #[arg(long, value_name = "MODE")]
    pub time: Option<String>,
    /// Threads of the dataflow
    #[arg(long, value_name = "N")]
    pub workers: Option<String>,
    /// What is logged: error, warn, info, debug, trace, or per module
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// How it is logged: auto, human, json
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<String>,
}

impl ConfigArgs {
    /// As the configuration wants them. Named flags beat `--set`.
    pub fn flags(&self) -> Flags {
        let mut values: Vec<(String, String, String)> = Vec::new();
        let mut say = |flag: &str, key: &str, value: &str| {
            values.push((flag.to_owned(), key.to_owned(), value.to_owned()));
        };
        for (key, value) in &self.set {
            say("--set", key, value);
        }
        let named = [
            ("--data", "data", &self.data),
            ("--places", "places", &self.places),
            ("--network", "network", &self.network),
            ("--endpoint-listen", "endpoint.listen", &self.endpoint_listen),
            ("--broker", "broker.url", &self.broker),
            ("--grpc-listen", "grpc.listen", &self.grpc_listen),
            ("--metrics-listen", "metrics.listen", &self.metrics_listen),
            ("--time", "twin.time", &self.time),
            ("--workers", "twin.workers", &self.workers),
            ("--log-level", "telemetry.level", &self.log_level),
            ("--log-format", "telemetry.format", &self.log_format),
        ];
        for (flag, key, value) in named {
            if let Some(value) = value {
                say(flag, key, value);
            }
        }
        if !self.register.is_empty() {
            say("--register", "sensors", &self.register.join(","));
        }
        if self.no_endpoint {
            say("--no-endpoint", "endpoint.enabled", "false");
        }
        Flags { file: self.config.clone(), values }
    }
}

/// Which engine to ask.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Engine to ask")]
pub struct EngineArgs {
    /// Address of its gRPC API
    #[arg(
        long,
        env = "CITYTWIN_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:50051"
    )]
    pub server: String,
}

/// Which engine to ask, and how to show the answer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Engine to ask")]
pub struct ClientArgs {
    /// Which engine
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print the API's message as protobuf JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Which sensors and quantities an answer rests on.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filter")]
pub struct FilterArgs {
    /// Only sensors of these kinds, such as traffic_loop,air_station
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',', value_parser = kind)]
    pub kinds: Vec<SensorKind>,
    /// Only these quantities, such as speed_kmh,pm25_ug_m3
    #[arg(long = "quantity", value_name = "QUANTITY", value_delimiter = ',', value_parser = quantity)]
    pub quantities: Vec<Quantity>,
}

impl FilterArgs {
    /// Kinds by their wire numbers.
    pub fn kind_numbers(&self) -> Vec<i32> {
        self.kinds.iter().map(|kind| i32::from(kind.number())).collect()
    }

    /// Quantities by their wire numbers.
    pub fn quantity_numbers(&self) -> Vec<i32> {
        self.quantities.iter().map(|quantity| i32::from(quantity.number())).collect()
    }
}

/// An area: exactly one shape.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Area (one of)")]
pub struct AreaArgs {
    #[command(flatten)]
    shape: ShapeArgs,
    /// Half the width of the corridor, in metres
    #[arg(long, value_name = "METRES", requires = "corridor", conflicts_with_all = ["bbox", "circle", "polygon", "cell", "place", "everywhere"])]
    buffer_m: Option<f64>,
}

#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
struct ShapeArgs {
    /// Box: south, west, north and east in degrees
    #[arg(long, value_name = "S,W,N,E", allow_hyphen_values = true, value_parser = numbers::<4>)]
    bbox: Option<[f64; 4]>,
    /// Circle: centre in degrees and radius in metres
    #[arg(long, value_name = "LAT,LON,RADIUS_M", allow_hyphen_values = true, value_parser = numbers::<3>)]
    circle: Option<[f64; 3]>,
    /// Polygons of a GeoJSON file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    polygon: Option<PathBuf>,
    /// H3 cells of any resolution, hexadecimal
    #[arg(long, value_name = "HEX[,HEX]", value_delimiter = ',')]
    cell: Vec<String>,
    /// A place of the engine's places file, by name or id (see `citytwin places`)
    #[arg(long, value_name = "NAME")]
    place: Option<String>,
    /// A line of a GeoJSON file and everything within --buffer-m of it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "buffer_m")]
    corridor: Option<PathBuf>,
    /// The whole city
    #[arg(long)]
    everywhere: bool,
}

impl AreaArgs {
    /// As the API wants it.
    ///
    /// # Errors
    /// When a GeoJSON file cannot be read or holds no such shape.
    pub fn area(&self) -> Result<v1::Area, Failure> {
        use v1::area::Shape;
        let given = &self.shape;
        let shape = if let Some([south_deg, west_deg, north_deg, east_deg]) = given.bbox {
            Shape::Box(v1::Box { south_deg, west_deg, north_deg, east_deg })
        } else if let Some([latitude_deg, longitude_deg, radius_m]) = given.circle {
            let center = Some(v1::Point { latitude_deg, longitude_deg });
            Shape::Circle(v1::Circle { center, radius_m })
        } else if let Some(path) = &given.polygon {
            Shape::Polygon(shapes::polygon(path)?)
        } else if let Some(place) = &given.place {
            Shape::Place(place.clone())
        } else if let Some(path) = &given.corridor {
            let buffer_m = self.buffer_m.unwrap_or_default();
            Shape::Corridor(v1::Corridor { line: shapes::line(path)?, buffer_m })
        } else if given.cell.is_empty() {
            Shape::Everywhere(v1::Everywhere {})
        } else {
            Shape::Cells(v1::CellSet { cells: given.cell.clone() })
        };
        Ok(v1::Area { shape: Some(shape) })
    }
}

/// How a sensor is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Health {
    /// Registered, never heard.
    NeverHeard,
    /// Reporting, and its values move.
    Live,
    /// Nothing for three expected intervals.
    Silent,
    /// Reporting, but a value has not moved for longer than is credible.
    Stuck,
}

impl Health {
    /// Its wire number.
    pub fn number(self) -> i32 {
        let health = match self {
            Health::NeverHeard => v1::SensorHealth::NeverHeard,
            Health::Live => v1::SensorHealth::Live,
            Health::Silent => v1::SensorHealth::Silent,
            Health::Stuck => v1::SensorHealth::Stuck,
        };
        health.into()
    }
}

/// `KEY=VALUE`.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err("allowed: KEY=VALUE, such as twin.window=30s".to_owned()),
    }
}

/// A kind by name.
pub(super) fn kind(text: &str) -> Result<SensorKind, String> {
    SensorKind::from_name(text)
        .ok_or_else(|| unknown("kind", text, SensorKind::all().map(SensorKind::name)))
}

pub(super) fn quantity(text: &str) -> Result<Quantity, String> {
    Quantity::from_name(text)
        .ok_or_else(|| unknown("quantity", text, Quantity::all().map(Quantity::name)))
}

fn unknown(what: &str, text: &str, known: impl Iterator<Item = &'static str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(text, known.iter().copied()) {
        Some(name) => format!("no such {what}, did you mean {name}?"),
        None => format!("no such {what}; allowed: {}", known.join(", ")),
    }
}

/// `N` numbers with commas between.
pub(super) fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    numbers
        .map_err(|error| error.to_string())
        .and_then(|numbers| {
            let count = numbers.len();
            <[f64; N]>::try_from(numbers).map_err(|_given| format!("has {count} numbers"))
        })
        .map_err(|why| format!("{why}; allowed: {N} numbers with commas between"))
}
