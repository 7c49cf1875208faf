//! What must hold for any bytes: the entry points of the fuzz targets, also fed with a small corpus
//! by `ingest/tests/fuzz_entries.rs`. Each one panics when a promise is broken.

use citytwin_core::frame::Frame;
use citytwin_core::time::Epoch;
use citytwin_ingest::decode::{self, Batch};
use citytwin_ingest::log::frame::{self, HEADER_BYTES, Place};
use citytwin_proto::ingest::v1;
use prost::Message as _;

const PROTOBUF: Option<&str> = Some("application/x-protobuf");
const JSON: Option<&str> = Some("application/json");

/// Our reader and the generated code agree on what a batch is and what it says.
pub fn decode_protobuf(data: &[u8]) {
    drop(decode::about(data, PROTOBUF));
    let ours = decode::readings(data, PROTOBUF);
    let theirs = v1::ReadingBatch::decode(data)
        .ok()
        .filter(|batch| batch.readings.iter().all(|reading| (1..=24).contains(&reading.quantity)));
    match (ours, theirs) {
        (Ok(batch), Some(theirs)) => assert_eq!(bits(&wire(&batch)), bits(&theirs)),
        (Err(_), None) => {}
        (ours, theirs) => panic!("ours {ours:?}, theirs {theirs:?}"),
    }
}

/// What is read from JSON reads back the same from protobuf.
pub fn decode_json(data: &[u8]) {
    drop(decode::about(data, JSON));
    if let Ok(batch) = decode::readings(data, JSON) {
        let wire = wire(&batch);
        let bytes = wire.encode_to_vec();
        let again = decode::readings(&bytes, PROTOBUF).expect("a valid batch");
        let expected = v1::ReadingBatch::decode(bytes.as_slice()).expect("a valid batch");
        assert_eq!(bits(&self::wire(&again)), bits(&expected));
    }
}

/// No bytes crash the frame decoder, not even behind a right checksum; and what it takes for a
/// frame is written again byte for byte.
pub fn log_frame(data: &[u8]) {
    let place = Place { segment: Epoch::new(7), offset: 32 };
    drop(frame::decode(data, place));
    let Some((numbers, body)) = data.split_first_chunk::<14>() else { return };
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[0..4].copy_from_slice(b"FRM1");
    bytes[4..8]
        .copy_from_slice(&u32::try_from(body.len()).expect("fuzz inputs are small").to_le_bytes());
    bytes[8..12].copy_from_slice(&numbers[0..4]);
    bytes[16] = 1;
    bytes[17] = numbers[4] & 1;
    bytes[20..22].copy_from_slice(&numbers[5..7]);
    bytes[24..26].copy_from_slice(&numbers[7..9]);
    let mut crc = crc32fast::Hasher::new();
    crc.update(&7_u64.to_le_bytes());
    crc.update(&32_u64.to_le_bytes());
    crc.update(&bytes[..28]);
    crc.update(body);
    bytes[28..32].copy_from_slice(&crc.finalize().to_le_bytes());
    bytes.extend_from_slice(body);
    if let Ok(found) = frame::decode(&bytes, place) {
        let again = write(&found, place);
        let found = frame::decode(&again, place).expect("what was written reads");
        assert_eq!(write(&found, place), again);
    }
}

fn write(found: &Frame, place: Place) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::encode(found, place, &mut bytes).expect("no larger than what was read");
    bytes
}

fn wire(batch: &Batch<'_>) -> v1::ReadingBatch {
    let readings = batch.readings.iter().map(|raw| v1::Reading {
        quantity: i32::from(raw.quantity.number()),
        event_time_ms: raw.event_time.ms(),
        value: raw.value,
        sensor: raw.sensor.to_string(),
    });
    v1::ReadingBatch { sensor: batch.sensor.to_string(), readings: readings.collect() }
}

/// Comparable even where a value is NaN.
fn bits(batch: &v1::ReadingBatch) -> (String, Vec<(i32, i64, u64, String)>) {
    let reading =
        |r: &v1::Reading| (r.quantity, r.event_time_ms, r.value.to_bits(), r.sensor.clone());
    (batch.sensor.clone(), batch.readings.iter().map(reading).collect())
}
