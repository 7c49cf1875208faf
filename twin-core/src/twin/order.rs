//! Sensors in order of their ids: leaves of a few hundred numbers behind pointers, so that a clone
//! copies pointers only and an insertion copies one leaf. The ids live in the table, not here.

use std::sync::Arc;

use crate::sensor::{SensorIndex, SensorKey};

/// A leaf that grows to this is split in two.
const LEAF: usize = 512;

/// Numbers of sensors in order of their keys. No leaf is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOrder {
    leaves: Vec<Arc<Vec<SensorIndex>>>,
}

/// A place in the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    leaf: usize,
    slot: usize,
}

impl KeyOrder {
    /// From numbers that are in order.
    pub(crate) fn of(sorted: &[SensorIndex]) -> KeyOrder {
        KeyOrder { leaves: sorted.chunks(LEAF / 2).map(|leaf| Arc::new(leaf.to_vec())).collect() }
    }

    /// Puts a new sensor into its place.
    pub(crate) fn insert<'t>(
        &mut self,
        sensor: SensorIndex,
        key: &SensorKey,
        key_of: impl Fn(SensorIndex) -> &'t SensorKey,
    ) {
        let at = self.leaf_of(key, &key_of);
        let Some(leaf) = self.leaves.get_mut(at) else {
            self.leaves.push(Arc::new(vec![sensor]));
            return;
        };
        let leaf = Arc::make_mut(leaf);
        let slot = leaf.partition_point(|other| key_of(*other) < key);
        leaf.insert(slot, sensor);
        if leaf.len() >= LEAF {
            let upper = leaf.split_off(LEAF / 2);
            self.leaves.insert(at + 1, Arc::new(upper));
        }
    }

    /// Where the keys begin that do not come before `key`.
    pub(crate) fn find<'t>(
        &self,
        key: &str,
        key_of: impl Fn(SensorIndex) -> &'t SensorKey,
    ) -> Place {
        let before = |sensor: &SensorIndex| key_of(*sensor).as_str() < key;
        let leaf = self.leaves.partition_point(|leaf| leaf.last().is_some_and(before));
        let slot = self.leaves.get(leaf).map_or(0, |leaf| leaf.partition_point(before));
        Place { leaf, slot }
    }

    /// The sensors from a place on.
    pub(crate) fn from(&self, place: Place) -> impl Iterator<Item = SensorIndex> {
        let leaves = &self.leaves[place.leaf..];
        leaves.iter().flat_map(|leaf| leaf.iter().copied()).skip(place.slot)
    }

    /// The leaf into which a key belongs: the last one that does not begin behind it.
    fn leaf_of<'t>(
        &self,
        key: &SensorKey,
        key_of: &impl Fn(SensorIndex) -> &'t SensorKey,
    ) -> usize {
        self.leaves
            .partition_point(|leaf| leaf.first().is_some_and(|first| key_of(*first) <= key))
            .saturating_sub(1)
    }
}
