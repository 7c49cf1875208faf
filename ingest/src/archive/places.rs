//! Where each sensor stood when it measured: the archive's words for a sensor.
//!
//! A [`Place`] is a sensor as it was described at one time; a sensor that is moved, or turns out
//! to be of another kind, gets a new one. Buffered rows hold a place's number, four bytes, and
//! rank by it: places are put in order of (cell, id) once, so that sorting a million readings
//! never compares a text.

use std::sync::Arc;

use arrow::array::StringArray;
use citytwin_core::sensor::{SensorDescription, SensorIndex, SensorKey};
use h3o::Resolution;

/// The resolution of the archive's `cell` column.
pub(super) const CELL_RESOLUTION: Resolution = Resolution::Nine;

/// Number of a place.
pub(super) type PlaceNumber = u32;

const UNKNOWN: PlaceNumber = PlaceNumber::MAX;

/// Key, cell and kind of a sensor as long as they stay what they are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) key: SensorKey,
    /// H3 index at [`CELL_RESOLUTION`].
    pub(super) cell: u64,
    /// Number of the kind.
    pub(super) kind: u8,
}

impl Place {
    pub(super) fn of(key: &SensorKey, description: &SensorDescription) -> Place {
        Place {
            key: key.clone(),
            cell: u64::from(description.position.cell(CELL_RESOLUTION)),
            kind: description.kind.number(),
        }
    }
}

/// All places that buffered rows refer to, and where each sensor stands now.
#[derive(Debug, Default)]
pub(super) struct Places {
    all: Vec<Place>,
    /// By sensor; [`UNKNOWN`] until asked for.
    now: Vec<PlaceNumber>,
    known: usize,
    order: Option<Arc<Order>>,
}

/// Places in order; tables by place number.
#[derive(Debug)]
pub(super) struct Order {
    /// Position in the order of (cell, id); the same for a sensor that left and came back.
    pub(super) ranks: Vec<u32>,
    pub(super) cells: Vec<u64>,
    /// Numbers of the kinds.
    pub(super) kinds: Vec<u8>,
    /// Ids, `agency/sensor`.
    pub(super) ids: Arc<StringArray>,
}

impl Places {
    /// The sensor stands at `place` from now on.
    pub(super) fn settle(&mut self, sensor: SensorIndex, place: Place) {
        let number = PlaceNumber::try_from(self.all.len()).expect("fewer than 2^32 places");
        if self.now.len() <= sensor.slot() {
            self.now.resize(sensor.slot() + 1, UNKNOWN);
        }
        match self.now[sensor.slot()] {
            UNKNOWN => self.known += 1,
            known if self.all[known as usize] == place => return,
            _moved => {}
        }
        self.now[sensor.slot()] = number;
        self.all.push(place);
        self.order = None;
    }

    /// Where the sensor stands; asks `describe` about one that is not known yet.
    ///
    /// # Panics
    /// When `describe` does not know it either: the dataflow applies only readings of registered
    /// sensors.
    pub(super) fn number(
        &mut self,
        sensor: SensorIndex,
        describe: &dyn Fn(SensorIndex) -> Option<Place>,
    ) -> PlaceNumber {
        match self.now.get(sensor.slot()) {
            Some(known) if *known != UNKNOWN => *known,
            Some(_) | None => {
                let place = describe(sensor).expect("a sensor is registered before it measures");
                self.settle(sensor, place);
                self.now[sensor.slot()]
            }
        }
    }

    /// The places in order. Sorted anew after a change only: about 20 ms for 50,000.
    pub(super) fn order(&mut self) -> Arc<Order> {
        let order = self.order.get_or_insert_with(|| Arc::new(Order::of(&self.all)));
        Arc::clone(order)
    }

    /// Drops places where nobody stands any more, so that a sensor on a bus does not fill memory.
    /// Only when no buffered row refers to a place.
    pub(super) fn forget_former(&mut self) {
        if self.all.len() > self.known {
            *self = Places::default();
        }
    }
}

impl Order {
    fn of(places: &[Place]) -> Order {
        fn place(place: &Place) -> (u64, &str) {
            (place.cell, place.key.as_str())
        }
        let mut by_rank: Vec<u32> = (0u32..).take(places.len()).collect();
        by_rank.sort_by_key(|number| place(&places[*number as usize]));
        let mut ranks = vec![0; places.len()];
        let mut rank = 0;
        for pair in by_rank.windows(2) {
            let (before, number) = (pair[0] as usize, pair[1] as usize);
            rank += u32::from(place(&places[before]) != place(&places[number]));
            ranks[number] = rank;
        }
        Order {
            ranks,
            cells: places.iter().map(|place| place.cell).collect(),
            kinds: places.iter().map(|place| place.kind).collect(),
            ids: Arc::new(StringArray::from_iter_values(places.iter().map(|p| p.key.as_str()))),
        }
    }
}
