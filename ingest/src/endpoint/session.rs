//! Who is connected under which client id, and what is kept of a client between connections: the
//! packet ids of its QoS 2 messages that were taken and not yet released. That is all the state a
//! client that only publishes has on a server, and it is what makes QoS 2 exactly-once across a
//! reconnect.
//!
//! What holds: one connection per client id; a new one waits until the old one has left, so its
//! state is whole. Sessions live in memory, for as long as the client asked and the settings
//! allow, and not beyond a restart of the program (a message repeated then is a duplicate, which
//! the engine counts and drops). When too many are kept, the one that ends soonest goes first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Why a connection is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kick {
    /// Its client connected anew.
    TakenOver,
    /// The endpoint is being stopped.
    ShuttingDown,
}

/// How others reach a connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    kick: AtomicU8,
    waker: Mutex<Option<Waker>>,
    gone: CancellationToken,
}

impl Link {
    /// Asks the connection to end. The first reason stands.
    pub(super) fn kick(&self, why: Kick) {
        let code = match why {
            Kick::TakenOver => 1,
            Kick::ShuttingDown => 2,
        };
        let first = self.kick.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_err() {
            return;
        }
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it was asked to end.
    pub(super) fn kicked(&self) -> Option<Kick> {
        match self.kick.load(Ordering::SeqCst) {
            1 => Some(Kick::TakenOver),
            2 => Some(Kick::ShuttingDown),
            _ => None,
        }
    }

    /// Ready when it was asked to end; otherwise wakes the task when it is.
    pub(super) fn poll_kicked(&self, context: &Context<'_>) -> Poll<Kick> {
        if let Some(why) = self.kicked() {
            return Poll::Ready(why);
        }
        let mut waker = self.waker.lock();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        drop(waker);
        // It may have been kicked between the two looks.
        self.kicked().map_or(Poll::Pending, Poll::Ready)
    }
}

/// A client id held by a connection. Dropping it without [`Lease::leave`] ends the session.
#[derive(Debug)]
pub(super) struct Lease {
    sessions: Arc<Sessions>,
    client_id: Arc<str>,
    link: Arc<Link>,
    left: bool,
}

impl Lease {
    /// The client id.
    pub(super) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Gives the client id back and keeps `open` for `expiry` (zero: not at all).
    pub(super) fn leave(mut self, open: BTreeSet<u16>, expiry: Duration) {
        self.left = true;
        let keep = (!expiry.is_zero()).then_some((open, expiry));
        self.sessions.release(&self.client_id, &self.link, keep);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.left {
            self.sessions.release(&self.client_id, &self.link, None);
        }
        self.link.gone.cancel();
    }
}

/// What a client finds when it connects.
#[derive(Debug)]
pub(super) struct Found {
    /// The client id is its own from now on.
    pub lease: Lease,
    /// The packet ids that its session kept; `None`: there was no session.
    pub open: Option<BTreeSet<u16>>,
}

/// All sessions of the endpoint.
#[derive(Debug)]
pub(super) struct Sessions {
    inner: Mutex<Inner>,
    most_kept: usize,
}

#[derive(Debug, Default)]
struct Inner {
    live: BTreeMap<Arc<str>, Arc<Link>>,
    kept: BTreeMap<Arc<str>, Kept>,
    /// The same by end.
    ends: BTreeSet<(Instant, Arc<str>)>,
}

#[derive(Debug)]
struct Kept {
    open: BTreeSet<u16>,
    ends: Instant,
}

impl Sessions {
    /// Keeps at most so many sessions of clients that are not connected.
    pub(super) fn new(most_kept: usize) -> Sessions {
        Sessions { inner: Mutex::default(), most_kept }
    }

    /// Takes a client id; a connection that holds it is asked to end and waited for.
    pub(super) async fn take(
        self: &Arc<Sessions>,
        client_id: &str,
        link: &Arc<Link>,
        clean_start: bool,
    ) -> Found {
        loop {
            let before = {
                let mut inner = self.inner.lock();
                match inner.live.get(client_id) {
                    Some(before) => Arc::clone(before),
                    None => return self.found(&mut inner, client_id, link, clean_start),
                }
            };
            before.kick(Kick::TakenOver);
            before.gone.cancelled().await;
        }
    }

