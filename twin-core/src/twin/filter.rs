//! Sets of quantities and of kinds of sensors, a bit each.

use crate::quantity::Quantity;
use crate::sensor::SensorKind;

/// A set of quantities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantitySet(u32);

impl QuantitySet {
    /// All of them.
    pub const ALL: QuantitySet = QuantitySet(u32::MAX);

    /// None of them.
    pub const NONE: QuantitySet = QuantitySet(0);

    /// Whether it holds a quantity.
    pub const fn contains(self, quantity: Quantity) -> bool {
        self.0 & (1 << quantity.slot()) != 0
    }

    /// Puts a quantity in.
    pub const fn insert(&mut self, quantity: Quantity) {
        self.0 |= 1 << quantity.slot();
    }
}

impl FromIterator<Quantity> for QuantitySet {
    fn from_iter<I: IntoIterator<Item = Quantity>>(quantities: I) -> QuantitySet {
        let mut set = QuantitySet::NONE;
        quantities.into_iter().for_each(|quantity| set.insert(quantity));
        set
    }
}

/// A set of kinds of sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindSet(u32);

impl KindSet {
    /// All of them.
    pub const ALL: KindSet = KindSet(u32::MAX);

    /// Whether it holds a kind.
    pub const fn contains(self, kind: SensorKind) -> bool {
        self.0 & (1 << kind.number()) != 0
    }
}

impl FromIterator<SensorKind> for KindSet {
    fn from_iter<I: IntoIterator<Item = SensorKind>>(kinds: I) -> KindSet {
        KindSet(kinds.into_iter().fold(0, |set, kind| set | 1 << kind.number()))
    }
}
