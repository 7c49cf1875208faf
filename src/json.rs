//! The API's messages as protobuf JSON, by the same descriptors that reflection serves. Fields
//! without presence are written even when zero, so that a script finds every count.
//!
//! [`value`] and [`of_value`] have the fields under the names of the .proto file and all integers as
//! numbers: what serde reads into a type with the same fields.

use std::sync::LazyLock;

use anyhow::{Context as _, Result};
use citytwin_proto::{FILE_DESCRIPTOR_SET, v1};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

/// A message with its name in the descriptors.
pub trait Named: prost::Message {
    /// Full name, `citytwin.v1.SensorState`.
    const NAME: &'static str;
}

macro_rules! named {
    ($($message:ident),* $(,)?) => {
        $(impl Named for v1::$message {
            const NAME: &'static str = concat!("citytwin.v1.", stringify!($message));
        })*
        /// All named messages; a test holds them against the descriptors.
        #[cfg(test)]
        const NAMES: &[&str] = &[$(<v1::$message as Named>::NAME),*];
    };
}

named!(
    GetStatusResponse,
    SensorState,
    ListSensorsResponse,
    RegisterSensorResponse,
    QueryAreaResponse,
    NearestResponse,
    WatchResponse,
    GetLedgerResponse,
    ListDeadLettersResponse,
    ListPlacesResponse,
    Network,
    RoadLink,
    ListNetworksResponse,
    ListMatchesResponse,
    Calibration,
    Scenario,
    PlannedScenario,
    ListScenariosResponse,
    Outcome,
    Reproduction,
    GetOutcomeResponse,
    CompareOutcomesResponse,
    ReadSensorResponse,
    ReadWindowsResponse,
    QueryAreaAtResponse,
);

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build wrote these descriptors")
});

/// One line without line feeds.
///
/// # Errors
/// Never in practice: the message and its descriptor come from the same file.
pub fn line<M: Named>(message: &M) -> Result<String> {
    let mut text = Vec::new();
    write(message, &mut serde_json::Serializer::new(&mut text))?;
    String::from_utf8(text).context("JSON is UTF-8")
}

/// For people, on several lines.
///
/// # Errors
/// Never in practice: the message and its descriptor come from the same file.
pub fn pretty<M: Named>(message: &M) -> Result<String> {
    let mut text = Vec::new();
    write(message, &mut serde_json::Serializer::pretty(&mut text))?;
    String::from_utf8(text).context("JSON is UTF-8")
}

/// As [`line()`] writes it, for what is made of several messages.
///
/// # Errors
/// Never in practice: the message and its descriptor come from the same file.
pub fn tree<M: Named>(message: &M) -> Result<Value> {
    let options = SerializeOptions::new().skip_default_fields(false);
    let dynamic = dynamic(message)?;
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).context(M::NAME)
}

/// A message as a JSON value.
///
/// # Errors
/// Never in practice: the message and its descriptor come from the same file.
pub fn value<M: Named>(message: &M) -> Result<Value> {
    let options = SerializeOptions::new()
        .skip_default_fields(false)
        .use_proto_field_name(true)
        .stringify_64_bit_integers(false);
    let dynamic = dynamic(message)?;
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).context(M::NAME)
}

/// A message from a JSON value; fields may be absent.
///
/// # Errors
/// When the message has no such field, or one of another kind.
pub fn of_value<M: Named + Default>(value: Value) -> Result<M> {
    let message = DynamicMessage::deserialize(descriptor::<M>()?, value).context(M::NAME)?;
    message.transcode_to().context(M::NAME)
}

fn descriptor<M: Named>() -> Result<MessageDescriptor> {
    POOL.get_message_by_name(M::NAME).with_context(|| format!("no message {}", M::NAME))
}

fn dynamic<M: Named>(message: &M) -> Result<DynamicMessage> {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(descriptor::<M>()?, bytes.as_slice()).context(M::NAME)
}

fn write<M, S>(message: &M, serializer: S) -> Result<()>
where
    M: Named,
    S: serde::Serializer<Error = serde_json::Error>,
{
    let options = SerializeOptions::new().skip_default_fields(false);
    dynamic(message)?.serialize_with_options(serializer, &options).context(M::NAME)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;

    /// JSON → message → JSON, and the message in between equals the first.
    fn round_trip<M: Named + Default + PartialEq + std::fmt::Debug>(message: &M) {
        let text = line(message).unwrap();
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let descriptor = pool.get_message_by_name(M::NAME).unwrap();
        let mut reader = serde_json::Deserializer::from_str(&text);
        let dynamic = DynamicMessage::deserialize(descriptor, &mut reader).unwrap();
        let back = M::decode(dynamic.encode_to_vec().as_slice()).unwrap();
        assert_eq!(&back, message, "{text}");
        assert!(!text.contains('\n'));
        assert!(pretty(message).unwrap().len() >= text.len());
    }

    fn sensor() -> v1::SensorState {
        v1::SensorState {
            sensor: "hcmc/L-1".into(),
            description: Some(citytwin_proto::ingest::v1::SensorDescription {
                kind: 1,
                latitude_deg: 10.77,
                longitude_deg: 106.7,
                name: "Cầu Sài Gòn".into(),
                ..Default::default()
            }),
            cell: "8965a6a0003ffff".into(),
            health: v1::SensorHealth::Live.into(),
            latest: vec![v1::LatestReading {
                quantity: 1,
                value: 0.0,
                event_time: Some(prost_types::Timestamp {
                    seconds: 1_700_000_000,
                    nanos: 123_000_000,
                }),
                epoch: u64::MAX,
                stuck: true,
            }],
            ledger: Some(v1::LedgerEntry { received: 3, applied: 3, ..Default::default() }),
            as_of: Some(v1::AsOf { epoch: 7, arrival_time: None, watermark: None }),
            ..Default::default()
        }
    }

    #[test]
    fn every_message_round_trips() {
        round_trip(&sensor());
        round_trip(&v1::GetStatusResponse {
            doors: vec!["x".into()],
            frontier_lag_s: 0.25,
            ..Default::default()
        });
        round_trip(&v1::ListSensorsResponse { sensors: vec![sensor()], ..Default::default() });
        round_trip(&v1::RegisterSensorResponse { sensor: "a/b".into(), epoch: 1 });
        let cell = v1::CellState {
            cell: "88".into(),
            traffic: Some(v1::TrafficState {
                level_of_service: v1::LevelOfService::F.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        round_trip(&v1::QueryAreaResponse { cells: vec![cell.clone()], ..Default::default() });
        let neighbour = v1::Neighbour { sensor: Some(sensor()), distance_m: 1.5 };
        round_trip(&v1::NearestResponse { neighbours: vec![neighbour], ..Default::default() });
        round_trip(&v1::WatchResponse {
            full: true,
            cells: vec![cell],
            lag_ms: -1,
            ..Default::default()
        });
        let ledger =
            v1::SensorLedger { sensor: "a/b".into(), ledger: Some(v1::LedgerEntry::default()) };
        round_trip(&v1::GetLedgerResponse { sensors: vec![ledger], ..Default::default() });
        let letter = v1::DeadLetter { head: vec![0, 255], ..Default::default() };
        round_trip(&v1::ListDeadLettersResponse { dead_letters: vec![letter] });
        round_trip(&v1::ListPlacesResponse { places: vec![v1::Place::default()] });
    }

    #[test]
    fn every_name_is_in_the_descriptors_and_zeros_are_written() {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        for name in NAMES {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
        let text = line(&v1::RegisterSensorResponse::default()).unwrap();
        assert_eq!(text, r#"{"sensor":"","epoch":"0"}"#);
    }
}