    fn found(
        self: &Arc<Sessions>,
        inner: &mut Inner,
        client_id: &str,
        link: &Arc<Link>,
        clean_start: bool,
    ) -> Found {
        inner.expire(Instant::now());
        let client_id: Arc<str> = Arc::from(client_id);
        inner.live.insert(Arc::clone(&client_id), Arc::clone(link));
        let kept = inner.forget(&client_id);
        let open = kept.filter(|_| !clean_start).map(|kept| kept.open);
        let lease =
            Lease { sessions: Arc::clone(self), client_id, link: Arc::clone(link), left: false };
        Found { lease, open }
    }

    fn release(
        &self,
        client_id: &Arc<str>,
        link: &Arc<Link>,
        keep: Option<(BTreeSet<u16>, Duration)>,
    ) {
        let mut inner = self.inner.lock();
        if inner.live.get(client_id).is_some_and(|live| Arc::ptr_eq(live, link)) {
            inner.live.remove(client_id);
        }
        let now = Instant::now();
        inner.expire(now);
        if let Some((open, expiry)) = keep {
            let ends = now + expiry;
            inner.ends.insert((ends, Arc::clone(client_id)));
            inner.kept.insert(Arc::clone(client_id), Kept { open, ends });
        }
        while inner.kept.len() > self.most_kept
            && let Some((_, id)) = inner.ends.first()
        {
            let id = Arc::clone(id);
            drop(inner.forget(&id));
        }
    }

    /// How many sessions are kept for clients that are not connected.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.inner.lock().kept.len()
    }
}

impl Inner {
    fn expire(&mut self, now: Instant) {
        while let Some((at, id)) = self.ends.first()
            && *at <= now
        {
            let id = Arc::clone(id);
            drop(self.forget(&id));
        }
    }

    fn forget(&mut self, client_id: &Arc<str>) -> Option<Kept> {
        let kept = self.kept.remove(client_id)?;
        self.ends.remove(&(kept.ends, Arc::clone(client_id)));
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn take(sessions: &Arc<Sessions>, id: &str, clean: bool) -> Found {
        sessions.take(id, &Arc::default(), clean).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_is_kept_as_long_as_asked() {
        let sessions = Arc::new(Sessions::new(10));
        for (expiry_s, wait_s, found) in
            [(60, 59, true), (60, 60, false), (0, 0, false), (10_000, 9_999, true)]
        {
            let first = take(&sessions, "a", true).await;
            assert_eq!(first.open, None);
            first.lease.leave(BTreeSet::from([7]), Duration::from_secs(expiry_s));
            tokio::time::advance(Duration::from_secs(wait_s)).await;
            let again = take(&sessions, "a", false).await;
            assert_eq!(again.open.is_some(), found, "{expiry_s} {wait_s}");
            assert!(again.open.is_none_or(|open| open == BTreeSet::from([7])));
        }
        assert_eq!(sessions.kept(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clean_start_and_a_dropped_lease_end_the_session() {
        let sessions = Arc::new(Sessions::new(10));
        take(&sessions, "a", true).await.lease.leave(BTreeSet::from([1]), Duration::from_secs(60));
        assert_eq!(take(&sessions, "a", true).await.open, None);
        assert_eq!(take(&sessions, "a", false).await.open, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_session_that_ends_soonest_makes_room() {
        let sessions = Arc::new(Sessions::new(2));
        for (id, expiry_s) in [("a", 99), ("b", 50), ("c", 20), ("d", 90)] {
            let expiry = Duration::from_secs(expiry_s);
            take(&sessions, id, true).await.lease.leave(BTreeSet::new(), expiry);
        }
        assert_eq!(sessions.kept(), 2);
        assert!(take(&sessions, "a", false).await.open.is_some());
        assert!(take(&sessions, "d", false).await.open.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_waits_for_the_old_one_to_leave() {
        let sessions = Arc::new(Sessions::new(10));
        let old_link = Arc::new(Link::default());
        let old = sessions.take("a", &old_link, true).await;
        let taking = tokio::spawn({
            let sessions = Arc::clone(&sessions);
            async move { take(&sessions, "a", false).await.open }
        });
        let why = std::future::poll_fn(|context| old_link.poll_kicked(context)).await;
        assert_eq!(why, Kick::TakenOver);
        assert!(!taking.is_finished());
        old.lease.leave(BTreeSet::from([3, 4]), Duration::from_secs(60));
        assert_eq!(taking.await.unwrap(), Some(BTreeSet::from([3, 4])));
    }
}
