//! Over the wire: port 0, a real client, health, reflection, a client that does not read, the end.

use std::time::Duration;

use citytwin_proto::v1;
use citytwin_proto::v1::area::Shape;
use citytwin_proto::v1::operator_client::OperatorClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::service::Health;

use super::*;

const WINDOW_BYTES: u32 = 65_535;

async fn served(town: &Town) -> (Channel, JoinHandle<Result<(), ServerError>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = Health::new(Arc::clone(&town.city));
    let running = tokio::spawn(serve(town.served(health), listener, town.shutdown.clone()));
    // What the transport takes in for a client that does not read; the default is 2 MiB.
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = channel.initial_stream_window_size(WINDOW_BYTES);
    (channel.connect().await.unwrap(), running)
}

fn everywhere() -> v1::WatchRequest {
    let shape = Some(Shape::Everywhere(v1::Everywhere {}));
    v1::WatchRequest { area: Some(v1::Area { shape }), ..Default::default() }
}

#[tokio::test]
async fn a_client_that_does_not_read_costs_one_message_and_then_gets_the_newest() {
    let mut town = Town::new(500);
    let (channel, _running) = served(&town).await;
    let mut client = OperatorClient::new(channel);
    let mut stream = client.watch(everywhere()).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().unwrap().full);
    for round in 0..300 {
        town.epoch(|snapshot, epoch| {
            (0..500).for_each(|n| report(snapshot, epoch, n, f64::from(round)));
        });
        tokio::task::yield_now().await;
    }
    let last = town.snapshot.epoch.number();
    let (mut messages, mut folded, mut end) = (0, 0, 0);
    while end < last {
        let message = stream.message().await.unwrap().unwrap();
        messages += 1;
        folded += message.conflated_epochs;
        end = message.as_of.unwrap().epoch;
    }
    assert!(messages < 10, "{messages} messages: more than fit the window and one in the making");
    assert_eq!(messages + folded, 300, "every epoch is told or folded");
    let state = client.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(state.watchers, 1);
}

#[tokio::test]
async fn shutdown_ends_watches_and_the_server() {
    let town = Town::new(10);
    let (channel, running) = served(&town).await;
    let mut client = OperatorClient::new(channel);
    let mut stream = client.watch(everywhere()).await.unwrap().into_inner();
    stream.message().await.unwrap();
    town.shutdown.cancel();
    let status = stream.message().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("shutting down"), "{status}");
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_refusal_crosses_the_wire_whole() {
    let town = Town::new(10);
    let (channel, _running) = served(&town).await;
    let mut client = OperatorClient::new(channel);
    let request = v1::GetSensorRequest { sensor: "town/none".into() };
    let status = client.get_sensor(request).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(status.message().contains("town/none"), "{status}");
}

#[tokio::test]
async fn health_says_whether_readings_are_acknowledged() {
    for (state, expected) in [
        (State::Serving, ServingStatus::Serving),
        (State::Recovering, ServingStatus::NotServing),
        (State::DiskFull, ServingStatus::NotServing),
        (State::Failed, ServingStatus::NotServing),
    ] {
        let town = Town::new(1);
        town.vitals.lock().unwrap().state = state;
        let (channel, _running) = served(&town).await;
        let mut health = HealthClient::new(channel);
        for service in ["", "citytwin.v1.Operator"] {
            let request = HealthCheckRequest { service: service.to_owned() };
            let answer = health.check(request).await.unwrap().into_inner();
            assert_eq!(answer.status(), expected, "{state:?} {service}");
        }
    }
}

#[tokio::test]
async fn health_follows_the_state() {
    let town = Town::new(1);
    let (channel, _running) = served(&town).await;
    let mut health = HealthClient::new(channel);
    let request = HealthCheckRequest { service: String::new() };
    let mut stream = health.watch(request).await.unwrap().into_inner();
    assert_eq!(stream.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    town.vitals.lock().unwrap().state = State::DiskFull;
    let mut status = stream.message().await.unwrap().unwrap().status();
    while status == ServingStatus::Serving {
        status = stream.message().await.unwrap().unwrap().status();
    }
    assert_eq!(status, ServingStatus::NotServing);
}

#[tokio::test]
async fn reflection_names_the_services_in_both_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let town = Town::new(1);
    let (channel, _running) = served(&town).await;
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let answer = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let answer = answer.into_inner().message().await.unwrap().unwrap();
    let text = format!("{answer:?}");
    assert!(text.contains("citytwin.v1.Operator") && text.contains("grpc.health.v1"), "{text}");
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "citytwin.v1.Operator".to_owned(),
            ),
        ),
    };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answer = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let answer = answer.into_inner().message().await.unwrap().unwrap();
    assert!(format!("{answer:?}").contains("FileDescriptorResponse"));
}
