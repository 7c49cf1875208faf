//! A cumulative curve: how many vehicles have passed one end of a link by now, and at each step
//! back to the longest time anybody will ask for. Between steps it is a straight line.
//!
//! What is now stands in [`Road`](super::road::Road); the past lies in a ring of one number a
//! step, no longer than it must be: what is not in a cache has to be waited for.

/// Where the past of a link lies in the table of all rings: that of its entrance, then that of its
/// exit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Past {
    offset: u32,
    up: u32,
    down: u32,
}

impl Past {
    /// Behind all rings before `offset`, for lags of at most so many steps.
    pub(super) fn new(offset: u32, up: Lag, down: Lag) -> Past {
        Past { offset, up: up.whole - 1, down: down.whole - 1 }
    }

    /// Where the next begins.
    pub(super) fn end(&self) -> u32 {
        self.offset + self.up + self.down
    }

    /// The rings of the entrance and of the exit.
    pub(super) fn of<'a>(&self, rings: &'a mut [f64]) -> (&'a mut [f64], &'a mut [f64]) {
        let both = &mut rings[self.offset as usize..self.end() as usize];
        both.split_at_mut(self.up as usize)
    }

    /// The same, to read.
    pub(super) fn look<'a>(&self, rings: &'a [f64]) -> (&'a [f64], &'a [f64]) {
        rings[self.offset as usize..self.end() as usize].split_at(self.up as usize)
    }
}

/// A time span in steps: `whole - part`, with the part from 0 up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lag {
    pub(super) whole: u32,
    pub(super) part: f64,
}

impl Lag {
    /// From a number of steps, above 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 0..2^31")]
    pub(super) fn new(steps: f64) -> Lag {
        let nearest = steps.round();
        // A quotient that should be whole and is not, by its last digits, is meant to be.
        let steps = if (steps - nearest).abs() < 1e-9 * nearest { nearest } else { steps };
        let steps = steps.clamp(1e-9, f64::from(1_u32 << 31));
        let whole = steps.ceil();
        Lag { whole: whole as u32, part: whole - steps }
    }

    /// In steps.
    pub(super) fn steps(self) -> f64 {
        f64::from(self.whole) - self.part
    }

    /// What passes within the step of what passes in it: the part of it that is early enough.
    pub(super) fn gain(self) -> f64 {
        if self.whole == 1 { self.part } else { 0.0 }
    }

    /// The curve this long before the end of the step that begins, as far as it is known when it
    /// begins; to that comes [`Lag::gain`] of what passes in the step.
    pub(super) fn known(self, ring: &[f64], cursor: u32, now: f64) -> f64 {
        if self.whole == 1 {
            return now;
        }
        let before = ago(ring, cursor, self.whole - 1);
        let after = if self.whole == 2 { now } else { ago(ring, cursor, self.whole - 2) };
        before + (after - before) * self.part
    }
}

/// The count of some steps ago, at least one.
pub(super) fn ago(ring: &[f64], cursor: u32, steps: u32) -> f64 {
    let (cursor, steps) = (cursor as usize, steps as usize);
    ring[if cursor >= steps { cursor - steps } else { cursor + ring.len() - steps }]
}

/// Writes the count of now, which is past when the step is over; gives the next cursor.
pub(super) fn keep(ring: &mut [f64], cursor: u32, now: f64) -> u32 {
    let Some(place) = ring.get_mut(cursor as usize) else { return 0 };
    *place = now;
    if cursor as usize + 1 == ring.len() { 0 } else { cursor + 1 }
}

/// Writes a past of which `then` tells the count so many steps ago. The cursor is 0 then.
pub(super) fn write(ring: &mut [f64], then: impl Fn(u32) -> f64) {
    for (place, steps) in ring.iter_mut().rev().zip(1..) {
        *place = then(steps);
    }
}
