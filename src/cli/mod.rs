//! The command line: what there is to type, what it does in one line each, and the exit codes.
//! Commands that ask an engine are clients of its gRPC API ([`query`], [`watch`]); commands that
//! run something hand the checked configuration to the room that does it.

pub mod archive;
pub mod args;
pub mod assign;
pub mod check;
pub mod client;
pub mod failure;
pub mod help;
pub mod history;
pub mod moments;
pub mod network;
pub mod opendata;
pub mod output;
pub mod query;
pub mod replay;
pub mod roads;
pub mod scenario;
pub mod settings;
pub mod shapes;
pub mod show;
pub mod simulate;
pub mod sql;
pub mod watch;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{Config, Environment, Flags};
use crate::telemetry;

use crate::demo::{self, DemoOptions};
use crate::serve;
use args::{ClientArgs, ConfigArgs};
use failure::{EXIT_CODES, Failure};
use output::Screen;

/// A living digital twin of a city: MQTT in, H3-indexed state in memory, Parquet on disk, gRPC out
#[derive(Debug, Parser)]
#[command(name = "citytwin", version, after_help = EXIT_CODES, after_long_help = help::ALL)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole city: an engine and a fleet of simulated sensors
    #[command(after_long_help = help::DEMO)]
    Demo(DemoArgs),
    /// Run an engine for real sensors
    #[command(after_long_help = help::SERVE)]
    Serve(ConfigArgs),
    /// Run a fleet of simulated sensors against an engine or a broker
    #[command(after_long_help = help::SIMULATE)]
    Simulate(Box<simulate::SimulateArgs>),
    /// Send recorded data (CSV, Parquet, an engine's archive) through MQTT
    #[command(after_long_help = help::REPLAY)]
    Replay(Box<replay::ReplayArgs>),
    /// Check the configuration, the data folder, the broker, the ports and the clock
    #[command(after_long_help = help::CHECK)]
    Check(CheckArgs),
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Show the engine's health
    #[command(after_long_help = help::STATUS)]
    Status(ClientArgs),
    /// List sensors
    #[command(after_long_help = help::SENSORS)]
    Sensors(query::SensorsArgs),
    /// Show one sensor: description, latest readings, ledger
    #[command(after_long_help = help::SENSOR)]
    Sensor(query::SensorArgs),
    /// Register a sensor, or change its description
    #[command(after_long_help = help::REGISTER)]
    Register(query::RegisterArgs),
    /// Show the live state of an area
    #[command(after_long_help = help::AREA)]
    Area(query::AreaQueryArgs),
    /// Show the sensors nearest to a point
    #[command(after_long_help = help::NEAREST)]
    Nearest(query::NearestArgs),
    /// Follow an area as it changes
    #[command(after_long_help = help::WATCH)]
    Watch(watch::WatchArgs),
    /// Show what became of every reading
    #[command(after_long_help = help::LEDGER)]
    Ledger(query::LedgerArgs),
    /// Show the newest messages that could not be taken
    #[command(after_long_help = help::DEAD_LETTERS)]
    DeadLetters(query::DeadLettersArgs),
    /// List the places an area may name
    Places(ClientArgs),
    /// Ask about the past: a sensor, windows, the city as of any second
    #[command(subcommand, after_long_help = help::HISTORY)]
    History(history::HistoryCommand),
    /// Ask in SQL, once or in a shell
    #[command(after_long_help = help::SQL)]
    Sql(sql::SqlArgs),
    /// Look at the archive
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Write what a city can publish
    #[command(subcommand)]
    Export(opendata::ExportCommand),
    /// Solve the user equilibrium of a road network, without an engine
    #[command(after_long_help = help::ASSIGN)]
    Assign(Box<assign::AssignArgs>),
    /// Read, check, show and write road networks
    #[command(subcommand, after_long_help = help::NETWORK)]
    Network(network::NetworkCommand),
    /// Ask what if: close, flood, retime, add, and see what comes of it
    #[command(subcommand, after_long_help = help::SCENARIO)]
    Scenario(scenario::ScenarioCommand),
    /// Print the completions of a shell
    #[command(after_long_help = help::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// `citytwin demo`
