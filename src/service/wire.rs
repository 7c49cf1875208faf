//! From the domain to the wire, by hand: one function a message. Nothing is decided here.

use citytwin_core::frame::{DeadLetter, DeadLetterReason};
use citytwin_core::ledger::LedgerEntry;
use citytwin_core::reading::RefusalReason;
use citytwin_core::sensor::SensorDescription;
use citytwin_core::time::{ArrivalTime, Epoch, EventTime};
use citytwin_core::twin::{
    CellState, DeadLetters, Health, LevelOfService, QuantityAggregate, SensorCounts, SensorView,
    Snapshot, TrafficState,
};
use citytwin_proto::{ingest, v1};
use h3o::Resolution;
use prost_types::Timestamp;

use super::places::Place;

/// Milliseconds since the Unix epoch.
fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1_000) * 1_000_000);
    let nanos = nanos.expect("a remainder of 1000 million nanoseconds fits");
    Timestamp { seconds: ms.div_euclid(1_000), nanos }
}

/// Our time.
pub fn arrival_time(time: ArrivalTime) -> Timestamp {
    timestamp(time.ms())
}

fn event_time(time: EventTime) -> Option<Timestamp> {
    (time > EventTime::MIN).then(|| timestamp(time.ms()))
}

/// For which point of time an answer holds; of an empty log there is none.
pub fn as_of(snapshot: &Snapshot) -> v1::AsOf {
    as_of_epoch(snapshot.epoch, snapshot.watermark)
}

/// The same of a snapshot that is no longer at hand.
pub fn as_of_epoch(epoch: Epoch, watermark: EventTime) -> v1::AsOf {
    v1::AsOf {
        epoch: epoch.number(),
        arrival_time: (epoch > Epoch::ZERO).then(|| arrival_time(epoch.end())),
        watermark: event_time(watermark),
    }
}

/// How many sensors.
pub fn counts(counts: SensorCounts) -> v1::SensorCounts {
    let SensorCounts { sensors, live, silent, never_heard, suspect } = counts;
    v1::SensorCounts { sensors, live, silent, never_heard, suspect }
}

/// Latest values, summed up.
pub fn aggregate(aggregate: &QuantityAggregate) -> v1::QuantityAggregate {
    let QuantityAggregate { quantity, sensors, mean, min, max, sum } = *aggregate;
    v1::QuantityAggregate { quantity: i32::from(quantity.number()), sensors, mean, min, max, sum }
}

/// The state of traffic.
pub fn traffic(traffic: &TrafficState) -> v1::TrafficState {
    let level = match traffic.level_of_service {
        None => v1::LevelOfService::Unspecified,
        Some(LevelOfService::A) => v1::LevelOfService::A,
        Some(LevelOfService::B) => v1::LevelOfService::B,
        Some(LevelOfService::C) => v1::LevelOfService::C,
        Some(LevelOfService::D) => v1::LevelOfService::D,
        Some(LevelOfService::E) => v1::LevelOfService::E,
        Some(LevelOfService::F) => v1::LevelOfService::F,
    };
    v1::TrafficState {
        mean_speed_kmh: traffic.mean_speed_kmh,
        flow_veh_h: traffic.flow_veh_h,
        density_veh_km: traffic.density_veh_km,
        speed_ratio: traffic.speed_ratio,
        level_of_service: level.into(),
        sensors: traffic.sensors,
    }
}

/// A cell.
pub fn cell(cell: &CellState) -> v1::CellState {
    v1::CellState {
        cell: cell.cell.to_string(),
        counts: Some(counts(cell.counts)),
        quantities: cell.quantities.iter().map(aggregate).collect(),
        traffic: cell.traffic.as_ref().map(traffic),
    }
}

/// A sensor without its ledger and without the point of time, which its list has.
pub fn sensor(view: &SensorView) -> v1::SensorState {
    let latest = view.latest.iter().map(|reading| v1::LatestReading {
        quantity: i32::from(reading.quantity.number()),
        value: reading.value,
        event_time: event_time(reading.event_time),
        epoch: reading.epoch.number(),
        stuck: reading.stuck,
    });
    v1::SensorState {
        sensor: view.registered.key.to_string(),
        description: Some(description(&view.registered.description)),
        cell: view.registered.description.position.cell(Resolution::Nine).to_string(),
        health: health(view.health).into(),
        latest: latest.collect(),
        last_arrival_time: view.last_arrival.map(|epoch| arrival_time(epoch.end())),
        ledger: None,
        as_of: None,
    }
}

