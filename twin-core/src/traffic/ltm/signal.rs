//! Limits of movements: what a turn lets through, and when its light is green.

use super::error::PlanError;

/// A signal programme, for as many movements as share its light.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Length of the cycle in seconds.
    pub cycle_s: f64,
    /// When a cycle begins, in seconds from the start.
    pub offset_s: f64,
    /// Green times within the cycle: from, until, in seconds.
    pub greens: Vec<(f64, f64)>,
    /// How exactly it is followed.
    pub mode: SignalMode,
}

/// How a signal acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalMode {
    /// Green and red as they come; a step that sees both lets its part of green through, at
    /// any time of the step: choose steps that divide the greens, or delays blur by up to a step.
    /// Where
    /// the movements of one link hang on different signals, they act on average all the same: in
    /// a link that is first in, first out, one red turn would hold the others, and two turns that
    /// are never green together would stand for ever. Give such lanes links of their own.
    OnOff,
    /// The green share of the cycle, always.
    Average,
}

/// The most a movement lets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovementLimit {
    /// The movement; see [`Network::movement`](super::Network::movement).
    pub movement: u32,
    /// Saturation flow in pcu/s, while it is green. Together, the movements of a link let through
    /// no more than its capacity while any of them is green.
    pub flow_pcu_s: f64,
    /// Its signal in the plan; `None` for always green.
    pub signal: Option<u32>,
}

impl Signal {
    /// Seconds of green from `from_s` on, for `step_s`.
    pub(super) fn green_s(&self, from_s: f64, step_s: f64) -> f64 {
        match self.mode {
            SignalMode::OnOff => {
                let phase = (from_s - self.offset_s).rem_euclid(self.cycle_s);
                self.before(phase + step_s) - self.before(phase)
            }
            SignalMode::Average => self.before(self.cycle_s) / self.cycle_s * step_s,
        }
    }

    /// The same programme, on average.
    pub(super) fn averaged(&self) -> Signal {
        Signal { mode: SignalMode::Average, ..self.clone() }
    }

    /// Seconds of green from the beginning of a cycle to `phase` seconds after it.
    fn before(&self, phase: f64) -> f64 {
        let cycles = (phase / self.cycle_s).floor();
        let rest = phase - cycles * self.cycle_s;
        let all: f64 = self.greens.iter().map(|(from, until)| until - from).sum();
        let green = self.greens.iter().map(|(from, until)| rest.clamp(*from, *until) - from);
        cycles * all + green.sum::<f64>()
    }

    pub(super) fn check(&self, row: usize) -> Result<(), PlanError> {
        let mut last = 0.0;
        let mut ordered = self.cycle_s.is_finite() && self.cycle_s > 0.0;
        ordered &= self.offset_s.is_finite();
        for (from, until) in &self.greens {
            ordered &= last <= *from && from < until && *until <= self.cycle_s;
            last = *until;
        }
        if ordered { Ok(()) } else { Err(PlanError::Signal(row)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn green_is_counted_within_and_across_cycles() {
        let signal = Signal {
            cycle_s: 90.0,
            offset_s: 10.0,
            greens: vec![(0.0, 30.0), (60.0, 75.0)],
            mode: SignalMode::OnOff,
        };
        let check = |from: f64, step: f64, expected: f64| {
            let green = signal.green_s(from, step);
            assert!((green - expected).abs() < 1e-9, "{from} + {step}: {green}");
        };
        check(10.0, 4.0, 4.0);
        check(38.0, 4.0, 2.0);
        check(50.0, 5.0, 0.0);
        check(84.0, 20.0, 5.0);
        check(0.0, 90.0, 45.0);
        check(3.0, 180.0, 90.0);
        let average = signal.averaged().green_s(50.0, 5.0);
        assert!((average - 2.5).abs() < 1e-9, "{average}");
    }
}