#[derive(clap::Args, Clone, Debug)]
pub struct DemoArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// How many simulated sensors
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sensors: u32,
    /// Seed of the fleet: the same seed gives the same city
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `citytwin check`
#[derive(clap::Args, Clone, Debug)]
pub struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Cut a damaged log at the last whole frame before the damage; what follows is lost
    #[arg(long)]
    repair: bool,
}

/// `citytwin config`
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Every key with its value and where it came from
    #[command(after_long_help = help::CONFIG_SHOW)]
    Show {
        /// What is set
        #[command(flatten)]
        config: Box<ConfigArgs>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// An example file with every key explained
    Example,
}

/// The whole program: parses the command line, does the work, says how it ended.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    let cli = Cli::parse();
    let mut screen = Screen::stdout(environment.no_color());
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(cli.command, &environment, &mut screen)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            let told =
                Screen::stderr(environment.no_color()).line(format_args!("error: {failure}"));
            // Standard error is gone: nobody is left to tell, the exit code says it.
            told.map_or_else(|_gone| failure.code(), |()| failure.code())
        }
    }
}

async fn run(
    command: Command,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => {
            let config = start(&args.config, environment)?;
            let options = DemoOptions { sensors: args.sensors, seed: args.seed };
            demo::demo(config, options, screen).await
        }
        Command::Serve(args) => {
            let config = start(&args, environment)?;
            serve::serve(&config, screen).await
        }
        Command::Simulate(args) => {
            simulation(environment)?;
            simulate::run_simulate(&args, screen).await
        }
        Command::Replay(args) => {
            simulation(environment)?;
            replay::run_replay(&args, screen).await
        }
        Command::Check(args) => check::check(&args, environment, screen).await,
        Command::Config(ConfigCommand::Show { config, json }) => {
            settings::show(&config, environment, json, screen)
        }
        Command::Config(ConfigCommand::Example) => screen.line(settings::example()),
        Command::Status(args) => query::status(&args, screen).await,
        Command::Sensors(args) => query::sensors(&args, screen).await,
        Command::Sensor(args) => query::sensor(&args, screen).await,
        Command::Register(args) => query::register(&args, screen).await,
        Command::Area(args) => query::area(&args, screen).await,
        Command::Nearest(args) => query::nearest(&args, screen).await,
        Command::Watch(args) => watch::watch(&args, screen).await,
        Command::Ledger(args) => query::ledger(&args, screen).await,
        Command::DeadLetters(args) => query::dead_letters(&args, screen).await,
        Command::Places(args) => query::places(&args, screen).await,
        Command::History(command) => history::run(&command, screen).await,
        Command::Sql(args) => sql::run(&args, screen, environment).await,
        Command::Archive(command) => archive::run(&command, screen).await,
        Command::Export(command) => opendata::run(&command, screen).await,
        Command::Assign(args) => assign::assign(*args, screen).await,
        Command::Network(command) => network::run(&command, screen).await,
        Command::Scenario(command) => scenario::run(command, screen).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "citytwin", &mut script);
            screen.bytes(&script)
        }
    }
}

/// Reads the configuration and starts log lines: what every long-running command begins with.
fn start(args: &ConfigArgs, environment: &Environment) -> Result<Config, Failure> {
    let config = Config::load(&args.flags(), environment)?;
    telemetry::start(&config.telemetry, !environment.no_color())
        .map_err(|error| Failure::Usage(error.to_string()))?;
    Ok(config)
}

/// Log lines of a run that is no engine: warnings, and progress where there is no terminal.
fn simulation(environment: &Environment) -> Result<(), Failure> {
    let telemetry = Config::load(&Flags::default(), &Environment::default())?.telemetry;
    telemetry::start(&telemetry, !environment.no_color())
        .map_err(|error| Failure::Usage(error.to_string()))
}
