//! What a reading takes on disk, on a fleet as a city has it: 50,000 sensors of several kinds,
//! each at its own fixed interval and phase, values with one or two decimals that wander as
//! measurements do, transport that takes 20 to 400 ms, one reading in a hundred late.
//!
//! Not a timed test: the same seed gives the same bytes.

use std::sync::Arc;

use citytwin_core::dataflow::{AppliedReading, ClosedEpoch, Lateness};
use citytwin_core::frame::SensorChange;
use citytwin_core::position::Position;
use citytwin_core::quantity::Quantity;
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey, SensorKind};
use citytwin_core::time::{EventTime, TimeMode};
use citytwin_core::twin::Snapshot;
use h3o::Resolution;
use tempfile::TempDir;

use super::*;

const SENSORS: u32 = 50_000;
const EPOCHS: u64 = 900;
const START: u64 = 17_953_308_000;

impl State for u8 {
    fn newest_event_time(&self) -> EventTime {
        EventTime::MIN
    }
}

/// Splitmix64: chance enough, and the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// About normal, mean 0, deviation 1.
    fn wander(&mut self) -> f64 {
        (0..6).map(|_| self.below(1_000_000) as f64 / 1e6 - 0.5).sum::<f64>() * 1.4
    }
}

/// Quantity, mean, deviation between readings, decimals.
type Signal = (Quantity, f64, f64, i32);

fn kind(number: u32) -> (SensorKind, i64, &'static [Signal]) {
    match number % 20 {
        0..12 => (
            SensorKind::TrafficLoop,
            10_000,
            &[
                (Quantity::SpeedKmh, 32.0, 6.0, 1),
                (Quantity::FlowVehH, 900.0, 90.0, -1),
                (Quantity::OccupancyRatio, 0.2, 0.05, 3),
            ],
        ),
        12..15 => (SensorKind::StreetLight, 60_000, &[(Quantity::LampPowerW, 80.0, 2.0, 1)]),
        15..17 => (
            SensorKind::AirStation,
            60_000,
            &[
                (Quantity::Pm25UgM3, 35.0, 4.0, 1),
                (Quantity::Pm10UgM3, 60.0, 6.0, 1),
                (Quantity::No2UgM3, 40.0, 5.0, 1),
                (Quantity::TemperatureC, 29.0, 0.3, 1),
                (Quantity::HumidityRatio, 0.7, 0.01, 3),
            ],
        ),
        17 => (SensorKind::WaterLevel, 60_000, &[(Quantity::WaterLevelM, 1.2, 0.01, 2)]),
        18 => (SensorKind::Noise, 10_000, &[(Quantity::NoiseDba, 65.0, 3.0, 1)]),
        _ => (SensorKind::PowerMeter, 15_000, &[(Quantity::PowerKw, 120.0, 8.0, 2)]),
    }
}

fn sensors(dice: &mut Dice) -> Vec<SensorChange> {
    let mut of = |number: u32| SensorChange {
        index: SensorIndex::new(number),
        key: SensorKey::parse(&format!("hcmc/{}-{number:05}", kind(number).0.name())).unwrap(),
        description: SensorDescription {
            kind: kind(number).0,
            position: Position::new(
                10.65 + dice.below(250_000) as f64 / 1e6,
                106.55 + dice.below(300_000) as f64 / 1e6,
            )
            .unwrap(),
            expected_interval_ms: 10_000,
            name: String::new(),
            link: String::new(),
            lane: 0,
            zone: String::new(),
            free_flow_speed_kmh: 50.0,
            lanes: 2,
        },
    };
    (0..SENSORS).map(&mut of).collect()
}

