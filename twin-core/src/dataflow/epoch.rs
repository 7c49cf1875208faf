//! [`Epoch`] as the timestamp of the timely dataflow: totally ordered, never advanced by a path
//! (there are no loops), so a path's summary is `()`.

use timely::order::{PartialOrder, TotalOrder};
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

use crate::time::Epoch;

impl PartialOrder for Epoch {
    fn less_equal(&self, other: &Epoch) -> bool {
        self <= other
    }
}

impl TotalOrder for Epoch {}

impl PathSummary<Epoch> for () {
    fn results_in(&self, src: &Epoch) -> Option<Epoch> {
        Some(*src)
    }

    fn followed_by(&self, _other: &()) -> Option<()> {
        Some(())
    }
}

impl Timestamp for Epoch {
    type Summary = ();

    fn minimum() -> Epoch {
        Epoch::ZERO
    }
}

impl Refines<()> for Epoch {
    fn to_inner((): ()) -> Epoch {
        Epoch::ZERO
    }

    fn to_outer(self) {}

    fn summarize((): ()) {}
}
