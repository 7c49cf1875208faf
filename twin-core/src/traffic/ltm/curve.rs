//! A cumulative curve in a ring: how many vehicles have passed one end of a link by now, and at
//! each step back to the longest time anybody will ask for. Between steps it is a straight line.
//!
//! Time is counted in ticks, the finest step of the network; a curve is written every
//! `2^shift` ticks.

/// Where a curve lies in the table of all rings, and how it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Curve {
    pub(super) offset: u32,
    /// Length of the ring, a power of two, less one.
    mask: u32,
    shift: u32,
}

/// A time span in ticks: `whole - part`, with the part from 0 up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lag {
    pub(super) whole: u64,
    pub(super) part: f64,
}

impl Lag {
    /// From a number of ticks; not below one.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked: 1..2^31")]
    pub(super) fn new(ticks: f64) -> Lag {
        let nearest = ticks.round();
        // A quotient that should be whole and is not, by its last digits, is meant to be.
        let ticks = if (ticks - nearest).abs() < 1e-9 * nearest { nearest } else { ticks };
        let ticks = ticks.clamp(1.0, f64::from(1_u32 << 31));
        let whole = ticks.ceil();
        Lag { whole: whole as u64, part: whole - ticks }
    }

    /// In ticks.
    pub(super) fn ticks(self) -> f64 {
        self.whole as f64 - self.part
    }
}

impl Curve {
    /// A ring that reaches back `ticks` from the last that was written, behind all rings before
    /// `offset`. As short as can be: what is not in a cache has to be waited for.
    pub(super) fn new(offset: u32, shift: u32, ticks: u64) -> Curve {
        // Both ends of the span may lie between two points.
        let length = ((ticks >> shift) + 2).next_power_of_two();
        let mask = u32::try_from(length - 1).expect("lags are below 2^31 ticks");
        Curve { offset, mask, shift }
    }

    /// Where the next ring begins.
    pub(super) fn end(&self) -> u32 {
        self.offset + self.mask + 1
    }

    #[expect(clippy::cast_possible_truncation, reason = "the mask keeps low bits only")]
    fn place(&self, index: u64) -> usize {
        (self.offset + ((index & u64::from(self.mask)) as u32)) as usize
    }

    /// The curve `part` ticks after `tick`.
    pub(super) fn at(&self, rings: &[f64], tick: u64, part: f64) -> f64 {
        let index = tick >> self.shift;
        let rest = (tick - (index << self.shift)) as f64 + part;
        let (before, after) = (rings[self.place(index)], rings[self.place(index + 1)]);
        before + (after - before) * (rest * self.per_tick())
    }

    /// 2^−shift: the bits of the exponent of a float, which is quicker than to divide.
    fn per_tick(&self) -> f64 {
        f64::from_bits((1_023 - u64::from(self.shift)) << 52)
    }

    /// Writes the count at a tick, a multiple of the curve's step.
    pub(super) fn write(&self, rings: &mut [f64], tick: u64, count: f64) {
        let place = self.place(tick >> self.shift);
        rings[place] = count;
    }

    /// The ticks it holds when `tick` was written last, oldest first.
    pub(super) fn ticks(&self, tick: u64) -> impl Iterator<Item = u64> + use<> {
        let (last, shift) = (tick >> self.shift, self.shift);
        (last - u64::from(self.mask)..=last).map(move |index| index << shift)
    }

    /// Writes into its ring what another holds, whose ticks are `pace` times as many. Both were
    /// written last at the `last` tick of each, with `count`. Before the oldest that is known it
    /// stays level: who could have reached the exit by then, may leave.
    pub(super) fn copy(
        &self,
        rings: &mut [f64],
        (other, from): (&Curve, &[f64]),
        last: (u64, u64),
        (pace, count): (f64, f64),
    ) {
        let oldest = other.ticks(last.0).next().expect("a ring is never empty");
        for tick in self.ticks(last.1) {
            let lag = Lag::new((last.1 - tick) as f64 * pace);
            let at = last.0 - lag.whole;
            let then = match tick {
                _ if tick == last.1 => count,
                _ if at < oldest => other.at(from, oldest, 0.0),
                _ => other.at(from, at, lag.part),
            };
            self.write(rings, tick, then);
        }
    }

    /// Ticks between two written points.
    pub(super) fn step(&self) -> u64 {
        1 << self.shift
    }
}
