//! Packets that break the protocol, each kind that the specification names: they end that one
//! connection, with the reason code where the version has one, and no other connection.

use super::house::{House, settings};
use super::raw::{Raw, connect, connect3, connect5, packet, publish, text};

/// What comes back before the connection is closed.
#[derive(Clone, Copy, Debug)]
enum Reply {
    Nothing,
    Connack3(u8),
    Connack5(u8),
    Disconnect(u8),
}
use Reply::{Connack3, Connack5, Disconnect, Nothing};

async fn check(house: &House, name: &str, before: Option<&[u8]>, bytes: &[u8], expected: Reply) {
    let mut raw = match before {
        Some(connect) => Raw::connected(house, connect).await.0,
        None => Raw::open(house.endpoint.local_addr()).await,
    };
    raw.send(bytes).await;
    let rest = raw.rest().await;
    let right = match expected {
        Nothing => rest.is_empty(),
        Connack3(code) => rest == [0x20, 2, 0, code],
        Connack5(code) => rest.first() == Some(&0x20) && rest.get(2..4) == Some(&[0, code]),
        Disconnect(code) => rest.first() == Some(&0xe0) && rest.get(2) == Some(&code),
    };
    assert!(right, "{name}: expected {expected:02x?}, got {rest:02x?}");
}

/// Runs a table beside a connection that must not notice.
async fn check_all(before: Option<&[u8]>, table: &[(&str, Vec<u8>, Reply)]) {
    let house = House::open().await;
    let (mut bystander, _) = Raw::connected(&house, &connect5("bystander", true, &[])).await;
    for (name, bytes, expected) in table {
        check(&house, name, before, bytes, *expected).await;
        bystander.ping().await;
    }
    let counters = house.endpoint.counters();
    let closed: u64 =
        citytwin_ingest::endpoint::ClosedReason::ALL.iter().map(|why| counters.closed(*why)).sum();
    let refused: u64 = citytwin_ingest::endpoint::RefusedReason::ALL
        .iter()
        .map(|why| counters.refused(*why))
        .sum();
    assert_eq!(closed + refused, table.len() as u64, "every one is counted once");
    house.close().await;
}

fn with_first(first: u8, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[0] = first;
    bytes
}

fn named(name: &[u8], level: u8) -> Vec<u8> {
    let mut body = text(name);
    body.extend_from_slice(&[level, 2, 0, 60, 0]);
    body.extend_from_slice(&text(b"a"));
    packet(0x10, &body)
}

#[tokio::test]
async fn first_packets() {
    let props = |props: &[u8]| connect5("a", true, props);
    let longer = {
        let mut bytes = connect3("a", true);
        let len = bytes[1];
        bytes.splice(1..2, [len | 0x80, 0]);
        bytes
    };
    let trailing = |bytes: Vec<u8>| packet(0x10, &[&bytes[2..], &[0]].concat());
    let cut_short = |bytes: Vec<u8>| packet(0x10, &bytes[2..bytes.len() - 1]);
    check_all(
        None,
        &[
            ("PUBLISH first", publish(0, "a", None, &[], b"x"), Nothing),
            ("PINGREQ first", vec![0xc0, 0], Nothing),
            ("DISCONNECT first", vec![0xe0, 0], Nothing),
            ("not MQTT at all", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Nothing),
            ("a length of five bytes", vec![0x10, 0xff, 0xff, 0xff, 0xff, 1], Nothing),
            ("a length longer than need be", longer, Nothing),
            ("a CONNECT of a megabyte", vec![0x10, 0x80, 0x80, 0x40], Nothing),
            ("reserved bits in the first byte", with_first(0x11, connect3("a", true)), Nothing),
            ("another protocol's name, 3.1.1", named(b"MQTX", 4), Nothing),
            ("another protocol's name, 5", named(b"MQTX", 5), Connack5(0x84)),
            ("MQTT 3.1", named(b"MQIsdp", 3), Connack3(1)),
            ("level 3", named(b"MQTT", 3), Connack3(1)),
            ("level 6", named(b"MQTT", 6), Connack5(0x84)),
            ("the reserved flag, 3.1.1", connect(4, 3, &[], b"a"), Nothing),
            ("the reserved flag, 5", connect(5, 3, &[0], b"a"), Connack5(0x81)),
            ("will QoS 3, 3.1.1", connect(4, 0x1e, &[], b"a\0\x01t\0\x01p"), Nothing),
            ("will QoS without will", connect(5, 0x0a, &[0], b"a"), Connack5(0x81)),
            ("will retain without will", connect(5, 0x22, &[0], b"a"), Connack5(0x81)),
            ("password without user, 3.1.1", connect(4, 0x42, &[], b"a"), Nothing),
            ("client id cut short, 3.1.1", cut_short(connect3("a", true)), Nothing),
            ("client id cut short, 5", cut_short(connect5("a", true, &[])), Connack5(0x81)),
            ("bytes behind the end, 3.1.1", trailing(connect3("a", true)), Nothing),
            ("bytes behind the end, 5", trailing(connect5("a", true, &[])), Connack5(0x81)),
            ("client id not UTF-8, 3.1.1", connect(4, 2, &[], b"\xc3\x28"), Nothing),
            ("client id not UTF-8, 5", connect(5, 2, &[0], b"\xc3\x28"), Connack5(0x81)),
            ("a surrogate in the client id", connect(5, 2, &[0], b"\xed\xa0\x80"), Connack5(0x81)),
            ("U+0000 in the client id, 3.1.1", connect(4, 2, &[], b"a\0"), Nothing),
            ("U+0000 in the client id, 5", connect(5, 2, &[0], b"a\0"), Connack5(0x81)),
            ("no client id and no clean session", connect3("", false), Connack3(2)),
            ("Receive Maximum twice", props(&[33, 0, 9, 33, 0, 9]), Connack5(0x82)),
            ("Receive Maximum 0", props(&[33, 0, 0]), Connack5(0x82)),
            ("Maximum Packet Size 0", props(&[39, 0, 0, 0, 0]), Connack5(0x82)),
            ("a property of PUBLISH", props(&[35, 0, 1]), Connack5(0x82)),
            ("a property that is none", props(&[99, 0]), Connack5(0x81)),
            ("properties cut short", connect(5, 2, &[9, 33, 0], b""), Connack5(0x81)),
            ("enhanced authentication", props(&[21, 0, 1, b'x']), Connack5(0x8c)),
        ],
    )
    .await;
}

