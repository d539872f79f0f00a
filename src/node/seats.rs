//! Who follows which profile, and which titles each of them has still to be told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    crdt::{ContentId, Key, ProfileId, Span, VersionVector},
    playback::{SessionId, SlotKind},
};

/// How many titles wait for one who follows a profile; more than a household plays at once by far. Beyond it none
/// is kept: whoever follows goes back to its cursor, and looks for what changed since.
pub const WAITING_MAX: usize = 64;

/// Everybody who follows a profile at this node. Whoever lets them in bounds their number.
#[derive(Debug, Default)]
pub(super) struct Seats {
    inner: Mutex<Inner>,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    by_profile: BTreeMap<ProfileId, Vec<Arc<Seat>>>,
    /// Up to where every change has been named.
    told: Arc<VersionVector>,
    /// Up to where it will have been at the end of this round.
    upto: Arc<VersionVector>,
    round: u64,
}

#[derive(Debug)]
struct Seat {
    session: Option<SessionId>,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    /// The round in which the seat was taken; what that one reads was committed before.
    joined: u64,
    /// In the order in which they were named.
    waiting: Vec<Waiting>,
    /// Too many waited; all since this vector is to be looked for.
    overflown: Option<Arc<VersionVector>>,
    /// Something changed that concerns all titles of the profile.
    whole_profile: bool,
}

/// A title that changed.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which.
    pub content: ContentId,
    /// What had been told to everybody before it was named.
    pub before: Arc<VersionVector>,
}

/// One seat: a place to be told from of the changes of a profile, given up when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    seats: Arc<Seats>,
    profile: ProfileId,
    seat: Arc<Seat>,
}

impl Seats {
    /// Makes seats for what is committed beyond a vector.
    pub(super) fn beyond(told: VersionVector) -> Self {
        let told = Arc::new(told);
        let inner = Inner { told: Arc::clone(&told), upto: told, ..Inner::default() };
        Self { inner: Mutex::new(inner), closed: AtomicBool::default() }
    }

    /// Takes a seat; all that is committed from here on will be named to it, except what `session` writes.
    pub(super) fn join(seats: &Arc<Self>, profile: ProfileId, session: Option<SessionId>) -> Subscription {
        let mut inner = seats.lock();
        let queue = Mutex::new(Queue { joined: inner.round, ..Queue::default() });
        let seat = Arc::new(Seat { session, queue, wake: Notify::new() });
        inner.by_profile.entry(profile.clone()).or_default().push(Arc::clone(&seat));
        drop(inner);
        Subscription { seats: Arc::clone(seats), profile, seat }
    }

    /// Begins a round: the spans to be read. Where nobody sits there is nothing to read.
    pub(super) fn begin(&self, upto: VersionVector) -> Vec<Span> {
        let mut inner = self.lock();
        let spans = if inner.by_profile.is_empty() { Vec::new() } else { upto.beyond(&inner.told) };
        inner.upto = Arc::new(upto);
        inner.round += 1;
        spans
    }

    /// Names changed places.
    pub(super) fn tell<'a>(&self, keys: impl Iterator<Item = &'a Key>) {
        let inner = self.lock();
        for key in keys {
            let seats = inner.by_profile.get(&key.title.profile).into_iter().flatten();
            for seat in seats.filter(|seat| !seat.wrote(key)) {
                seat.tell(key, inner.round, &inner.told);
            }
        }
    }

    /// Ends a round: all that its vector covers has been named.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.told = Arc::clone(&inner.upto);
    }

    /// Sends everybody away.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.lock().by_profile.values().flatten().for_each(|seat| seat.wake.notify_one());
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whether a place is one that the seat's own session writes to.
    fn wrote(&self, key: &Key) -> bool {
        let of_session = matches!(
            SlotKind::of(key.slot),
            Some(SlotKind::Glimpse | SlotKind::Session | SlotKind::Completed)
        );
        of_session && self.session.is_some_and(|session| *session.as_bytes() == key.slot.id)
    }

    fn tell(&self, key: &Key, round: u64, before: &Arc<VersionVector>) {
        let mut queue = self.lock();
        let content = &key.title.content;
        if round <= queue.joined {
            return;
        }
        if key.title.is_scope() {
            queue.whole_profile = true;
        } else if queue.is_known(content) {
            return;
        } else if queue.waiting.len() < WAITING_MAX {
            queue.waiting.push(Waiting { content: content.clone(), before: Arc::clone(before) });
        } else {
            queue.overflown = queue.waiting.first().map(|first| Arc::clone(&first.before));
            queue.waiting = Vec::new();
        }
        drop(queue);
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_known(&self, content: &ContentId) -> bool {
        self.overflown.is_some() || self.waiting.iter().any(|waiting| waiting.content == *content)
    }
}

impl Subscription {
    /// Takes out the first waiting title that is due. Its state is to be read after that, so that a
    /// change which comes meanwhile is named again.
    pub fn take(&self, is_due: impl Fn(&ContentId) -> bool) -> Option<Waiting> {
        let mut queue = self.seat.lock();
        let at = queue.waiting.iter().position(|waiting| is_due(&waiting.content))?;
        Some(queue.waiting.remove(at))
    }

    /// The titles that wait.
    pub fn waiting(&self) -> Vec<ContentId> {
        self.seat.lock().waiting.iter().map(|waiting| waiting.content.clone()).collect()
    }

    /// What has been told in all: everything, save for what waits.
    pub fn told(&self) -> Arc<VersionVector> {
        let inner = self.seats.lock();
        let queue = self.seat.lock();
        let held_back = queue.overflown.as_ref().or(queue.waiting.first().map(|first| &first.before));
        Arc::clone(held_back.unwrap_or(&inner.told))
    }

    /// Where too many titles waited: takes the seat anew, and returns the vector since which they are to
    /// be looked for.
    pub fn rejoin(&self) -> Option<Arc<VersionVector>> {
        let inner = self.seats.lock();
        let mut queue = self.seat.lock();
        queue.joined = if queue.overflown.is_some() { inner.round } else { queue.joined };
        queue.overflown.take()
    }

    /// Whether something has changed that concerns all titles of the profile; asked once for each time.
    pub fn take_whole_profile(&self) -> bool {
        std::mem::take(&mut self.seat.lock().whole_profile)
    }

    /// Whether nothing more will be told: the node leaves, or its life is over.
    pub fn is_over(&self) -> bool {
        self.seats.is_closed()
    }

    /// Waits until there is something new to look at.
    pub async fn changed(&self) {
        self.seat.wake.notified().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut inner = self.seats.lock();
        let Some(seats) = inner.by_profile.get_mut(&self.profile) else { return };
        seats.retain(|seat| !Arc::ptr_eq(seat, &self.seat));
        if seats.is_empty() {
            inner.by_profile.remove(&self.profile);
        }
    }
}
