//! The endpoint's promises, over raw bytes: what is acknowledged when and in what order, what is
//! refused, what is told to the client, and how a connection ends.

use std::sync::Arc;

use citytwin_core::frame::DeadLetterReason;
use citytwin_ingest::endpoint::{ClosedReason, EndpointSettings, RefusedReason, TlsFiles};

use super::house::{House, Road, TOPIC, settings, soon};
use super::raw::{Raw, connect3, connect5, packet, publish, text};

fn message(flags: u8, id: u16, payload: &str) -> Vec<u8> {
    publish(flags, TOPIC, Some(id), &[0], payload.as_bytes())
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::with(Road::held(dir.path()), settings()).await;
    let (mut raw, _) = Raw::connected(&house, &connect5("a", true, &[])).await;
    raw.send(&[message(2, 1, "one"), message(4, 2, "two"), message(2, 3, "three")].concat()).await;
    // The disk is held. Pings are answered all the same, so what comes back now is no PUBACK.
    raw.ping().await;
    raw.ping().await;
    house.road.release();
    raw.expect(&[0x40, 2, 0, 1]).await;
    raw.expect(&[0x50, 2, 0, 2]).await;
    raw.expect(&[0x40, 2, 0, 3]).await;
    assert_eq!(house.road.payloads(3).await, ["one", "two", "three"]);
    assert_eq!(house.endpoint.counters().messages(), 3);
    house.close().await;
}

#[tokio::test]
async fn a_client_with_too_much_in_flight_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let settings = EndpointSettings { receive_maximum: 4, ..settings() };
    let house = House::with(Road::held(dir.path()), settings).await;
    let (mut raw, _) = Raw::connected(&house, &connect3("a", true)).await;
    let publish = |id: u16| publish(2, TOPIC, Some(id), &[], id.to_string().as_bytes());
    // One by one, so that they are not one read; MQTT 3.1.1 knows no Receive Maximum.
    for id in 1..=4 {
        raw.send(&publish(id)).await;
        raw.ping().await;
    }
    raw.send(&publish(5)).await;
    raw.send(&[0xc0, 0]).await;
    assert_eq!(house.endpoint.counters().messages(), 4, "the fifth stays in the socket");
    house.road.release();
    let mut answers = Vec::new();
    for _ in 0..6 {
        answers.push(raw.packet().await);
    }
    let pubacks: Vec<u8> = answers.iter().filter(|a| a[0] == 0x40).map(|a| a[3]).collect();
    assert_eq!(pubacks, [1, 2, 3, 4, 5]);
    house.close().await;
}

#[tokio::test]
async fn messages_of_every_qos_arrive_in_order_and_once() {
    let house = House::open().await;
    for (version, connect) in [(3, connect3("a", true)), (5, connect5("a", true, &[]))] {
        let (mut raw, _) = Raw::connected(&house, &connect).await;
        let none: &[u8] = if version == 5 { &[0] } else { &[] };
        let publish =
            |flags, id, payload: &str| publish(flags, TOPIC, id, none, payload.as_bytes());
        raw.send(&publish(0, None, "q0")).await;
        raw.send(&publish(2, Some(1), "q1")).await;
        raw.expect(&[0x40, 2, 0, 1]).await;
        raw.send(&publish(4, Some(2), "q2")).await;
        raw.expect(&[0x50, 2, 0, 2]).await;
        raw.send(&publish(12, Some(2), "q2")).await;
        raw.expect(&[0x50, 2, 0, 2]).await;
        raw.send(&[0x62, 2, 0, 2]).await;
        raw.expect(&[0x70, 2, 0, 2]).await;
        // Released: the packet id is free for another message.
        raw.send(&publish(4, Some(2), "q2 again")).await;
        raw.expect(&[0x50, 2, 0, 2]).await;
    }
    let expected = ["q0", "q1", "q2", "q2 again"];
    assert_eq!(house.road.payloads(8).await, [expected, expected].concat());
    house.close().await;
}

#[tokio::test]
async fn a_release_of_nothing_is_answered() {
    let house = House::open().await;
    let (mut raw, _) = Raw::connected(&house, &connect5("a", true, &[])).await;
    raw.send(&[0x62, 2, 0, 9]).await;
    let pubcomp = raw.packet().await;
    assert_eq!((pubcomp[0], &pubcomp[2..5]), (0x70, &[0, 9, 0x92][..]), "{pubcomp:02x?}");
    let (mut raw, _) = Raw::connected(&house, &connect3("b", true)).await;
    raw.send(&[0x62, 2, 0, 9]).await;
    raw.expect(&[0x70, 2, 0, 9]).await;
    house.close().await;
}

