//! How long whoever watches a long computation is left unasked. There is no clock here, so it is
//! told in work: links walked over, a few to a few dozen nanoseconds each.
//!
//! Promise: who has said stop is not asked again, and waits for no more than [`UNASKED`] links and
//! the piece of work at hand, which is never more than a few passes over one network. Tests hold it
//! against [`walked`], which counts where the walking is done.

use std::ops::ControlFlow;

/// Links walked over before whoever watches is asked again. Tests have networks a hundred times
/// smaller than cities.
pub(crate) const UNASKED: usize = if cfg!(test) { 5_000 } else { 500_000 };

/// Whoever watches, and the work since they were asked.
pub(crate) struct Pace<'a> {
    ask: &'a mut dyn FnMut() -> ControlFlow<()>,
    unasked: usize,
    stopped: bool,
}

impl<'a> Pace<'a> {
    /// Nothing is done yet.
    pub(crate) fn new(ask: &'a mut dyn FnMut() -> ControlFlow<()>) -> Pace<'a> {
        Pace { ask, unasked: 0, stopped: false }
    }

    /// So many links were walked over: asks where it is time to.
    pub(crate) fn worked(&mut self, links: usize) -> ControlFlow<()> {
        self.unasked += links;
        if self.unasked < UNASKED { ControlFlow::Continue(()) } else { self.ask() }
    }

    /// Asks now.
    pub(crate) fn ask(&mut self) -> ControlFlow<()> {
        self.unasked = 0;
        if !self.stopped {
            self.stopped = (self.ask)().is_break();
        }
        if self.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether whoever watches has said stop.
    pub(crate) const fn is_stopped(&self) -> bool {
        self.stopped
    }
}

/// Work that nobody watches.
pub(crate) fn unwatched<T>(work: impl FnOnce(&mut Pace<'_>) -> ControlFlow<(), T>) -> T {
    let mut on = || ControlFlow::Continue(());
    work(&mut Pace::new(&mut on)).continue_value().expect("nobody says stop")
}

/// So many links are walked over, here: counted in tests only.
#[cfg(test)]
pub(crate) fn walked(links: usize) {
    tests::WALKED.with(|walked| walked.set(walked.get() + links));
}

/// Nobody counts.
#[cfg(not(test))]
pub(crate) const fn walked(_links: usize) {}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        pub(super) static WALKED: Cell<usize> = const { Cell::new(0) };
    }

    /// Links walked over on this thread since this was asked last.
    pub(crate) fn walked_since() -> usize {
        WALKED.take()
    }

    #[test]
    fn whoever_watches_is_asked_when_it_is_time_and_not_after_they_said_stop() {
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            if asked < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let mut pace = Pace::new(&mut ask);
        let heard: Vec<bool> =
            (0..12).map(|_| pace.worked(UNASKED.div_ceil(2)).is_break()).collect();
        assert_eq!(heard.iter().position(|stop| *stop), Some(5));
        assert!(heard[7] && pace.is_stopped() && pace.ask().is_break());
        assert_eq!(asked, 3);
    }
}
