//! The pen: whoever holds it has the replica, and writes.
//!
//! The problem: a commit blocks, now and then for as long as a device takes to sync, so that the loop that
//! owns the replica has a thread of its own and no part in the runtime that serves players. But to hand
//! every report to another thread and to be woken by it costs more than the report. The mechanism: what
//! need not be on the device before it is answered is committed by whoever brings it, if nobody holds the
//! pen at that moment; if somebody does, that one takes it along. Before that, everybody lets others go
//! first who are at hand, so that under load many share one commit. There is still one owner at a time.
//! What must wait for the device, everything that comes from peers or from a clock, and all sending is the
//! thread's.
//!
//! Nothing is left lying: an entry is counted before the pen is tried for, and whoever has put the pen down
//! looks at the count again, with a fence between the two on either side (Dekker's protocol).

use std::{
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicUsize, Ordering, fence},
    },
    time::Duration,
};

use tokio::{
    runtime,
    sync::{Notify, mpsc},
    task::yield_now,
    time::sleep,
};

use crate::{
    node::{
        TURN_EVENTS_MAX,
        driver::{Driver, Left, receive},
        inbox::Command,
        pulse::{Pulse, Step},
        room::RoomBoard,
    },
    store::{Store, StoreError},
    transport::LinkEvent,
};

/// How many turns somebody takes in passing; what still comes then is the thread's. Whoever serves players goes
/// on with their connections in between, and each turn that the thread takes instead is a wake of it.
const PASSING_TURNS_MAX: usize = 64;

/// The driver, for whoever finds nobody else with it.
#[derive(Debug)]
pub(super) struct Pen<S> {
    /// `None` once its life is over.
    driver: Mutex<Option<Driver<S>>>,
    /// How many entries of the inbox nobody has taken.
    posted: AtomicUsize,
    /// Wakes the driver's thread.
    bell: Notify,
    /// Beats while the device is asked to keep what was committed.
    sync: Arc<Pulse>,
    /// With too little room nothing is taken from peers.
    room: RoomBoard,
}

/// The way in: cheap to post to, from any thread. When it is dropped the driver leaves.
#[derive(Debug)]
pub(super) struct Inbox<S: Store> {
    commands: mpsc::Sender<Command>,
    pen: Arc<Pen<S>>,
}

impl<S: Store> Inbox<S> {
    /// Takes the sending half of what the driver in the pen receives.
    pub(super) fn new(commands: mpsc::Sender<Command>, pen: Arc<Pen<S>>) -> Self {
        Self { commands, pen }
    }

    /// Posts an entry. Whoever posts sees to it: by [`Posted::see_to`] where it need not wait for the device, or
    /// else by letting go of what is returned.
    ///
    /// # Errors
    /// The entry, where the driver takes no more.
    pub(super) fn post(&self, command: Command) -> Result<Posted<'_, S>, Command> {
        self.pen.posted.fetch_add(1, Ordering::Relaxed);
        self.commands.try_send(command).map_err(|refused| {
            self.pen.posted.fetch_sub(1, Ordering::Relaxed);
            refused.into_inner()
        })?;
        Ok(Posted { pen: &self.pen, is_seen_to: false })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }
}

impl<S: Store> Drop for Inbox<S> {
    fn drop(&mut self) {
        // There is no room for it only where it has been told before.
        let _ = self.post(Command::Leave);
    }
}

/// An entry of the inbox that nobody has seen to. Whoever lets go of it leaves it to the driver's thread.
#[derive(Debug)]
#[must_use = "somebody must see to it"]
pub(super) struct Posted<'a, S: Store> {
    pen: &'a Pen<S>,
    is_seen_to: bool,
}

impl<S: Store> Posted<'_, S> {
    /// Lets others that are at hand post theirs too, then commits all of it, unless somebody else has or is
    /// about to.
    pub(super) async fn see_to(mut self) {
        yield_now().await;
        self.is_seen_to = true;
        self.pen.turn_in_passing();
    }
}

impl<S: Store> Drop for Posted<'_, S> {
    fn drop(&mut self) {
        if !self.is_seen_to {
            self.pen.bell.notify_one();
        }
    }
}

impl<S: Store> Pen<S> {
    pub(super) fn new(driver: Driver<S>, sync: Arc<Pulse>, room: RoomBoard) -> Self {
        let (driver, posted, bell) = (Mutex::new(Some(driver)), AtomicUsize::default(), Notify::new());
        Self { driver, posted, bell, sync, room }
    }

