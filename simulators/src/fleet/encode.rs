//! Payloads: readings as protobuf or JSON. The JSON is that of protobuf with the names of the
//! fields as in the .proto file, quantities by name.

use citytwin_proto::ingest::v1::{Quantity, Reading, ReadingBatch};
use prost::Message as _;
use serde::Serialize;

use super::{Planned, SimSensor};
use crate::spec::Encoding;

/// Who a message's readings are named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The topic names the one sensor.
    Topic,
    /// Every reading names its own.
    Reading,
}

/// Writes payloads; keeps its buffers.
#[derive(Clone, Debug, Default)]
pub(super) struct Encoder {
    batch: ReadingBatch,
}

#[derive(Serialize)]
struct JsonBatch<'a> {
    readings: Vec<JsonReading<'a>>,
}

#[derive(Serialize)]
struct JsonReading<'a> {
    quantity: &'static str,
    event_time_ms: i64,
    value: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    sensor: &'a str,
}

impl Encoder {
    /// One message with these readings.
    pub(super) fn payload(
        &mut self,
        readings: &[Planned],
        sensors: &[SimSensor],
        naming: Naming,
        encoding: Encoding,
    ) -> Vec<u8> {
        let name = |reading: &Planned| match naming {
            Naming::Topic => "",
            Naming::Reading => sensors[reading.sensor as usize].id.as_str(),
        };
        match encoding {
            Encoding::Protobuf => {
                let blank = Reading::default();
                self.batch.readings.resize(readings.len(), blank);
                for (slot, reading) in self.batch.readings.iter_mut().zip(readings) {
                    slot.quantity = reading.quantity.into();
                    slot.event_time_ms = reading.event_time_ms;
                    slot.value = reading.value;
                    slot.sensor.clear();
                    slot.sensor.push_str(name(reading));
                }
                self.batch.encode_to_vec()
            }
            Encoding::Json => {
                let readings = readings.iter().map(|reading| JsonReading {
                    quantity: reading.quantity.as_str_name(),
                    event_time_ms: reading.event_time_ms,
                    value: reading.value,
                    sensor: name(reading),
                });
                let batch = JsonBatch { readings: readings.collect() };
                serde_json::to_vec(&batch).expect("numbers and plain text are JSON")
            }
        }
    }

    /// One reading of a sensor that the topic names and nobody knows.
    pub(super) fn stranger(&mut self, time_ms: i64, encoding: Encoding) -> Vec<u8> {
        let reading = Planned {
            sensor: 0,
            quantity: Quantity::TemperatureC,
            event_time_ms: time_ms,
            value: 20.0,
            expect: super::Expectation::Taken,
        };
        self.payload(&[reading], &[], Naming::Topic, encoding)
    }
}