#[tokio::test]
async fn subscriptions_are_refused() {
    let house = House::open().await;
    let filters = [text(b"a"), vec![0], text(b"b/#"), vec![1]].concat();
    let (mut raw, _) = Raw::connected(&house, &connect3("a", true)).await;
    raw.send(&packet(0x82, &[&[0, 7][..], &filters].concat())).await;
    raw.expect(&[0x90, 4, 0, 7, 0x80, 0x80]).await;
    raw.send(&packet(0xa2, &[&[0, 8][..], &text(b"a")].concat())).await;
    raw.expect(&[0xb0, 2, 0, 8]).await;
    // MQTT 5: with a reason for people, unless they do not want one (23 = 0).
    for (props, explained) in [(&[][..], true), (&[23, 0], false)] {
        let (mut raw, _) = Raw::connected(&house, &connect5("a", true, props)).await;
        raw.send(&packet(0x82, &[&[0, 7, 0][..], &filters].concat())).await;
        let suback = raw.packet().await;
        assert_eq!((suback[0], &suback[2..4]), (0x90, &[0, 7][..]));
        assert!(suback.ends_with(&[0x87, 0x87]), "{suback:02x?}");
        assert_eq!(String::from_utf8_lossy(&suback).contains("not a broker"), explained);
        raw.send(&packet(0xa2, &[&[0, 8, 0][..], &text(b"a")].concat())).await;
        raw.expect(&[0xb0, 4, 0, 8, 0, 0x11]).await;
        raw.ping().await;
    }
    house.close().await;
}

#[tokio::test]
async fn a_client_of_mqtt_5_is_told_what_holds() {
    let house = House::open().await;
    // Will flag; a session for ever; keep-alive off; no client id.
    let mut body = text(b"MQTT");
    body.extend_from_slice(&[5, 0b110, 0, 0, 5, 17, 0xff, 0xff, 0xff, 0xff]);
    body.extend_from_slice(&[&text(b"")[..], &[0], &text(b"w"), &text(b"x")].concat());
    let (mut raw, connack) = Raw::connected(&house, &packet(0x10, &body)).await;
    let has = |what: &[u8]| connack.windows(what.len()).any(|window| window == what);
    assert!(has(&[33, 0x03, 0xe8]), "Receive Maximum 1000");
    assert!(has(&[39, 0, 4, 0x20, 0]), "Maximum Packet Size 256 + 8 KiB");
    assert!(has(&[34, 0, 16]), "Topic Alias Maximum 16");
    assert!(has(&[40, 0]) && has(&[41, 0]) && has(&[42, 0]), "no subscriptions");
    assert!(has(&[17, 0, 1, 0x51, 0x80]), "a session for a day");
    assert!(has(&[19, 0x0e, 0x10]), "keep-alive of an hour");
    assert!(has(b"citytwin-0-0"), "a client id");
    assert!(has(b"the will is ignored"), "no will");
    assert_eq!(house.endpoint.counters().wills_ignored(), 1);
    // Topic aliases: given with a topic, then used alone, then given anew.
    let publish =
        |topic: &str, payload: &str| publish(0, topic, None, &[3, 35, 0, 16], payload.as_bytes());
    let bytes =
        [publish("t/1", "a"), publish("", "b"), publish("t/2", "c"), publish("", "d")].concat();
    raw.send(&bytes).await;
    let letters = house.road.letters(4).await;
    let topics: Vec<&str> = letters.iter().map(|letter| letter.topic.as_str()).collect();
    assert_eq!(topics, ["t/1", "t/1", "t/2", "t/2"]);
    // The will is not published when the client is gone without a word.
    drop(raw);
    let road = house.close().await;
    assert_eq!(road.letters(4).await.len(), 4);
}

