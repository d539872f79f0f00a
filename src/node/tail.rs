//! The change index followed as it grows, for those who want to hear what changed.
//!
//! The problem: many thousands of screens ask to be told when a title of their profile changes, wherever
//! in the world it changed, and go on at another node when theirs is gone, without having missed anything. The
//! mechanism: nothing is queued for anybody. One **tail** a node follows the committed vector, reads from the
//! change index what is between it and its own, and drops the *names* of changed titles into the **seats** of
//! those who follow that profile. What is told is read when it is told, so a title that changed a hundred
//! times is told once, as it stands.
//!
//! # Where somebody is
//!
//! A cursor is a vector `C` with this meaning: *the state of every title has been told as it was after all
//! writes that `C` covers, or later.* Origins are told apart; there is no order between them, and none is needed.
//!
//! **No loss.** An index entry at or below its origin's place in `C` has been told, because the tail reads every
//! entry between two vectors before the later one becomes anybody's cursor. An entry that is gone was
//! overwritten by a later one of the same origin and key, and that one is read in its place: it lies inside
//! the same span, or beyond it. For the second case the index is read to its very end and not to the
//! vector: an entry that moves while it is read is met where it was or where it went. So what a vector covers is
//! told before the vector is, even if the later write is lost again with its origin's power. A title
//! that waits for its turn holds the cursor back, at the vector from before it was named.
//!
//! **Elsewhere.** Another node finds the titles that hold a register which `C` does not cover; a change
//! without one does not exist, since what removes registers (a fence, a greater one) is a register itself. It
//! waits until it holds all that `C` covers. If that does not come in time, it begins from the least that both have,
//! and says so: what arrives later may change back what it has told meanwhile, so all of it counts as untold.
//!
//! **No repetition.** A state equal to the last one told is not told again, nor is a title all of whose registers `C`
//! covers: a retry that changed nothing raises nothing. Two things reach beyond a cursor: a state may show registers
//! before the vector covers them, and titles told out of turn lie above a cursor that another title holds back.
//! Therefore a cursor carries marks of the last few states told. Beyond those few a state may be told
//! twice, which changes nothing for whoever keeps the last one of each title.
//!
//! What was refused: a queue of events for each screen (it grows with the slowest, and a state of a second ago is
//! of no use), a broadcast of every change to all (ten thousand wake for one), and sequence numbers of a node's own
//! (no other node understands them).

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::yield_now, time::sleep};

use super::seats::Seats;
use crate::{
    crdt::{Span, Timestamp, VersionVector},
    store::{Read, StoreError},
};

/// How many entries of the index are read before others get their turn: under a millisecond's work.
pub const TAIL_ENTRIES_MAX: usize = 256;

/// How long changes are gathered before they are looked up: less than anybody sees, and at a thousand
/// turns a second it saves most of the rounds.
pub const TAIL_LINGER: Duration = Duration::from_millis(10);

/// Follows the vector until the driver is gone, or the node leaves.
pub(super) async fn follow<S: Read>(seats: Arc<Seats>, store: S, mut vector: watch::Receiver<VersionVector>) {
    while vector.changed().await.is_ok() && !seats.is_closed() {
        let upto = vector.borrow_and_update().clone();
        for span in seats.begin(upto) {
            if let Err(why) = tell(&seats, &store, span).await {
                tracing::error!(%why, "the change index cannot be read, and nobody is told of changes");
                seats.close();
                return;
            }
        }
        seats.end();
        sleep(TAIL_LINGER).await;
    }
    seats.close();
}

