//! The broker door against a real Mosquitto: everything published arrives and is acknowledged,
//! across its restart and ours, with its default in-flight window and with a raised one.

use std::collections::BTreeSet;
use std::time::Duration;

use citytwin_ingest::broker::{
    Broker, BrokerError, BrokerSettings, BrokerState, BrokerStatus, BrokerVersion,
};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::house::{Road, soon};
use super::mosquitto::Mosquitto;

const VERSIONS: [BrokerVersion; 2] = [BrokerVersion::V3, BrokerVersion::V5];
/// Mosquitto's default window is 20; and one as deploy/ sets it.
const WINDOWS: [&str; 2] = ["", "max_inflight_messages 1000"];

struct Door {
    status: BrokerStatus,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), BrokerError>>,
}

impl Door {
    fn open(road: &Road, settings: BrokerSettings) -> Door {
        let broker = Broker::new(settings, road.intake.clone()).unwrap();
        let (status, shutdown) = (broker.status(), CancellationToken::new());
        let running = tokio::spawn(broker.run(shutdown.clone()));
        Door { status, shutdown, running }
    }

    async fn until(&self, what: impl Fn(&BrokerStatus) -> bool) {
        soon(async {
            while !what(&self.status) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    async fn connected(&self) {
        self.until(|status| {
            status.connections().iter().all(|each| each.state == BrokerState::Connected)
        })
        .await;
    }

    async fn acknowledged(&self, count: u64) {
        self.until(|status| {
            status.connections().iter().map(|each| each.acknowledged).sum::<u64>() >= count
        })
        .await;
    }

    async fn close(self) {
        self.shutdown.cancel();
        soon(self.running).await.unwrap().unwrap();
        for connection in self.status.connections() {
            assert_eq!(connection.state, BrokerState::Stopped);
        }
    }
}

fn settings(mosquitto: &Mosquitto, version: BrokerVersion) -> BrokerSettings {
    let url = format!("mqtt://127.0.0.1:{}", mosquitto.port()).parse().unwrap();
    let retry = (Duration::from_millis(20), Duration::from_millis(200));
    BrokerSettings { version, retry, ..BrokerSettings::new(url) }
}

/// Publishes with QoS 1 until the broker has acknowledged all.
async fn publish(mosquitto: &Mosquitto, messages: &[String]) {
    let options = MqttOptions::new("publisher", "127.0.0.1", mosquitto.port());
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    for (number, message) in messages.iter().enumerate() {
        let topic = format!("city/v1/hcmc/sensor-{}/readings", number % 50);
        client.publish(topic, QoS::AtLeastOnce, false, message.as_bytes()).await.unwrap();
    }
    soon(async {
        let mut acknowledged = 0;
        while acknowledged < messages.len() {
            let event = events.poll().await.unwrap();
            acknowledged += usize::from(matches!(event, Event::Incoming(Packet::PubAck(_))));
        }
        client.disconnect().await.unwrap();
        while events.poll().await.is_ok() {}
    })
    .await;
}

/// Messages that decode to nothing, so that they come out as they went in: `g` is a protobuf key
/// of a wire type that does not exist.
fn messages(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("g {prefix} {number}")).collect()
}

/// Waits until all of `messages` are durable; repetitions are allowed.
async fn all_arrive(road: &Road, messages: &[String]) -> usize {
    let missing = |arrived: &[String]| {
        let arrived: BTreeSet<&String> = arrived.iter().collect();
        messages.iter().filter(|message| !arrived.contains(message)).count()
    };
    let mut count = messages.len();
    loop {
        let arrived = road.payloads(count).await;
        match missing(&arrived) {
            0 => return arrived.len(),
            more => count = arrived.len() + more.min(1),
        }
    }
}

#[tokio::test]
async fn everything_arrives_once_and_is_acknowledged() {
    for window in WINDOWS {
        for version in VERSIONS {
            let Some(mut mosquitto) = Mosquitto::find(window) else { return };
            mosquitto.start();
            let road = Road::open();
            let door = Door::open(&road, settings(&mosquitto, version));
            door.connected().await;
            let sent = messages("m", 2_000);
            publish(&mosquitto, &sent).await;
            assert_eq!(all_arrive(&road, &sent).await, 2_000, "once");
            door.acknowledged(2_000).await;
            for connection in door.status.connections() {
                assert!(connection.messages > 0, "both share the work: {connection:?}");
            }
            door.close().await;
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_when_the_broker_restarts() {
    for version in VERSIONS {
        let Some(mut mosquitto) = Mosquitto::find("") else { return };
        mosquitto.start();
        let road = Road::open();
        let door = Door::open(&road, settings(&mosquitto, version));
        door.connected().await;
        let (before, after) = (messages("before", 500), messages("after", 500));
        publish(&mosquitto, &before).await;
        mosquitto.stop();
        door.until(|status| status.connections().iter().all(|each| each.last_error.is_some()))
            .await;
        mosquitto.start();
        door.connected().await;
        publish(&mosquitto, &after).await;
        all_arrive(&road, &[before, after].concat()).await;
        assert!(door.status.connections().iter().all(|each| each.connects == 2));
        door.close().await;
    }
}

#[tokio::test]
async fn nothing_is_lost_when_we_restart() {
    for version in VERSIONS {
        let Some(mut mosquitto) = Mosquitto::find("") else { return };
        mosquitto.start();
        // First with a disk that is held: messages come, and nothing is acknowledged.
        let dir = tempfile::tempdir().unwrap();
        let held = Road::held(dir.path());
        let settings =
            BrokerSettings { drain_timeout: Duration::ZERO, ..settings(&mosquitto, version) };
        let door = Door::open(&held, settings.clone());
        door.connected().await;
        let (first, second) = (messages("first", 30), messages("second", 300));
        publish(&mosquitto, &first).await;
        door.until(|status| status.connections().iter().map(|each| each.messages).sum::<u64>() > 9)
            .await;
        assert!(door.status.connections().iter().all(|each| each.acknowledged == 0));
        door.close().await;
        held.release();
        // Then away, while more comes; then back, with a disk of its own.
        publish(&mosquitto, &second).await;
        let road = Road::open();
        let door = Door::open(&road, settings);
        all_arrive(&road, &[first, second].concat()).await;
        door.acknowledged(330).await;
        door.close().await;
    }
}

#[tokio::test]
async fn retained_descriptions_are_taken() {
    for version in VERSIONS {
        let Some(mut mosquitto) = Mosquitto::find("") else { return };
        mosquitto.start();
        let options = MqttOptions::new("sensor", "127.0.0.1", mosquitto.port());
        let (client, mut events) = AsyncClient::new(options, 10);
        let about =
            r#"{"kind":"SENSOR_KIND_TRAFFIC_LOOP","latitudeDeg":10.77,"longitudeDeg":106.7}"#;
        let topic = "city/v1/hcmc/loop-1/about";
        client.publish(topic, QoS::AtLeastOnce, true, about).await.unwrap();
        soon(async {
            while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
        })
        .await;
        // Twice: a new start asks for the descriptions again, though its session is kept.
        for _ in 0..2 {
            let road = Road::open();
            let door = Door::open(&road, settings(&mosquitto, version));
            door.acknowledged(1).await;
            assert!(road.intake.registry().description("hcmc/loop-1").is_some());
            door.close().await;
        }
    }
}

#[tokio::test]
async fn a_broker_that_is_away_is_waited_for() {
    let Some(mut mosquitto) = Mosquitto::find("") else { return };
    let road = Road::open();
    let door = Door::open(&road, settings(&mosquitto, BrokerVersion::V5));
    door.until(|status| {
        status
            .connections()
            .iter()
            .all(|each| each.state == BrokerState::Waiting && each.last_error.is_some())
    })
    .await;
    mosquitto.start();
    door.connected().await;
    mosquitto.stop();
    // A stop does not wait for a broker that is away.
    door.close().await;
}

#[tokio::test]
async fn over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let files = format!("certfile {}\nkeyfile {}", cert.display(), key.display());
    for version in VERSIONS {
        let Some(mut mosquitto) = Mosquitto::find(&files) else { return };
        mosquitto.start();
        let road = Road::open();
        let url = format!("mqtts://localhost:{}", mosquitto.port()).parse().unwrap();
        let trusting =
            BrokerSettings { url, ca: Some(cert.clone()), ..settings(&mosquitto, version) };
        let door = Door::open(&road, trusting);
        door.connected().await;
        door.close().await;
    }
    let missing = BrokerSettings {
        ca: Some(dir.path().join("none.pem")),
        ..BrokerSettings::new("mqtts://localhost".parse().unwrap())
    };
    let error = Broker::new(missing, Road::open().intake).unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
}