#[tokio::test]
async fn a_payload_that_is_too_long_is_set_aside_and_acknowledged() {
    let house = House::open().await;
    let publish = |qos_flags: u8, topic: &str, id: u16, payload: usize| {
        let mut body = text(topic.as_bytes());
        body.extend_from_slice(&id.to_be_bytes());
        body.resize(body.len() + payload, b'x');
        let mut len = body.len();
        let mut bytes = vec![0x30 | qos_flags];
        while len > 0 {
            let low = u8::try_from(len & 0x7f).unwrap();
            len >>= 7;
            bytes.push(if len > 0 { low | 0x80 } else { low });
        }
        bytes.extend_from_slice(&body);
        bytes
    };
    let (mut raw, _) = Raw::connected(&house, &connect3("a", true)).await;
    // Longer than a payload may be; longer than a packet may be, of QoS 1 and 2.
    for (flags, id, size) in [(2, 1, (256 << 10) + 1), (2, 2, 1 << 20), (4, 3, 3 << 20)] {
        raw.send(&publish(flags, TOPIC, id, size)).await;
        let answer = if flags == 2 { 0x40 } else { 0x50 };
        raw.expect(&[answer, 2, 0, u8::try_from(id).unwrap()]).await;
    }
    // Sent again, it is the same message.
    raw.send(&publish(12, TOPIC, 3, 3 << 20)).await;
    raw.expect(&[0x50, 2, 0, 3]).await;
    raw.send(&[0x62, 2, 0, 3]).await;
    raw.expect(&[0x70, 2, 0, 3]).await;
    raw.ping().await;
    let letters = house.road.letters(3).await;
    assert_eq!(letters.len(), 3);
    for (letter, size) in letters.iter().zip([(256 << 10) + 1, 1 << 20, 3 << 20]) {
        assert_eq!(letter.reason, DeadLetterReason::Oversize);
        assert_eq!((letter.topic.as_str(), letter.payload_bytes), (TOPIC, size));
        assert_eq!(letter.head, [b'x'; 1_024]);
    }
    assert_eq!(house.endpoint.counters().oversize(), 3);
    // An MQTT 5 client was told.
    let (mut raw, _) = Raw::connected(&house, &connect5("b", true, &[])).await;
    raw.send(&publish(2, TOPIC, 1, 1 << 20)[..64]).await;
    let rest = raw.rest().await;
    assert_eq!((rest[0], rest[2]), (0xe0, 0x95));
    assert_eq!(house.endpoint.counters().closed(ClosedReason::TooLarge), 1);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_falls_silent_is_dropped_after_one_and_a_half_keep_alives() {
    let house = House::open().await;
    let before = tokio::time::Instant::now();
    // The keep-alive of these is 60 s.
    let (mut v5, _) = Raw::connected(&house, &connect5("a", true, &[])).await;
    let (mut v3, _) = Raw::connected(&house, &connect3("b", true)).await;
    tokio::time::sleep(std::time::Duration::from_secs(80)).await;
    v5.ping().await;
    assert!(v3.rest_untimed().await.is_empty());
    assert_eq!(before.elapsed().as_secs(), 90, "3.1.1");
    let rest = v5.rest_untimed().await;
    assert_eq!((rest[0], rest[2]), (0xe0, 0x8d), "{rest:02x?}");
    assert_eq!(before.elapsed().as_secs(), 170, "5, counted from its ping");
    assert_eq!(house.endpoint.counters().closed(ClosedReason::KeepAlive), 2);
    house.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let house = House::open().await;
    let before = tokio::time::Instant::now();
    let mut raw = Raw::open(house.endpoint.local_addr()).await;
    assert!(raw.rest_untimed().await.is_empty());
    assert_eq!(before.elapsed().as_secs(), 10);
    assert_eq!(house.endpoint.counters().refused(RefusedReason::NoConnect), 1);
    house.close().await;
}

#[tokio::test]
async fn a_stop_pays_what_is_owed_and_says_goodbye() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::with(Road::held(dir.path()), settings()).await;
    let (mut v5, _) = Raw::connected(&house, &connect5("a", true, &[])).await;
    let (mut v3, _) = Raw::connected(&house, &connect3("b", true)).await;
    v5.send(&message(2, 1, "five")).await;
    v3.send(&publish(2, TOPIC, Some(1), &[], b"three")).await;
    let counters = house.endpoint.counters();
    while counters.messages() < 2 {
        tokio::task::yield_now().await;
    }
    house.shutdown.cancel();
    house.road.release();
    v5.expect(&[0x40, 2, 0, 1]).await;
    let rest = v5.rest().await;
    assert_eq!((rest[0], rest[2]), (0xe0, 0x8b), "{rest:02x?}");
    assert_eq!(v3.rest().await, [0x40, 2, 0, 1]);
    let road = house.close().await;
    assert_eq!(road.payloads(2).await.len(), 2);
}

