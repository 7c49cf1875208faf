//! `citytwin check`: everything that can be known to be wrong before a start. Each check prints
//! one line, `ok` or `FAILED` with what to do; the exit code says whether all were well.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use citytwin_core::road::Severity;
use citytwin_core::time::{ArrivalTime, Epoch};
use citytwin_ingest::clock::{Clock, SystemClock};
use citytwin_ingest::{log, sensors_file};

use super::CheckArgs;
use super::failure::Failure;
use super::output::Screen;
use crate::config::{Config, Environment};
use crate::network;
use crate::service::Places;
use crate::telemetry;

/// How long a broker may take to accept a connection.
const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
/// A clock before this (2024-01-01) was never set.
const EARLIEST: ArrivalTime = ArrivalTime::from_ms(1_704_067_200_000);
/// The last logged epoch may be this far ahead of the clock: clocks are set back now and then.
const CLOCK_BACK: Duration = Duration::from_secs(60);

/// What was found.
type Finding = Result<String, String>;

/// Checks everything.
///
/// # Errors
/// When the configuration is wrong, a check failed, or the output cannot be written.
pub async fn check(
    args: &CheckArgs,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let config = Config::load(&args.config.flags(), environment)?;
    let mut list = List { screen, failed: 0 };
    list.put(
        "configuration",
        telemetry::filter(&config.telemetry.level)
            .map_or_else(|error| Err(error.to_string()), |_filter| Ok("valid".to_owned())),
    )?;
    list.put("data folder", writable(&config.data))?;
    let (finding, last_epoch) = log_is_whole(&config.data.join("log"), args.repair);
    list.put("log", finding)?;
    list.put("clock", clock_is_sane(SystemClock::new().now(), last_epoch))?;
    for path in &config.sensors {
        let read = sensors_file::read(path).map_err(|error| error.to_string());
        let found = read.map(|entries| format!("{} sensors in {}", entries.len(), path.display()));
        list.put("sensors", found)?;
    }
    if let Some(path) = &config.places {
        let read = Places::read(path).map_err(|error| error.to_string());
        let found = read.map(|all| format!("{} places in {}", all.all().len(), path.display()));
        list.put("places", found)?;
    }
    if let Some(path) = &config.network {
        list.put("network", roads_are_sound(path))?;
    }
    for (name, address) in listens(&config) {
        list.put(name, port_is_free(address))?;
    }
    if let Some(broker) = &config.broker {
        list.put("broker", broker_answers(&broker.url).await)?;
    }
    match list.failed {
        0 => Ok(()),
        failed => Err(Failure::Check(failed)),
    }
}

struct List<'a> {
    screen: &'a mut Screen,
    failed: usize,
}

impl List<'_> {
    fn put(&mut self, what: &str, finding: Finding) -> Result<(), Failure> {
        match finding {
            Ok(found) => self.screen.line(format_args!("ok      {what}: {found}")),
            Err(wrong) => {
                self.failed += 1;
                self.screen.line(format_args!("FAILED  {what}: {wrong}"))
            }
        }
    }
}

fn listens(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let endpoint = config.endpoint.as_ref().map(|e| ("endpoint.listen", e.listen));
    let metrics = config.metrics_listen.map(|listen| ("metrics.listen", listen));
    endpoint.into_iter().chain([("grpc.listen", config.grpc_listen)]).chain(metrics).collect()
}

/// Writes, flushes and removes a file, as the log will.
fn writable(dir: &Path) -> Finding {
    let probe = dir.join(".citytwin-check");
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b"check"))
        .and_then(|()| std::fs::File::open(&probe)?.sync_all())
        .and_then(|()| std::fs::remove_file(&probe));
    written
        .map(|()| format!("{} is writable", dir.display()))
        .map_err(|error| format!("{} cannot be written: {error}", dir.display()))
}

/// Locks and reads the log; an engine that runs on it holds the lock.
fn log_is_whole(dir: &Path, repair: bool) -> (Finding, Epoch) {
    if !dir.exists() {
        return (Ok("none yet".to_owned()), Epoch::ZERO);
    }
    let report = match log::check(dir, repair) {
        Ok(report) => report,
        Err(error) => return (Err(error.to_string()), Epoch::ZERO),
    };
    let whole = format!(
        "{} readings in {} frames, {} files, last epoch {}",
        report.readings, report.frames, report.segments, report.last_epoch
    );
    let finding = match &report.problem {
        None => Ok(whole),
        Some(problem) => {
            let place =
                format!("{} at byte {}: {}", problem.file.display(), problem.offset, problem.what);
            if problem.torn_tail {
                Ok(format!("{whole}; torn tail, cut at the next start: {place}"))
            } else if repair {
                let aside: Vec<String> =
                    report.set_aside.iter().map(|path| path.display().to_string()).collect();
                Ok(format!("{whole}; repaired: {place}; set aside: {}", aside.join(", ")))
            } else {
                Err(format!(
                    "{place}; `citytwin check --repair` cuts it there, what follows is lost"
                ))
            }
        }
    };
    (finding, report.last_epoch)
}

