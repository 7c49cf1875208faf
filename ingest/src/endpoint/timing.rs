//! When what is due on one connection: its keep-alive, the pause before the next read, the end of
//! patience with the disk, with the reader on the other side, and with the end itself. One timer
//! for all; it is moved only when something is due earlier, so most messages do not touch it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A commit that takes longer no longer keeps the socket from being read.
const COMMIT_PATIENCE: Duration = Duration::from_millis(250);
/// A client that takes none of its answers for so long is given up.
const WRITE_PATIENCE: Duration = Duration::from_secs(30);

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Timing {
    sleep: Pin<Box<Sleep>>,
    /// When `sleep` fires; `None`: it has, or is not needed.
    armed: Option<Instant>,
    /// Longest silence allowed.
    silence: Option<Duration>,
    /// Last sign of life, or the moment from which we were ready to hear one.
    last_heard: Instant,
    handed_over: Instant,
    write_since: Option<Instant>,
    read_after: Option<Instant>,
    give_up_at: Option<Instant>,
    /// The last read came back full, or the commit takes long: read on though something is under
    /// way.
    read_on: bool,
    given_up: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub keep_alive: bool,
    pub slow_reader: bool,
}

impl Timing {
    /// For a client that promised to break its silence in `keep_alive`; one and a half of it is
    /// allowed [MQTT-3.1.2-22].
    pub(super) fn new(keep_alive: Option<Duration>) -> Timing {
        let now = Instant::now();
        Timing {
            sleep: Box::pin(tokio::time::sleep_until(now)),
            armed: None,
            silence: keep_alive.map(|time| time + time / 2),
            last_heard: now,
            handed_over: now,
            write_since: None,
            read_after: None,
            give_up_at: None,
            read_on: false,
            given_up: false,
        }
    }

    /// Whether the time for a read has come.
    pub(super) fn may_read(&self, under_way: bool) -> bool {
        self.read_after.is_none() && (!under_way || self.read_on)
    }

    pub(super) fn heard(&mut self, full: bool) {
        self.last_heard = Instant::now();
        self.read_on = full;
    }

    /// No read for a while.
    pub(super) fn pause(&mut self, time: Duration) {
        self.read_after = Some(self.last_heard + time);
    }

    pub(super) fn handed_over(&mut self) {
        self.handed_over = self.last_heard;
    }

    pub(super) fn durable(&mut self) {
        // While we did not read, the client could not be heard.
        self.last_heard = Instant::now();
        self.handed_over = self.last_heard;
    }

    pub(super) fn wrote(&mut self) {
        self.write_since = None;
    }

    pub(super) fn give_up_in(&mut self, time: Duration) {
        self.give_up_at = Some(Instant::now() + time);
    }

    pub(super) fn give_up_now(&mut self) {
        self.given_up = true;
    }

    pub(super) fn has_given_up(&self) -> bool {
        self.given_up
    }

    /// Whether answers wait to be taken.
    pub(super) fn writing(&mut self, writing: bool) {
        if !writing {
            self.write_since = None;
        } else if self.write_since.is_none() {
            self.write_since = Some(self.last_heard.max(self.handed_over));
        }
    }

    /// Sets the timer for what is due first.
    pub(super) fn arm(&mut self, under_way: bool) {
        let due = [
            self.give_up_at,
            self.silence.map(|silence| self.last_heard + silence),
            self.read_after,
            (under_way && !self.read_on).then(|| self.handed_over + COMMIT_PATIENCE),
            self.write_since.map(|since| since + WRITE_PATIENCE),
        ];
        let Some(first) = due.into_iter().flatten().min() else { return };
        if self.armed.is_none_or(|armed| first < armed) {
            self.sleep.as_mut().reset(first);
            self.armed = Some(first);
        }
    }

    /// Ready when something may be due.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.armed.is_none() {
            return Poll::Pending;
        }
        let fired = self.sleep.as_mut().poll(context);
        if fired.is_ready() {
            self.armed = None;
        }
        fired
    }

    /// What is due; `reading`: silence is the client's, not ours.
    pub(super) fn due(&mut self, reading: bool) -> Due {
        let now = Instant::now();
        if self.read_after.is_some_and(|at| at <= now) {
            self.read_after = None;
        }
        if self.handed_over + COMMIT_PATIENCE <= now {
            self.read_on = true;
        }
        if self.give_up_at.is_some_and(|at| at <= now) {
            self.given_up = true;
        }
        let silent = self.silence.is_some_and(|silence| self.last_heard + silence <= now);
        if silent && !reading {
            self.last_heard = now;
        }
        let unwritten = self.write_since.is_some_and(|since| since + WRITE_PATIENCE <= now);
        Due { keep_alive: silent && reading, slow_reader: unwritten }
    }
}
