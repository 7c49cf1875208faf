//! Where each sensor stood when it measured: the archive's words for a sensor.
//!
//! A [`Place`] is a sensor as it was described at one time; a sensor that is moved, or turns out
//! to be of another kind, gets a new one. Waiting rows hold a place's number, four bytes, and
//! rank by it: places are put in order of (cell, id) once, so that sorting a million readings
//! never compares a text.

use std::sync::{Arc, OnceLock};

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

/// Places in one chunk.
const CHUNK: usize = 256;

/// All places that waiting rows refer to. Shared with views: what is added makes another list,
/// which shares the chunks that are full.
#[derive(Debug, Default)]
pub(super) struct PlaceList {
    /// All full but the last.
    chunks: Vec<Arc<Vec<Place>>>,
    words: OnceLock<Words>,
    ranks: OnceLock<Vec<u32>>,
}

/// What rows say of their places; tables by place number.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) cells: Vec<u64>,
    /// Numbers of the kinds.
    pub(super) kinds: Vec<u8>,
    /// Ids, `agency/sensor`.
    pub(super) ids: Arc<StringArray>,
}

/// Where each sensor stands now.
#[derive(Debug, Default)]
pub(super) struct Places {
    list: Arc<PlaceList>,
    /// By sensor; [`UNKNOWN`] until asked for.
    now: Vec<PlaceNumber>,
    known: usize,
}

impl Places {
    /// The sensor stands at `place` from now on.
    pub(super) fn settle(&mut self, sensor: SensorIndex, place: Place) {
        let number = PlaceNumber::try_from(self.list.len()).expect("fewer than 2^32 places");
        if self.now.len() <= sensor.slot() {
            self.now.resize(sensor.slot() + 1, UNKNOWN);
        }
        match self.now[sensor.slot()] {
            UNKNOWN => self.known += 1,
            known if *self.list.get(known) == place => return,
            _moved => {}
        }
        self.now[sensor.slot()] = number;
        self.list_mut().push(place);
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

    /// The places by number, as they are now.
    pub(super) fn list(&self) -> Arc<PlaceList> {
        Arc::clone(&self.list)
    }

    /// Drops places where nobody stands any more, so that a sensor on a bus does not fill memory.
    /// Only when no rows wait: numbers begin anew.
    pub(super) fn forget_former(&mut self) {
        if self.list.len() > self.known {
            *self = Places::default();
        }
    }

    fn list_mut(&mut self) -> &mut PlaceList {
        if Arc::get_mut(&mut self.list).is_none() {
            let chunks = self.list.chunks.clone();
            self.list = Arc::new(PlaceList { chunks, ..PlaceList::default() });
        }
        Arc::get_mut(&mut self.list).expect("nobody else has the new one")
    }
}

impl PlaceList {
    /// What rows say of their places. Made at the first call: about 1 ms for 50,000.
    pub(super) fn words(&self) -> &Words {
        self.words.get_or_init(|| Words {
            cells: self.iter().map(|place| place.cell).collect(),
            kinds: self.iter().map(|place| place.kind).collect(),
            ids: Arc::new(StringArray::from_iter_values(self.iter().map(|p| p.key.as_str()))),
        })
    }

    /// By number, the position in the order of (cell, id); the same for a sensor that left and came
    /// back. Sorted at the first call: about 20 ms for 50,000.
    pub(super) fn ranks(&self) -> &[u32] {
        self.ranks.get_or_init(|| {
            let mut places: Vec<((u64, &str), usize)> =
                self.iter().map(|place| (place.cell, place.key.as_str())).zip(0..).collect();
            places.sort_unstable();
            let mut ranks = vec![0; places.len()];
            let mut rank = 0;
            for pair in places.windows(2) {
                rank += u32::from(pair[0].0 != pair[1].0);
                ranks[pair[1].1] = rank;
            }
            ranks
        })
    }

    fn len(&self) -> usize {
        let last = self.chunks.last().map_or(0, |chunk| chunk.len());
        self.chunks.len().saturating_sub(1) * CHUNK + last
    }

    fn get(&self, number: PlaceNumber) -> &Place {
        &self.chunks[number as usize / CHUNK][number as usize % CHUNK]
    }

    fn iter(&self) -> impl ExactSizeIterator<Item = &Place> {
        (0..self.len()).map(|number| &self.chunks[number / CHUNK][number % CHUNK])
    }

    fn push(&mut self, place: Place) {
        self.words.take();
        self.ranks.take();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => Arc::make_mut(chunk).push(place),
            Some(_) | None => self.chunks.push(Arc::new(vec![place])),
        }
    }
}

/// Puts rows in order of the rank of their place, then of `key`; equal ones stay as they are.
/// Counted into places by rank, then sorted within each, where they are nearly in order already.
pub(super) fn sort_by_place<R: Copy, K: Ord>(
    rows: &mut Vec<R>,
    list: &PlaceList,
    place: impl Fn(R) -> PlaceNumber,
    key: impl Fn(R) -> K,
) {
    let Some(first) = rows.first().copied() else { return };
    let ranks = list.ranks();
    let rank = |row: R| ranks[place(row) as usize] as usize;
    let mut ends = vec![0_usize; ranks.len() + 1];
    for row in rows.iter() {
        ends[rank(*row) + 1] += 1;
    }
    for rank in 1..ends.len() {
        ends[rank] += ends[rank - 1];
    }
    let mut next = ends.clone();
    let mut sorted = vec![first; rows.len()];
    for row in rows.iter() {
        let slot = &mut next[rank(*row)];
        sorted[*slot] = *row;
        *slot += 1;
    }
    for bounds in ends.windows(2) {
        sorted[bounds[0]..bounds[1]].sort_by_key(|row| key(*row));
    }
    *rows = sorted;
}