    fn turn_in_passing(&self) {
        for _ in 0..PASSING_TURNS_MAX {
            if self.is_empty() {
                return;
            }
            let mut held = match self.driver.try_lock() {
                Ok(held) => held,
                // Its holder will look at the count.
                Err(TryLockError::WouldBlock) => return,
                // A turn has panicked, and the thread ends this life.
                Err(TryLockError::Poisoned(_)) => return self.bell.notify_one(),
            };
            let Some(driver) = held.as_mut() else { return };
            self.posted.fetch_sub(driver.take_commands(), Ordering::Relaxed);
            let left = driver.turn_in_passing();
            drop(held);
            if left == Left::Something {
                return self.bell.notify_one();
            }
        }
        self.bell.notify_one();
    }

    /// Says that nothing is posted; to be asked with empty hands.
    fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.posted.load(Ordering::Relaxed) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Option<Driver<S>>> {
        self.driver.lock().expect("no turn has panicked")
    }

    /// Drives until the driver is told to leave; on its own thread. `sync` makes all that is committed
    /// survive a power cut, while others hold the pen.
    ///
    /// # Errors
    /// A store that fails ends this life: those who wait are told nothing, so that they take their writes
    /// for unknown.
    ///
    /// # Panics
    /// Where a turn has panicked on another thread.
    pub(super) fn drive(
        &self,
        mut events: Option<mpsc::Receiver<LinkEvent>>,
        sync: impl Fn() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        // It waits for whichever comes first of an entry, a frame and a timeout, and does nothing else.
        let waiting = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|why| StoreError::Io(format!("no timer for the driver: {why}")))?;
        let told = self.drive_until_told(&waiting, &mut events, sync);
        let driver = self.lock().take().expect(MINE);
        told?;
        driver.finish(&waiting, &mut events)
    }

    fn drive_until_told(
        &self,
        waiting: &runtime::Runtime,
        events: &mut Option<mpsc::Receiver<LinkEvent>>,
        sync: impl Fn() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut heard = Vec::new();
        loop {
            let pause = self.lock().as_mut().expect(MINE).fall_asleep();
            waiting.block_on(self.wait(pause, events, &mut heard));
            let due = self.lock().as_mut().expect(MINE).begin_sync();
            if let Some((upto, now)) = due {
                self.sync.begin(Step::Syncing, now);
                sync()?;
                self.sync.rest();
                self.lock().as_mut().expect(MINE).end_sync(&upto);
            }
            let mut held = self.lock();
            let driver = held.as_mut().expect(MINE);
            self.posted.fetch_sub(driver.take_commands(), Ordering::Relaxed);
            driver.take_events(&mut heard);
            driver.has_transport = events.is_some();
            driver.turn()?;
            if driver.is_finished() {
                return Ok(());
            }
        }
    }

    /// Waits until there is something to do, and takes what links have brought, up to the bound of a turn.
    async fn wait<T>(&self, pause: Duration, events: &mut Option<mpsc::Receiver<T>>, heard: &mut Vec<T>) {
        if self.is_empty() {
            tokio::select! {
                () = self.bell.notified() => {}
                () = self.hear(events, heard) => {}
                () = sleep(pause) => {}
            }
        }
        // Also where entries never run out: peers do not wait for those who write here to pause.
        while heard.len() < TURN_EVENTS_MAX
            && !self.room.is_full()
            && let Some(Ok(event)) = events.as_mut().map(mpsc::Receiver::try_recv)
        {
            heard.push(event);
        }
    }

    /// Waits for what links bring; with too little room on the disk they are left waiting, and their peers with them.
    async fn hear<T>(&self, events: &mut Option<mpsc::Receiver<T>>, heard: &mut Vec<T>) {
        self.room.until_free().await;
        receive(events, heard).await;
    }
}

const MINE: &str = "only the driver's thread takes it away, at its end";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn links_are_heard_where_entries_never_run_out() {
        let (driver, posted, bell) = (Mutex::default(), AtomicUsize::new(1), Notify::new());
        let (sync, room) = (Arc::default(), RoomBoard::default());
        let pen = Pen::<MemoryStore> { driver, posted, bell, sync, room };
        let (link, events) = mpsc::channel(TURN_EVENTS_MAX + 1);
        for event in 0..=TURN_EVENTS_MAX {
            link.try_send(event).expect("there is room");
        }
        let (mut events, mut heard) = (Some(events), Vec::new());
        pen.wait(Duration::MAX, &mut events, &mut heard).await;
        assert_eq!(heard, (0..TURN_EVENTS_MAX).collect::<Vec<_>>(), "as many as a turn takes");
    }
}