/// Packets after CONNECT: name, bytes, and the reason code of MQTT 5.
fn later_packets(v5: bool) -> Vec<(&'static str, Vec<u8>, u8)> {
    let none: &[u8] = if v5 { &[0] } else { &[] };
    let publish = |flags, topic, id| publish(flags, topic, id, none, b"x");
    let raw_topic = |topic: &[u8]| packet(0x30, &[&text(topic), none].concat());
    let filter = |options: u8| [&[0, 1][..], none, &text(b"a"), &[options]].concat();
    let connect = if v5 { connect5("m", true, &[]) } else { connect3("m", true) };
    vec![
        ("a second CONNECT", connect, 0x82),
        ("QoS 3", publish(0b0110, "a", Some(1)), 0x81),
        ("DUP on QoS 0", publish(0b1000, "a", None), 0x81),
        ("packet id 0, QoS 1", publish(0b0010, "a", Some(0)), 0x82),
        ("packet id 0, QoS 2", publish(0b0100, "a", Some(0)), 0x82),
        ("no packet id", packet(0x32, &text(b"a")), 0x81),
        ("wildcard +", publish(0, "a/+/b", None), 0x90),
        ("wildcard #", publish(0, "a/#", None), 0x90),
        ("a topic not UTF-8", raw_topic(b"\xff"), 0x81),
        ("U+0000 in the topic", raw_topic(b"a\0"), 0x81),
        ("a topic cut short", packet(0x30, &[0, 9, b'a']), 0x81),
        ("an empty topic", publish(0, "", None), 0x82),
        ("a length of five bytes", vec![0x30, 0xff, 0xff, 0xff, 0xff, 1], 0x81),
        ("a length longer than need be", vec![0xc0, 0x80, 0], 0x81),
        ("a length that is absurd", vec![0x30, 0xff, 0xff, 0xff, 0x7f], 0x95),
        ("a SUBSCRIBE of a megabyte", vec![0x82, 0x80, 0x80, 0x40], 0x95),
        ("packet type 0", vec![0, 0], 0x81),
        ("SUBSCRIBE with wrong flags", packet(0x80, &filter(0)), 0x81),
        ("PUBREL with wrong flags", vec![0x60, 2, 0, 1], 0x81),
        ("PINGREQ with wrong flags", vec![0xc1, 0], 0x81),
        ("PINGREQ with a body", vec![0xc0, 1, 0], 0x81),
        ("SUBSCRIBE without a filter", packet(0x82, &[&[0, 1], none].concat()), 0x82),
        ("SUBSCRIBE with packet id 0", packet(0x82, &[&[0, 0], &filter(0)[2..]].concat()), 0x82),
        ("PUBREL with packet id 0", vec![0x62, 2, 0, 0], 0x81),
        ("PUBREL cut short", vec![0x62, 1, 0], 0x81),
        ("CONNACK from a client", vec![0x20, 2, 0, 0], 0x82),
        ("PINGRESP from a client", vec![0xd0, 0], 0x82),
        ("PUBACK for nothing", vec![0x40, 2, 0, 1], 0x82),
    ]
}

