//! Foreign clients at both ends: what Eclipse paho and `mosquitto_pub` published is in the twin,
//! and grpcio, who knows the API from reflection alone, is told what `citytwin` is told.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::api::{Api, millis};
use crate::foreign;
use crate::letters::now_ms;
use crate::process::{Server, citytwin_ok};

const READINGS: usize = 20;
/// Of the API; what `grpc_reflect.py` asks for too.
const BOX: &str = "10.3,106.3,11.2,107.1";

#[test]
fn paho_and_grpcio_agree_with_the_twin() {
    let Some(python) = foreign::python() else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let api = Api::of(&server.grpc);
    let host = server.mqtt.trim_start_matches("mqtt://");
    let count = READINGS.to_string();
    let flags = [host, "--endpoint", "--readings", &count];
    let answer = foreign::run_script(&python, "paho_publish.py", &flags);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let sent = answer["sent"].as_array().unwrap();
    assert_eq!(sent.len(), 6, "two versions, three qualities of service");
    api.until_received((sent.len() * READINGS) as u64);
    api.until_now();

    let (ledger, dead_letters) = api.ledger();
    for one in sent {
        let sensor = one["sensor"].as_str().unwrap();
        let readings = one["readings"].as_array().unwrap();
        assert_eq!(readings.len(), READINGS);
        let entry = &ledger[sensor];
        assert_eq!(entry.received, READINGS as u64, "{sensor}: {entry:?}");
        assert_eq!(entry.applied + entry.late_applied, READINGS as u64, "{sensor}: {entry:?}");
        let latest = api.sensor(sensor).latest;
        assert_eq!(latest.len(), 1, "{sensor}");
        let found = json!([millis(latest[0].event_time.as_ref()), latest[0].value]);
        assert_eq!(&found, readings.last().unwrap(), "{sensor}");
    }
    assert_eq!(dead_letters["unknown_topic"], 6, "one of each session");
    grpcio_agrees(&python, &server, sent);
}

/// grpcio's answers against those of the command line.
fn grpcio_agrees(python: &Path, server: &Server, sent: &[Value]) {
    let mut flags = vec![server.grpc.trim_start_matches("http://")];
    for one in sent {
        flags.extend(["--sensor", one["sensor"].as_str().unwrap()]);
    }
    let answer = foreign::run_script(python, "grpc_reflect.py", &flags);
    let foreign: Value = serde_json::from_str(&answer).unwrap();
    let own = |command: &[&str]| -> Value {
        let text = citytwin_ok(&[command, &["--server", &server.grpc, "--json"]].concat());
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(foreign["health"]["status"], "SERVING");
    let status = own(&["status"]);
    assert_eq!(foreign["status"]["version"], status["version"]);
    assert_eq!(foreign["status"]["counts"]["sensors"], status["counts"]["sensors"]);
    for count in ["received", "applied"] {
        assert_eq!(foreign["status"]["ledger"][count], status["ledger"][count]);
        assert_eq!(foreign["ledger"]["total"][count], own(&["ledger"])["total"][count]);
    }
    let area = own(&["area", "--bbox", BOX, "--list"]);
    let mine = latest_by_sensor(&area, "eventTime");
    assert_eq!(mine.len(), sent.len());
    assert_eq!(latest_by_sensor(&foreign["box"], "event_time"), mine);
    for one in sent {
        let id = one["sensor"].as_str().unwrap();
        let state = &foreign["sensors"][id];
        assert_eq!(state["description"]["name"], own(&["sensor", id])["description"]["name"]);
        assert_eq!(state["ledger"]["received"], READINGS.to_string());
    }
}

fn latest_by_sensor(answer: &Value, event_time: &str) -> BTreeMap<String, (Value, Value)> {
    let sensors = answer["sensors"].as_array().unwrap().iter();
    let latest = sensors.map(|sensor| {
        let latest = &sensor["latest"][0];
        let id = sensor["sensor"].as_str().unwrap().to_owned();
        (id, (latest["value"].clone(), latest[event_time].clone()))
    });
    latest.collect()
}

/// One of Mosquitto's clients.
struct Client<'a> {
    program: &'a Path,
    port: &'a str,
    version: &'a str,
}

impl Client<'_> {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program);
        command.args(["-h", "127.0.0.1", "-p", self.port, "-V", self.version]);
        command.args(arguments).output().expect("it starts")
    }

    fn publish(&self, qos: &str, topic: &str, message: &str) {
        let output = self.run(&["-q", qos, "-t", topic, "-m", message]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} QoS {qos} to {topic}: {said}", self.version);
        assert_eq!(said, "", "{} QoS {qos} to {topic}", self.version);
    }
}

#[test]
fn mosquitto_pub_is_heard_in_both_versions() {
    let Some(program) = foreign::mosquitto_client("mosquitto_pub") else { return };
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let api = Api::of(&server.grpc);
    let port = server.mqtt.rsplit(':').next().unwrap();
    let now = now_ms();
    let mut expected = Vec::new();
    for (version, value) in [("mqttv311", 20.0), ("mqttv5", 30.0)] {
        let client = Client { program: &program, port, version };
        for qos in ["0", "1", "2"] {
            let sensor = format!("shell/{version}-{qos}");
            let about = json!({
                "kind": "SENSOR_KIND_TRAFFIC_LOOP", "latitude_deg": 10.77, "longitude_deg": 106.70,
            });
            client.publish(qos, &format!("city/v1/{sensor}/about"), &about.to_string());
            let reading = json!({
                "quantity": "QUANTITY_SPEED_KMH", "event_time_ms": now, "value": value,
            });
            let batch = json!({ "readings": [reading] });
            client.publish(qos, &format!("city/v1/{sensor}/readings"), &batch.to_string());
            expected.push((sensor, value));
        }
    }
    api.until_received(expected.len() as u64);
    for (sensor, value) in expected {
        let latest = api.sensor(&sensor).latest;
        assert_eq!(latest.len(), 1, "{sensor}");
        let found = (latest[0].value, millis(latest[0].event_time.as_ref()));
        assert_eq!(found, (value, now), "{sensor}");
    }
}

/// Who asks for an answer over MQTT is told that subscriptions are not taken, and goes; the door
/// stays open for others.
#[test]
fn a_subscription_is_refused_and_nothing_else_happens() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let port = server.mqtt.rsplit(':').next().unwrap();
    let asked = ["-q", "1", "-W", "10", "-t"];
    let rr = ["city/question", "-e", "city/answers", "-m", "what?"];
    let sub = ["city/v1/#", "-C", "1"];
    // In 3.1.1 there is one code for all failures, and Mosquitto has no better word for it.
    for (name, version, more, expected) in [
        ("mosquitto_rr", "mqttv311", &rr[..], "Unspecified error"),
        ("mosquitto_rr", "mqttv5", &rr, "Not authorized"),
        ("mosquitto_sub", "mqttv311", &sub, "All subscription requests were denied"),
        ("mosquitto_sub", "mqttv5", &sub, "All subscription requests were denied"),
    ] {
        let Some(program) = foreign::mosquitto_client(name) else { continue };
        let client = Client { program: &program, port, version };
        let output = client.run(&[&asked[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        // 27 would be: waited in vain.
        assert_eq!(output.status.code(), Some(0), "{name} {version}: {said}");
        assert!(said.contains(expected), "{name} {version}: {said:?}");
        assert_eq!(output.stdout, b"", "{name} {version}");
    }
    let api = Api::of(&server.grpc);
    assert_eq!(api.status().state, "SERVING");
}
