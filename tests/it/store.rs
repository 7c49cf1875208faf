//! The archive in a bucket: an engine whose store is not there at first, and what others read there
//! later.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::api::{Api, epoch_of};
use crate::process::{Server, citytwin_ok, free_address};
use crate::{fleets, foreign};

const SHORT: [&str; 8] = [
    "--set",
    "twin.window=2s",
    "--set",
    "twin.lateness=2s",
    "--set",
    "archive.every=2s",
    "--set",
    "archive.store=s3://city/twin",
];

/// A server of the S3 protocol that ends with us.
struct Bucket(Child);

impl Bucket {
    fn start(python: &Path, port: &str) -> Bucket {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/s3_server.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("http://"), "{line}");
        Bucket(child)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn the_store_tells_what_history_tells() {
    let Some(python) = foreign::python_with_s3() else { return };
    let address = free_address();
    let endpoint = format!("http://{address}");
    let credentials = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start_with(data.path(), &SHORT, &credentials);
    // Nobody waits for a store that is not there.
    let finished =
        fleets::start(&fleets::spec(60, 6), fleets::options(&server.mqtt, &server.grpc)).finish();
    fleets::passed(&finished);
    let api = Api::of(&server.grpc);
    let end = epoch_of(&api.status());
    api.until("archived", |status| status.archived_through_epoch > end);
    let stored = |server: &Server| -> (u64, u64) {
        let sql =
            "SELECT count(*) FILTER (WHERE place = 'both') AS stored, count(*) AS files FROM files";
        let told = citytwin_ok(&["sql", "--server", &server.grpc, "--json", sql]);
        let told: Value = serde_json::from_str(&told).unwrap();
        (told["stored"].as_u64().unwrap(), told["files"].as_u64().unwrap())
    };
    assert_eq!(stored(&server).0, 0);

    let _bucket = Bucket::start(&python, address.rsplit(':').next().unwrap());
    api.until("carried", |_| {
        let (both, files) = stored(&server);
        both == files
    });
    // The stop carries what was cut last.
    server.stop();
    server.restart();
    let host = server.grpc.trim_start_matches("http://");
    let told = foreign::run_script(&python, "store_agree.py", &[&endpoint, host]);
    let told: Value = serde_json::from_str(&told).unwrap();
    for table in ["readings", "windows", "sensors"] {
        assert!(told[table].as_u64().unwrap() > 0, "{told}");
    }
}
