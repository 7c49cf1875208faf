//! Numbers for the series (sensor × quantity) of one worker, so that the per-reading path indexes
//! tables instead of hashing. The numbers are the worker's own and never leave it.

use crate::quantity::Quantity;
use crate::sensor::SensorIndex;

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Series {
    sensor: SensorIndex,
    quantity: Quantity,
    /// The sensor's next series.
    next: u32,
}

/// Series by number, and a short chain of them for each sensor.
#[derive(Clone, Debug, Default)]
pub(super) struct SeriesIndex {
    heads: Vec<u32>,
    series: Vec<Series>,
}

impl SeriesIndex {
    /// How many there are; numbers run from 0.
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.series.len()).expect("fewer series than 32 bits")
    }

    /// Its number, given now if it has none yet.
    #[inline]
    pub(super) fn number(&mut self, sensor: SensorIndex, quantity: Quantity) -> u32 {
        if sensor.slot() >= self.heads.len() {
            self.heads.resize(sensor.slot() + 1, NONE);
        }
        let head = self.heads[sensor.slot()];
        let mut at = head;
        while at != NONE {
            let series = &self.series[at as usize];
            if series.quantity == quantity {
                return at;
            }
            at = series.next;
        }
        let number = self.len();
        self.series.push(Series { sensor, quantity, next: head });
        self.heads[sensor.slot()] = number;
        number
    }

    /// Which one has this number.
    pub(super) fn key(&self, number: u32) -> (SensorIndex, Quantity) {
        let series = &self.series[number as usize];
        (series.sensor, series.quantity)
    }

    /// The numbers of a sensor's series.
    pub(super) fn of_sensor(&self, sensor: SensorIndex) -> impl Iterator<Item = u32> {
        let mut at = self.heads.get(sensor.slot()).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let number = (at != NONE).then_some(at)?;
            at = self.series[at as usize].next;
            Some(number)
        })
    }

    /// All series in order of number.
    pub(super) fn keys(&self) -> impl ExactSizeIterator<Item = (SensorIndex, Quantity)> {
        self.series.iter().map(|series| (series.sensor, series.quantity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_keeps_its_number() {
        let mut index = SeriesIndex::default();
        let (a, b) = (SensorIndex::new(7), SensorIndex::new(2));
        assert_eq!(index.number(a, Quantity::SpeedKmh), 0);
        assert_eq!(index.number(b, Quantity::SpeedKmh), 1);
        assert_eq!(index.number(a, Quantity::QueueM), 2);
        assert_eq!(index.number(a, Quantity::SpeedKmh), 0);
        assert_eq!(index.of_sensor(a).collect::<Vec<_>>(), [2, 0]);
        assert_eq!(index.of_sensor(SensorIndex::new(9)).count(), 0);
        assert_eq!(index.key(2), (a, Quantity::QueueM));
    }
}