/// Reads the roads. Remarks are well; what would be left out is not.
fn roads_are_sound(path: &Path) -> Finding {
    let import = network::read(path, &mut |_done| {});
    let import = import.map_err(|error| format!("{:#}", anyhow::Error::from(error)))?;
    let roads = &import.network;
    let found = format!(
        "{} links, {} junctions, {} zones in {}",
        roads.links().len(),
        roads.junctions().len(),
        roads.zones().len(),
        path.display()
    );
    let mut problems = import.faults;
    problems.extend(roads.check());
    let (faults, remarks): (Vec<_>, Vec<_>) =
        problems.iter().partition(|one| one.severity() == Severity::Fault);
    let details = format!("`citytwin network check {}` lists them", path.display());
    match (faults.first(), remarks.len()) {
        (Some(first), _) => Err(format!("{found}; {} faults: {first}; {details}", faults.len())),
        (None, 0) => Ok(found),
        (None, remarks) => Ok(format!("{found}; {remarks} remarks: {details}")),
    }
}

fn clock_is_sane(now: ArrivalTime, last_epoch: Epoch) -> Finding {
    let shown = chrono::DateTime::from_timestamp_millis(now.ms())
        .map_or_else(|| "out of range".to_owned(), |time| time.to_rfc3339());
    if now < EARLIEST {
        return Err(format!("it is {shown} by this machine; set its clock (NTP)"));
    }
    let ahead_ms = last_epoch.end().ms() - now.ms();
    if ahead_ms > i64::try_from(CLOCK_BACK.as_millis()).unwrap_or(i64::MAX) {
        return Err(format!(
            "it is {shown} by this machine, {} s before the last thing logged; set its clock (NTP)",
            ahead_ms / 1_000
        ));
    }
    Ok(format!("{shown}, after the last thing logged"))
}

fn port_is_free(address: SocketAddr) -> Finding {
    TcpListener::bind(address)
        .map(|_listener| format!("{address} is free"))
        .map_err(|error| format!("{address} cannot be listened on: {error}"))
}

async fn broker_answers(url: &str) -> Finding {
    let shown = crate::config::value::without_password(url);
    let port = if url.starts_with("mqtts://") { 8_883 } else { 1_883 };
    let address = url.split_once("://").map_or(url, |(_, rest)| rest);
    let address = address.rsplit_once('@').map_or(address, |(_, address)| address);
    let address = address.strip_suffix('/').unwrap_or(address);
    let named = address.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let address = if named { address.to_owned() } else { format!("{address}:{port}") };
    let connect = tokio::net::TcpStream::connect(&address);
    match tokio::time::timeout(BROKER_TIMEOUT, connect).await {
        Ok(Ok(_stream)) => Ok(format!("{shown} accepts connections")),
        Ok(Err(error)) => Err(format!("{shown} cannot be reached: {error}")),
        Err(_late) => Err(format!("{shown} does not answer within {BROKER_TIMEOUT:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        let now = ArrivalTime::from_ms(1_800_000_000_000);
        let epoch = |ms: i64| Epoch::of(ArrivalTime::from_ms(now.ms() + ms));
        assert!(clock_is_sane(now, Epoch::ZERO).is_ok());
        assert!(clock_is_sane(now, epoch(30_000)).is_ok());
        let error = clock_is_sane(now, epoch(3_600_000)).unwrap_err();
        assert!(error.contains("3600 s before the last thing logged"), "{error}");
        let error = clock_is_sane(ArrivalTime::from_ms(0), Epoch::ZERO).unwrap_err();
        assert!(error.contains("1970"), "{error}");
    }

    #[test]
    fn folders_and_ports() {
        let folder = tempfile::tempdir().unwrap();
        assert!(writable(&folder.path().join("new")).is_ok());
        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        assert!(writable(&file).unwrap_err().contains("cannot be written"));
        assert_eq!(log_is_whole(&folder.path().join("log"), false).0.unwrap(), "none yet");
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(port_is_free(taken.local_addr().unwrap()).unwrap_err().contains("cannot be"));
        assert!(port_is_free(([127, 0, 0, 1], 0).into()).is_ok());
    }

    #[test]
    fn roads() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let error = roads_are_sound(folder.path()).unwrap_err();
        assert!(error.contains("is no network: allowed are"), "{error}");
        put("node.csv", "node_id,x_coord,y_coord\na,106.7,10.7\nb,106.8,10.7\n");
        put("link.csv", "link_id,from_node_id\n1,a\n");
        let error = roads_are_sound(folder.path()).unwrap_err();
        assert!(error.contains("link.csv has no column \"to_node_id\""), "{error}");
        let head = "link_id,from_node_id,to_node_id,facility_type";
        put("link.csv", &format!("{head}\n1,a,b,primary\n2,b,a,primary\n"));
        let found = roads_are_sound(folder.path()).unwrap();
        assert!(found.starts_with("2 links, 2 junctions, 0 zones in"), "{found}");
        put("link.csv", &format!("{head}\n1,a,b,primary\n2,b,c,primary\n3,c,a,primary\n"));
        let error = roads_are_sound(folder.path()).unwrap_err();
        assert!(error.contains("2 faults: link 2: to: there is no junction \"c\""), "{error}");
    }

    #[tokio::test]
    async fn brokers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("mqtt://u:secret@{}", listener.local_addr().unwrap());
        let found = broker_answers(&url).await.unwrap();
        assert!(
            found.contains("u:***@127.0.0.1") && found.ends_with("accepts connections"),
            "{found}"
        );
        drop(listener);
        let error = broker_answers(&url).await.unwrap_err();
        assert!(error.contains("cannot be reached") && !error.contains("secret"), "{error}");
    }
}