fn health(health: Health) -> v1::SensorHealth {
    match health {
        Health::NeverHeard => v1::SensorHealth::NeverHeard,
        Health::Live => v1::SensorHealth::Live,
        Health::Silent => v1::SensorHealth::Silent,
        Health::Stuck => v1::SensorHealth::Stuck,
    }
}

/// A description.
pub fn description(description: &SensorDescription) -> ingest::v1::SensorDescription {
    ingest::v1::SensorDescription {
        kind: i32::from(description.kind.number()),
        latitude_deg: description.position.latitude_deg(),
        longitude_deg: description.position.longitude_deg(),
        expected_interval_ms: i64::from(description.expected_interval_ms),
        name: description.name.clone(),
        link: description.link.clone(),
        lane: description.lane,
        zone: description.zone.clone(),
        free_flow_speed_kmh: description.free_flow_speed_kmh,
        lanes: description.lanes,
    }
}

/// What became of readings; every reason is listed, so that it can be seen to add up.
pub fn ledger(entry: &LedgerEntry) -> v1::LedgerEntry {
    let refused = RefusalReason::all().map(|reason| v1::RefusedCount {
        reason: reason.name().to_owned(),
        readings: entry.refused[reason.slot()],
    });
    v1::LedgerEntry {
        received: entry.received(),
        applied: entry.applied,
        duplicate: entry.duplicate,
        late_applied: entry.late_applied,
        refused: refused.collect(),
    }
}

/// How many messages were set aside, by reason.
pub fn dead_letter_counts(letters: &DeadLetters) -> Vec<v1::DeadLetterCount> {
    let count = |reason: DeadLetterReason| v1::DeadLetterCount {
        reason: reason.name().to_owned(),
        messages: letters.count(reason),
    };
    DeadLetterReason::all().map(count).collect()
}

/// A message that was set aside.
pub fn dead_letter((epoch, letter): (Epoch, &DeadLetter)) -> v1::DeadLetter {
    v1::DeadLetter {
        epoch: epoch.number(),
        arrival_time: Some(arrival_time(epoch.end())),
        reason: letter.reason.name().to_owned(),
        detail: letter.detail.clone(),
        topic: letter.topic.clone(),
        head: letter.head.clone(),
        payload_bytes: letter.payload_bytes,
    }
}

/// A named place.
pub fn place(place: &Place) -> v1::Place {
    v1::Place { id: place.id.clone(), name: place.name.clone(), kind: place.kind.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_on_both_sides_of_1970() {
        let table = [(0, 0, 0), (1_500, 1, 500_000_000), (-1, -1, 999_000_000)];
        for (ms, seconds, nanos) in table {
            assert_eq!(timestamp(ms), Timestamp { seconds, nanos });
        }
        assert_eq!(event_time(EventTime::MIN), None);
    }

    #[test]
    fn numbers_of_the_wire_are_those_of_the_domain() {
        use citytwin_core::quantity::Quantity;
        use citytwin_core::sensor::SensorKind;
        for quantity in Quantity::all() {
            let wire = ingest::v1::Quantity::try_from(i32::from(quantity.number())).unwrap();
            let name = format!("QUANTITY_{}", quantity.name().to_uppercase());
            assert_eq!(wire.as_str_name(), name);
        }
        for kind in SensorKind::all() {
            let wire = ingest::v1::SensorKind::try_from(i32::from(kind.number())).unwrap();
            assert_eq!(wire.as_str_name(), format!("SENSOR_KIND_{}", kind.name().to_uppercase()));
        }
    }

    #[test]
    fn a_ledger_adds_up_on_the_wire() {
        let entry =
            LedgerEntry { applied: 5, duplicate: 2, late_applied: 1, refused: [1, 2, 3, 4, 5] };
        let wire = ledger(&entry);
        let refused: u64 = wire.refused.iter().map(|count| count.readings).sum();
        assert_eq!(wire.received, 23);
        assert_eq!(wire.received, wire.applied + wire.duplicate + wire.late_applied + refused);
        assert_eq!(wire.refused[2].reason, "clock_ahead");
    }
}