#[tokio::test]
async fn users_and_their_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    std::fs::write(&users, "air:secret\n").unwrap();
    let settings = EndpointSettings { users: Some(users), ..settings() };
    let house = House::with(Road::open(), settings).await;
    for (user, v3, v5) in [
        (Some(("air", "secret")), 0, 0),
        (Some(("air", "wrong")), 4, 0x86),
        (Some(("loop", "secret")), 4, 0x86),
        (None, 5, 0x87),
    ] {
        for (level, code) in [(4, v3), (5, v5)] {
            let flags = if user.is_some() { 0b1100_0010 } else { 2 };
            let mut body = [&text(b"MQTT")[..], &[level, flags, 0, 60]].concat();
            body.extend_from_slice(if level == 5 { &[0] } else { &[] });
            body.extend_from_slice(&text(b"a"));
            for value in user.iter().flat_map(|(name, password)| [name, password]) {
                body.extend_from_slice(&text(value.as_bytes()));
            }
            let mut raw = Raw::open(house.endpoint.local_addr()).await;
            raw.send(&packet(0x10, &body)).await;
            let connack = raw.packet().await;
            assert_eq!(connack[3], code, "{user:?} {level}");
        }
    }
    assert_eq!(house.endpoint.counters().refused(RefusedReason::BadCredentials), 6);
    house.close().await;
}

#[tokio::test]
async fn one_connection_too_many() {
    let settings = EndpointSettings { max_connections: 2, ..settings() };
    let house = House::with(Road::open(), settings).await;
    let (mut first, _) = Raw::connected(&house, &connect5("a", true, &[])).await;
    let (second, _) = Raw::connected(&house, &connect5("b", true, &[])).await;
    for (connect, connack) in [(connect3("c", true), 3), (connect5("c", true, &[]), 0x89)] {
        let mut raw = Raw::open(house.endpoint.local_addr()).await;
        raw.send(&connect).await;
        assert_eq!(raw.rest().await[3], connack);
    }
    assert_eq!(house.endpoint.counters().refused(RefusedReason::TooMany), 2);
    first.ping().await;
    drop(second);
    while house.endpoint.connections() > 1 {
        tokio::task::yield_now().await;
    }
    Raw::connected(&house, &connect5("c", true, &[])).await.0.ping().await;
    house.close().await;
}

#[tokio::test]
async fn a_thousand_connections() {
    let house = House::open().await;
    let resident = || {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
    };
    // The first hundred pay for what all share.
    let mut all = Vec::new();
    let mut before = 0;
    for number in 0..1_000_u16 {
        if number == 100 {
            before = resident();
        }
        let id = format!("sensor-{number}");
        let (mut raw, _) = Raw::connected(&house, &connect5(&id, true, &[])).await;
        raw.send(&message(2, 1, &id)).await;
        all.push(raw);
    }
    for raw in &mut all {
        raw.expect(&[0x40, 2, 0, 1]).await;
    }
    let each = resident().saturating_sub(before) / 900;
    assert!(each < 10 << 10, "{each} bytes a connection, the client's side included");
    assert_eq!(house.endpoint.connections(), 1_000);
    assert_eq!(house.road.letters(1_000).await.len(), 1_000);
    for raw in &mut all {
        raw.ping().await;
    }
    house.close().await;
}

#[tokio::test]
async fn tls() {
    let dir = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles { cert: dir.path().join("cert.pem"), key: dir.path().join("key.pem") };
    std::fs::write(&files.cert, certified.cert.pem()).unwrap();
    std::fs::write(&files.key, certified.signing_key.serialize_pem()).unwrap();
    let house =
        House::with(Road::open(), EndpointSettings { tls: Some(files), ..settings() }).await;
    assert!(house.endpoint.is_tls());
    // Without TLS there is no coming in.
    let mut raw = Raw::open(house.endpoint.local_addr()).await;
    raw.send(&connect5("a", true, &[])).await;
    assert_ne!(raw.rest().await.first(), Some(&0x20));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let port = house.endpoint.local_addr().port();
    let mut options = rumqttc::v5::MqttOptions::new("tls", "localhost", port);
    options.set_transport(rumqttc::Transport::tls_with_config(config.into()));
    let (client, mut events) = rumqttc::v5::AsyncClient::new(options, 10);
    let payload = "x".repeat(100_000);
    let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
    client.publish(TOPIC, qos, false, payload).await.unwrap();
    soon(async {
        use rumqttc::v5::mqttbytes::v5::Packet;
        while !matches!(
            events.poll().await.unwrap(),
            rumqttc::v5::Event::Incoming(Packet::PubAck(_))
        ) {}
    })
    .await;
    assert_eq!(house.road.letters(1).await[0].payload_bytes, 100_000);
    assert_eq!(house.endpoint.counters().refused(RefusedReason::Tls), 1);
    house.close().await;
}
