//! What holds across connections: QoS 2 exactly once, one connection for a client id, sessions
//! that last as long as asked.

use citytwin_ingest::endpoint::ClosedReason;

use super::house::{House, Road, TOPIC, settings};
use super::raw::{Raw, connect3, connect5, publish};

/// A session of ten minutes.
const KEPT: &[u8] = &[17, 0, 0, 2, 0x58];

fn first(version: u8, clean: bool) -> Vec<u8> {
    if version == 3 { connect3("a", clean) } else { connect5("a", clean, KEPT) }
}

fn message(version: u8, flags: u8, id: u16, payload: &str) -> Vec<u8> {
    let none: &[u8] = if version == 5 { &[0] } else { &[] };
    publish(flags, TOPIC, Some(id), none, payload.as_bytes())
}

#[tokio::test]
async fn a_message_of_qos_2_is_taken_once_across_reconnects() {
    for version in [3, 5] {
        let house = House::open().await;
        let (mut raw, connack) = Raw::connected(&house, &first(version, false)).await;
        assert_eq!(connack[2], 0, "no session yet");
        raw.send(&message(version, 4, 1, "once")).await;
        raw.expect(&[0x50, 2, 0, 1]).await;
        drop(raw);
        // PUBREC got lost, say: sent again, answered again, not taken again.
        let (mut raw, connack) = Raw::connected(&house, &first(version, false)).await;
        assert_eq!(connack[2], 1, "the session is kept");
        raw.send(&message(version, 12, 1, "once")).await;
        raw.expect(&[0x50, 2, 0, 1]).await;
        drop(raw);
        let (mut raw, _) = Raw::connected(&house, &first(version, false)).await;
        raw.send(&[0x62, 2, 0, 1]).await;
        raw.expect(&[0x70, 2, 0, 1]).await;
        drop(raw);
        // Released: the same packet id is another message.
        let (mut raw, _) = Raw::connected(&house, &first(version, false)).await;
        raw.send(&message(version, 4, 1, "twice")).await;
        raw.expect(&[0x50, 2, 0, 1]).await;
        drop(raw);
        // A clean start forgets.
        let (mut raw, connack) = Raw::connected(&house, &first(version, true)).await;
        assert_eq!(connack[2], 0);
        raw.send(&message(version, 12, 1, "thrice")).await;
        raw.expect(&[0x50, 2, 0, 1]).await;
        assert_eq!(house.road.payloads(3).await, ["once", "twice", "thrice"]);
        house.close().await;
    }
}

#[tokio::test]
async fn what_was_not_durable_when_a_connection_ended_is_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let settings = citytwin_ingest::endpoint::EndpointSettings {
        drain_timeout: std::time::Duration::from_millis(10),
        ..settings()
    };
    let house = House::with(Road::held(dir.path()), settings).await;
    let (mut raw, _) = Raw::connected(&house, &first(5, false)).await;
    raw.send(&message(5, 4, 1, "once")).await;
    // Pings are answered while the disk is held; no PUBREC comes.
    raw.ping().await;
    drop(raw);
    let (mut raw, connack) = Raw::connected(&house, &first(5, false)).await;
    assert_eq!(connack[2], 1);
    raw.send(&message(5, 12, 1, "once")).await;
    raw.ping().await;
    house.road.release();
    raw.expect(&[0x50, 2, 0, 1]).await;
    // Never acknowledged before it was durable; both copies are logged, and the engine drops one.
    assert_eq!(house.road.payloads(2).await, ["once", "once"]);
    house.close().await;
}

#[tokio::test]
async fn a_repeated_message_is_not_answered_before_the_first_copy_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::with(Road::held(dir.path()), settings()).await;
    let (mut raw, _) = Raw::connected(&house, &first(5, true)).await;
    raw.send(&message(5, 4, 1, "once")).await;
    raw.ping().await;
    raw.send(&message(5, 12, 1, "once")).await;
    raw.ping().await;
    house.road.release();
    raw.expect(&[0x50, 2, 0, 1]).await;
    raw.expect(&[0x50, 2, 0, 1]).await;
    raw.ping().await;
    assert_eq!(house.road.payloads(1).await, ["once"]);
    house.close().await;
}

#[tokio::test]
async fn the_same_client_id_takes_over() {
    let house = House::open().await;
    let (mut old, _) = Raw::connected(&house, &first(5, false)).await;
    old.send(&message(5, 4, 7, "seven")).await;
    old.expect(&[0x50, 2, 0, 7]).await;
    let (mut new, connack) = Raw::connected(&house, &first(5, false)).await;
    assert_eq!(connack[2], 1, "with its session");
    let rest = old.rest().await;
    assert_eq!((rest[0], rest[2]), (0xe0, 0x8e), "{rest:02x?}");
    new.send(&message(5, 12, 7, "seven")).await;
    new.expect(&[0x50, 2, 0, 7]).await;
    // MQTT 3.1.1 has no word for it.
    let (mut third, _) = Raw::connected(&house, &first(3, false)).await;
    assert_eq!(new.rest().await[0], 0xe0);
    let (mut fourth, _) = Raw::connected(&house, &first(3, true)).await;
    assert!(third.rest().await.is_empty());
    fourth.ping().await;
    assert_eq!(house.endpoint.counters().closed(ClosedReason::TakenOver), 3);
    assert_eq!(house.road.payloads(1).await, ["seven"]);
    house.close().await;
}

#[tokio::test]
async fn a_session_is_not_kept_longer_than_asked() {
    let house = House::open().await;
    // No expiry: it ends with the connection. An expiry of 0 in DISCONNECT: likewise.
    let (mut raw, _) = Raw::connected(&house, &connect5("a", false, &[])).await;
    raw.send(&[0xe0, 0]).await;
    assert!(raw.rest().await.is_empty());
    let (mut raw, connack) = Raw::connected(&house, &first(5, false)).await;
    assert_eq!(connack[2], 0);
    raw.send(&[0xe0, 7, 0, 5, 17, 0, 0, 0, 0]).await;
    assert!(raw.rest().await.is_empty());
    let (mut raw, connack) = Raw::connected(&house, &first(5, false)).await;
    assert_eq!(connack[2], 0);
    raw.send(&[0xe0, 0]).await;
    assert!(raw.rest().await.is_empty());
    let (_, connack) = Raw::connected(&house, &first(5, false)).await;
    assert_eq!(connack[2], 1);
    house.close().await;
}
