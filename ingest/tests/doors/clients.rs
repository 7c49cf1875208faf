//! rumqttc, a client that is not ours, in both versions against the endpoint.

use std::time::Duration;

use super::house::{House, TOPIC, soon};

const MESSAGES: usize = 500;

#[tokio::test]
async fn rumqttc_in_version_3() {
    let house = House::open().await;
    for (qos, id) in [
        (rumqttc::QoS::AtMostOnce, "q0"),
        (rumqttc::QoS::AtLeastOnce, "q1"),
        (rumqttc::QoS::ExactlyOnce, "q2"),
    ] {
        use rumqttc::{Event, Packet};
        let port = house.endpoint.local_addr().port();
        let mut options = rumqttc::MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5));
        let (client, mut events) = rumqttc::AsyncClient::new(options, MESSAGES + 10);
        for number in 0..MESSAGES {
            client.publish(TOPIC, qos, false, format!("{id} {number}")).await.unwrap();
        }
        let mut acknowledged = 0;
        soon(async {
            while qos != rumqttc::QoS::AtMostOnce && acknowledged < MESSAGES {
                let event = events.poll().await.unwrap();
                let last = matches!(event, Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)));
                acknowledged += usize::from(last);
            }
            client.disconnect().await.unwrap();
            while events.poll().await.is_ok() {}
        })
        .await;
    }
    check(&house.road.payloads(3 * MESSAGES).await);
    house.close().await;
}

#[tokio::test]
async fn rumqttc_in_version_5() {
    use rumqttc::v5::mqttbytes::{QoS, v5::Packet};
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    let house = House::open().await;
    for (qos, id) in [(QoS::AtMostOnce, "q0"), (QoS::AtLeastOnce, "q1"), (QoS::ExactlyOnce, "q2")] {
        let port = house.endpoint.local_addr().port();
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_keep_alive(Duration::from_secs(5)).set_topic_alias_max(Some(10));
        let (client, mut events) = AsyncClient::new(options, MESSAGES + 10);
        for number in 0..MESSAGES {
            client.publish(TOPIC, qos, false, format!("{id} {number}")).await.unwrap();
        }
        let mut acknowledged = 0;
        soon(async {
            while qos != QoS::AtMostOnce && acknowledged < MESSAGES {
                let event = events.poll().await.unwrap();
                let last = matches!(event, Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_)));
                acknowledged += usize::from(last);
            }
            client.disconnect().await.unwrap();
            while events.poll().await.is_ok() {}
        })
        .await;
    }
    check(&house.road.payloads(3 * MESSAGES).await);
    house.close().await;
}

/// Every message once, in order within its connection.
fn check(payloads: &[String]) {
    for id in ["q0", "q1", "q2"] {
        let got: Vec<&String> = payloads.iter().filter(|payload| payload.starts_with(id)).collect();
        let sent: Vec<String> = (0..MESSAGES).map(|number| format!("{id} {number}")).collect();
        assert_eq!(got, sent.iter().collect::<Vec<_>>());
    }
}
