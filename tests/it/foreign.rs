//! Foreign clients: Python's paho, grpcio, DuckDB, pyarrow and Polars, and Mosquitto. Where one is
//! not installed the test says so on its standard error and passes, unless
//! `CITYTWIN_REQUIRE_FOREIGN=1`: then its absence is a failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Python that has the foreign clients, if there is one.
pub(crate) fn python() -> Option<PathBuf> {
    let python = setting("CITYTWIN_TEST_PYTHON").map_or(PathBuf::from("python3"), PathBuf::from);
    let wanted = "import paho.mqtt, grpc, grpc_reflection, duckdb, pyarrow, polars";
    let found = Command::new(&python).args(["-c", wanted]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    missing("Python with paho-mqtt, grpcio, grpcio-reflection, duckdb, pyarrow and polars");
    None
}

/// The same with a server and a client of the S3 protocol, if there is one.
pub(crate) fn python_with_s3() -> Option<PathBuf> {
    let python = python()?;
    let found = Command::new(&python).args(["-c", "import moto.server, boto3, deltalake"]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    missing("Python with moto[s3,server] and deltalake");
    None
}

/// The Mosquitto broker, if it is installed.
pub(crate) fn mosquitto() -> Option<PathBuf> {
    let places = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        missing("mosquitto");
    }
    found
}

/// One of Mosquitto's command line clients, if it is installed.
pub(crate) fn mosquitto_client(name: &str) -> Option<PathBuf> {
    let found = Command::new(name).arg("--help").output();
    if found.is_err() {
        missing(name);
    }
    found.ok().map(|_| PathBuf::from(name))
}

/// A file of the real data that is not part of the repository, if it is there.
pub(crate) fn real_data(relative: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = setting("CITYTWIN_TEST_DATA").map_or(root.join("../shared/data"), PathBuf::from);
    let path = folder.join(relative);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("{} is not there; set CITYTWIN_TEST_DATA", path.display()));
    None
}

/// Runs a script of `tests/foreign/`; it must succeed. Returns what it printed.
pub(crate) fn run_script(python: &Path, script: &str, arguments: &[&str]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(script);
    let output = Command::new(python).arg(path).args(arguments).output().expect("Python starts");
    assert!(
        output.status.success(),
        "{script} {arguments:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

fn missing(what: &str) {
    assert!(
        setting("CITYTWIN_REQUIRE_FOREIGN").as_deref() != Some("1"),
        "{what} is not installed, and CITYTWIN_REQUIRE_FOREIGN=1 asks for it"
    );
    skipped(&format!("{what} is not installed"));
}

/// Says on standard error that a test, or a part of it, cannot be done here.
#[expect(clippy::print_stderr, reason = "a skipped test must be heard")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[expect(clippy::disallowed_methods, reason = "tests are told where foreign clients are")]
fn setting(name: &str) -> Option<String> {
    env::var(name).ok()
}