/// Readings of all epochs, by epoch of arrival.
fn readings(dice: &mut Dice, epochs: u64) -> Vec<Vec<AppliedReading>> {
    let mut by_epoch = vec![Vec::new(); usize::try_from(epochs).unwrap()];
    let (begin, end) = ((START * 100).cast_signed(), ((START + epochs) * 100).cast_signed());
    for sensor in 0..SENSORS {
        let (_, interval, signals) = kind(sensor);
        let mut level: Vec<f64> = signals.iter().map(|(_, mean, ..)| *mean).collect();
        let mut event_time = begin + dice.below(interval.cast_unsigned()).cast_signed();
        while event_time < end {
            let late = dice.below(100) == 0;
            let travel = 20 + dice.below(380) + if late { 15_000 } else { 0 };
            let slot = (event_time - begin).cast_unsigned().saturating_add(travel) / 100;
            for ((quantity, mean, deviation, decimals), level) in signals.iter().zip(&mut level) {
                *level += 0.2 * (mean - *level) + 0.5 * deviation * dice.wander();
                let scale = 10_f64.powi(*decimals);
                if let Some(epoch) = by_epoch.get_mut(usize::try_from(slot).unwrap()) {
                    epoch.push(AppliedReading {
                        event_time: EventTime::from_ms(event_time),
                        value: (*level * scale).round() / scale,
                        epoch: Epoch::new(START + slot),
                        sensor: SensorIndex::new(sensor),
                        quantity: *quantity,
                        lateness: if late { Lateness::Revised } else { Lateness::OnTime },
                    });
                }
            }
            event_time += interval;
        }
    }
    by_epoch
}

/// Writes the readings of so many cuts and one empty one. Gives how many they are.
fn write(archive: &mut Archive, cuts: u64) -> u64 {
    let mut dice = Dice(7);
    let changes = sensors(&mut dice);
    let mut snapshot = Snapshot::empty(TimeMode::Live, 10_000, 1_800_000);
    snapshot.register(&changes, Epoch::new(START), Resolution::Six);
    let mut by_epoch = readings(&mut dice, cuts * EPOCHS);
    let count = by_epoch.iter().map(Vec::len).sum::<usize>() as u64;
    by_epoch.push(Vec::new());
    for (epoch, readings) in (START..).zip(by_epoch) {
        snapshot.advance(Epoch::new(epoch), EventTime::from_ms(0));
        let closed = ClosedEpoch {
            snapshot: Arc::new(snapshot.fork()),
            readings,
            refusals: Vec::new(),
            windows: Vec::new(),
            cell_windows: Vec::new(),
            sensors: Vec::new(),
            dead_letters: Vec::new(),
            state: None,
        };
        let number = epoch + 1 - START;
        let is_cut = number.is_multiple_of(EPOCHS) || number > cuts * EPOCHS;
        archive.take_with(&closed, is_cut.then_some(0_u8).as_ref()).unwrap();
    }
    count
}

/// On disk, keyframes apart.
fn bytes_of_readings(archive: &Archive) -> u64 {
    archive.catalogue().view().files(Table::Readings).iter().map(|file| file.bytes()).sum()
}

#[test]
fn a_reading_takes_at_most_eight_bytes() {
    let dir = TempDir::new().unwrap();
    let mut archive = Archive::open(dir.path(), ArchiveSettings::default()).unwrap();
    let count = write(&mut archive, 1);
    assert!((850_000..1_100_000).contains(&count), "{count} is not the readings of a cut");
    let bytes = archive.bytes() as f64 / count as f64;
    assert!(bytes <= 8.0, "{bytes:.2} bytes a reading");
    assert!(bytes > 2.0, "{bytes:.2} bytes a reading is too good to be true");
}

/// Cuts that are merged: more in a run by hand that measures.
fn cuts() -> u64 {
    option_env!("CITYTWIN_SIZE_CUTS").map_or(4, |cuts| cuts.parse().unwrap())
}

#[test]
fn a_merged_reading_takes_at_most_five_bytes() {
    let dir = TempDir::new().unwrap();
    let mut archive = Archive::open(dir.path(), ArchiveSettings::default()).unwrap();
    let count = write(&mut archive, cuts()) as f64;
    let before = bytes_of_readings(&archive) as f64 / count;
    let done = archive.keeper().compact_all(Epoch::new(u64::MAX), || false, |_| ()).unwrap();
    assert!(done.files_after == 1 && archive.catalogue().view().files(Table::Readings).len() == 1);
    let bytes = bytes_of_readings(&archive) as f64 / count;
    assert!(bytes <= 5.0 && bytes < before, "{bytes:.2} bytes a reading, {before:.2} before");
    assert!(bytes > 2.0, "{bytes:.2} bytes a reading is too good to be true");
}