#[tokio::test]
async fn later_packets_of_mqtt_3() {
    let mut table: Vec<(&str, Vec<u8>, Reply)> =
        later_packets(false).into_iter().map(|(name, bytes, _)| (name, bytes, Nothing)).collect();
    table.push(("packet type 15", vec![0xf0, 0], Nothing));
    check_all(Some(&connect3("m", true)), &table).await;
}

#[tokio::test]
async fn later_packets_of_mqtt_5() {
    let mut table: Vec<(&str, Vec<u8>, Reply)> = later_packets(true)
        .into_iter()
        .map(|(name, bytes, code)| (name, bytes, Disconnect(code)))
        .collect();
    let with = |props: &[u8]| publish(0, "a", None, props, b"x");
    let without_topic = |props: &[u8]| publish(0, "", None, props, b"x");
    table.extend([
        ("topic alias 17 of 16", with(&[3, 35, 0, 17]), Disconnect(0x94)),
        ("an alias that was never given", without_topic(&[3, 35, 0, 5]), Disconnect(0x94)),
        ("topic alias twice", with(&[6, 35, 0, 1, 35, 0, 1]), Disconnect(0x82)),
        ("content type twice", with(&[8, 3, 0, 1, b'a', 3, 0, 1, b'a']), Disconnect(0x82)),
        ("a subscription identifier", with(&[2, 11, 1]), Disconnect(0x82)),
        ("a property of CONNECT", with(&[3, 33, 0, 1]), Disconnect(0x82)),
        ("a property that is none", with(&[2, 99, 0]), Disconnect(0x81)),
        ("properties beyond the end", with(&[99]), Disconnect(0x81)),
        ("a property cut short", with(&[2, 35, 0]), Disconnect(0x81)),
        ("no property length", packet(0x30, &text(b"a")), Disconnect(0x81)),
        ("a property length longer than need be", with(&[0x80, 0]), Disconnect(0x81)),
        ("U+0000 in the content type", with(&[4, 3, 0, 1, 0]), Disconnect(0x81)),
        ("a response topic with wildcards", with(&[4, 8, 0, 1, b'#']), Disconnect(0x90)),
        ("AUTH out of the blue", vec![0xf0, 0], Disconnect(0x82)),
        ("a session that grows at the end", vec![0xe0, 7, 0, 5, 17, 0, 0, 0, 9], Disconnect(0x82)),
    ]);
    check_all(Some(&connect5("m", true, &[])), &table).await;
}

/// Where the specification leaves the code open: it is one of those for malformed packets,
/// protocol errors and topic aliases.
#[tokio::test]
async fn packets_whose_code_is_ours_to_choose() {
    let house = House::open().await;
    let filter = |options: u8| packet(0x82, &[&[0, 1, 0][..], &text(b"a"), &[options]].concat());
    for (name, bytes) in [
        ("topic alias 0", publish(0, "a", None, &[3, 35, 0, 0], b"x")),
        ("subscription QoS 3", filter(3)),
        ("reserved subscription options", filter(0x80)),
        ("payload format 2", publish(0, "a", None, &[2, 1, 2], b"x")),
    ] {
        let (mut raw, _) = Raw::connected(&house, &connect5("m", true, &[])).await;
        raw.send(&bytes).await;
        let rest = raw.rest().await;
        let right = rest.first() == Some(&0xe0) && [0x81, 0x82, 0x94].contains(&rest[2]);
        assert!(right, "{name}: {rest:02x?}");
    }
    house.close().await;
}

#[tokio::test]
async fn more_in_flight_than_the_receive_maximum() {
    let settings = citytwin_ingest::endpoint::EndpointSettings { receive_maximum: 2, ..settings() };
    let house = House::with(super::house::Road::open(), settings).await;
    let (mut raw, connack) = Raw::connected(&house, &connect5("m", true, &[])).await;
    assert!(connack.windows(3).any(|window| window == [33, 0, 2]), "{connack:02x?}");
    let bytes: Vec<u8> =
        (1..=3).flat_map(|id| publish(0b0100, "a", Some(id), &[0], b"x")).collect();
    raw.send(&bytes).await;
    let rest = raw.rest().await;
    // What came before is taken and owed its answer.
    assert_eq!(rest[..8], [0x50, 2, 0, 1, 0x50, 2, 0, 2], "{rest:02x?}");
    assert_eq!((rest[8], rest[10]), (0xe0, 0x93), "{rest:02x?}");
    house.close().await;
}
