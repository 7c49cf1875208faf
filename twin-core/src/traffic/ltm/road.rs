//! A link between two steps: its curves now, and what they let out and in during the step to come.

use super::conditions::Now;
use super::curve::keep;

/// Both ends of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Road {
    /// Entered so far.
    pub(super) entered: f64,
    /// Left so far.
    pub(super) left: f64,
    /// Would have left so far, had nobody waited on this link.
    pub(super) arrived: f64,
    /// Integral of who is on it, pcu·s, in this interval.
    pub(super) time: f64,
    /// Integral of who waits, pcu·s, in this interval.
    pub(super) waited: f64,
    /// Where its rings are written next.
    pub(super) up: u32,
    pub(super) down: u32,
}

/// What a way in lets go in one step, in pcu.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sending {
    /// Those who are there in time, of those who were there before the step.
    pub(super) due: f64,
    /// The part of who enters in the step that can leave in it.
    pub(super) gain: f64,
    /// The most that may leave.
    pub(super) most: f64,
    /// What has left.
    pub(super) flow: f64,
}

/// What a way out takes in one step, in pcu.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Receiving {
    /// What it takes, as far as it is known before the step.
    pub(super) room: f64,
    /// What has entered.
    pub(super) entering: f64,
}

impl Road {
    /// What the link lets out and in, in the step to come:
    /// `min(N_up(t+Δ−L/u) − N_dn(t), q·Δ)` and `min(N_dn(t+Δ−L/w) + k_j·L − N_up(t), q·Δ)`.
    #[inline]
    pub(super) fn aim(
        &self,
        now: &Now,
        (up, down): (&[f64], &[f64]),
        (sending, receiving): (&mut Sending, &mut Receiving),
    ) {
        let arrived = now.reach.known(up, self.up, self.entered).max(self.arrived);
        sending.due = arrived - self.left;
        sending.gain = now.reach.gain();
        sending.most = now.most;
        sending.flow = 0.0;
        let left = now.room.known(down, self.down, self.left);
        let room = left + now.storage - self.entered;
        // A link that holds less than a step lets in takes more when it has let some out.
        let most = if now.open { now.most } else { 0.0 };
        receiving.room = room.min(most).max(0.0);
        receiving.entering = 0.0;
    }

    /// Puts what has left and entered in a step of some seconds into the curves.
    #[inline]
    pub(super) fn settle(
        &mut self,
        (sending, receiving): (&Sending, &Receiving),
        (up, down): (&mut [f64], &mut [f64]),
        step_s: f64,
    ) {
        let (present, waiting) = (self.entered - self.left, self.arrived - self.left);
        let arrived = self.left + sending.due + sending.gain * receiving.entering;
        self.up = keep(up, self.up, self.entered);
        self.down = keep(down, self.down, self.left);
        self.entered += receiving.entering;
        self.left += sending.flow;
        self.arrived = self.arrived.max(arrived);
        self.time += (present + (self.entered - self.left)) * (step_s / 2.0);
        self.waited += (waiting + (self.arrived - self.left)) * (step_s / 2.0);
    }
}