/// Names what changed since the beginning of a span, to the end of the index.
async fn tell<S: Read>(seats: &Seats, store: &S, span: Span) -> Result<(), StoreError> {
    let mut rest = Span { upto: Timestamp::from_u64(u64::MAX), ..span };
    loop {
        let entries = store.changes(rest, TAIL_ENTRIES_MAX)?;
        let is_last = entries.len() < TAIL_ENTRIES_MAX;
        if let Some((last, _)) = entries.last() {
            rest.after = *last;
        }
        seats.tell(entries.iter().map(|(_, key)| key));
        if is_last {
            return Ok(());
        }
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        crdt::{Dot, Key, Origin, Register, Stamp, TitleId},
        node::Subscription,
        playback::{SessionId, slot},
        store::{Batch, Durability, MemoryStore, Store},
    };

    /// A store, and the vector that its driver publishes.
    struct World {
        store: MemoryStore,
        batch: Batch,
        seats: Arc<Seats>,
    }

    const TV: SessionId = SessionId::from_bytes([1; 16]);
    const PHONE: SessionId = SessionId::from_bytes([2; 16]);

    fn origin(n: u128) -> Origin {
        Origin::from_random(n)
    }

    fn key(profile: &str, content: &str, session: SessionId) -> Key {
        TitleId::parse(profile, content).expect("both are ids").key(slot::session(session))
    }

    impl World {
        fn new() -> Self {
            Self { store: MemoryStore::default(), batch: Batch::default(), seats: Arc::default() }
        }

        fn write(&mut self, of: u128, version: u64, key: &Key) {
            let version = Timestamp::from_u64(version);
            let dot = Dot { origin: origin(of), version };
            let register = Register::seal(key, Stamp::default(), dot, [].as_slice().into());
            self.batch.registers.insert(key.clone(), Some(register));
            self.batch.changes.insert((dot.origin, version), Some(key.clone()));
            self.batch.vector.advance(dot.origin, version);
        }

        fn commit(&mut self) {
            let batch = std::mem::take(&mut self.batch);
            self.store.commit(&batch, Durability::Process).expect("memory does not fail");
        }

        async fn round(&self, upto: VersionVector) {
            for span in self.seats.begin(upto) {
                tell(&self.seats, &self.store, span).await.expect("memory does not fail");
            }
            self.seats.end();
        }

        async fn committed_round(&mut self) {
            self.commit();
            self.round(self.store.vector().expect("memory does not fail")).await;
        }

        fn join(&self, profile: &str, session: Option<SessionId>) -> Subscription {
            Seats::join(&self.seats, profile.to_owned().try_into().expect("an id"), session)
        }
    }

    fn names(subscription: &Subscription) -> Vec<String> {
        std::iter::from_fn(|| subscription.take(|_| true)).map(|it| it.content.as_str().to_owned()).collect()
    }

    #[tokio::test]
    async fn who_follows_a_profile_is_told_each_of_its_titles_once() {
        let mut world = World::new();
        let (ann, bob) = (world.join("ann", None), world.join("bob", None));
        for version in 1..=1_000 {
            world.write(1, version, &key("ann", "film", if version % 2 == 0 { TV } else { PHONE }));
        }
        world.write(2, 7, &key("ann", "other film", TV));
        world.committed_round().await;
        assert_eq!(names(&ann), ["film", "other film"]);
        assert_eq!(names(&bob), [""; 0]);
        assert_eq!(names(&ann), [""; 0]);
    }

    #[tokio::test]
    async fn a_sessions_own_writes_are_not_told_to_it() {
        let mut world = World::new();
        let tv = world.join("ann", Some(TV));
        world.write(1, 1, &key("ann", "film", TV));
        world.write(1, 2, &key("ann", "other film", PHONE));
        world.committed_round().await;
        assert_eq!(names(&tv), ["other film"]);
    }

    #[tokio::test]
    async fn what_was_committed_before_somebody_came_is_not_told_to_them() {
        let mut world = World::new();
        world.write(1, 1, &key("ann", "film", TV));
        world.committed_round().await;
        let ann = world.join("ann", None);
        world.write(1, 2, &key("ann", "other film", TV));
        world.committed_round().await;
        assert_eq!(names(&ann), ["other film"]);
    }

    #[tokio::test]
    async fn a_waiting_title_holds_the_cursor_back_to_before_it_was_named() {
        let mut world = World::new();
        let ann = world.join("ann", None);
        world.write(1, 1, &key("bob", "film", TV));
        world.committed_round().await;
        let before = world.store.vector().expect("memory does not fail");
        assert_eq!(*ann.told(), before);
        world.write(1, 2, &key("ann", "film", TV));
        world.committed_round().await;
        world.write(1, 3, &key("ann", "other film", TV));
        world.committed_round().await;
        assert_eq!(*ann.told(), before);
        assert_eq!(names(&ann), ["film", "other film"]);
        assert_eq!(*ann.told(), world.store.vector().expect("memory does not fail"));
    }

    #[tokio::test]
    async fn what_concerns_all_titles_is_told_once_and_apart_from_them() {
        let mut world = World::new();
        let ann = world.join("ann", None);
        let film = key("ann", "film", TV);
        world.write(1, 1, &film.title.profile.scope().key(slot::FENCE));
        world.write(1, 2, &film);
        world.committed_round().await;
        assert!(ann.take_whole_profile());
        assert!(!ann.take_whole_profile());
        assert_eq!(names(&ann), ["film"]);
    }

    #[tokio::test]
    async fn an_entry_that_moves_beyond_the_vector_while_it_is_read_is_told_with_it() {
        let mut world = World::new();
        let ann = world.join("ann", None);
        world.write(1, 1, &key("ann", "film", TV));
        world.commit();
        let published = world.store.vector().expect("memory does not fail");
        // The same place is written again before the tail gets to read what was published.
        world.write(1, 2, &key("ann", "film", TV));
        world.batch.changes.insert((origin(1), Timestamp::from_u64(1)), None);
        world.commit();
        world.round(published.clone()).await;
        assert_eq!(names(&ann), ["film"]);
        assert_eq!(*ann.told(), published);
    }

    #[tokio::test]
    async fn who_has_too_many_titles_waiting_goes_back_to_where_it_was() {
        let mut world = World::new();
        let ann = world.join("ann", None);
        world.write(1, 1, &key("bob", "film", TV));
        world.committed_round().await;
        let before = ann.told();
        for version in 2..200 {
            world.write(1, version, &key("ann", &format!("film {version}"), TV));
        }
        world.committed_round().await;
        assert!(ann.take(|_| true).is_none());
        assert_eq!(*ann.told(), *before);
        assert_eq!(ann.rejoin().as_deref(), Some(&*before));
        assert_eq!(ann.rejoin(), None);
        world.write(1, 200, &key("ann", "film", TV));
        world.committed_round().await;
        assert_eq!(names(&ann), ["film"]);
    }

    #[tokio::test]
    async fn everybody_is_woken_when_the_driver_is_gone() {
        let world = World::new();
        let ann = world.join("ann", None);
        let (sender, vector) = watch::channel(VersionVector::default());
        let tail = tokio::spawn(follow(Arc::clone(&world.seats), MemoryStore::default(), vector));
        drop(sender);
        ann.changed().await;
        assert!(ann.is_over());
        tail.await.expect("it does not panic");
    }

    #[tokio::test]
    async fn the_tail_follows_what_the_driver_publishes() {
        let mut world = World::new();
        let ann = world.join("ann", None);
        let (sender, vector) = watch::channel(VersionVector::default());
        world.write(1, 1, &key("ann", "film", TV));
        world.commit();
        let committed = world.store.vector().expect("memory does not fail");
        let store = std::mem::take(&mut world.store);
        let tail = tokio::spawn(follow(Arc::clone(&world.seats), store, vector));
        sender.send_replace(committed);
        ann.changed().await;
        assert_eq!(names(&ann), ["film"]);
        drop(sender);
        tail.await.expect("it does not panic");
    }
}
