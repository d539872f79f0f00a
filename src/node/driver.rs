//! The loop that owns the replica.
//!
//! It has a thread of its own and no part in the runtime that serves players: a commit blocks, now and
//! then for as long as a device takes to sync, and a blocked worker of a shared runtime would hold up
//! answers that have nothing to do with it. The thread runs a small runtime of its own, for one purpose: to wait
//! for whichever comes first of a command, a frame and a timeout.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime,
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    crdt::{Dot, Merged, ReplicaId, Timestamp, VersionVector},
    node::{
        Assurance, Clock, Counters, Outcome, Written,
        inbox::{Command, Look, Order},
        links::Links,
        readiness::Teller,
        snapshot,
        waiters::{REPLICATED_WITHIN, Waiter, Waiters},
    },
    playback::{Write, coalesce},
    replica::{HandleError, Monotonic, Now, PeerMisbehaved, Replica, WriteError, wire},
    store::{Durability, Store, StoreError},
    transport::LinkEvent,
};

/// How long what is committed may stay unsynced. Peers count a write as replicated only when it is
/// synced, so more delays whoever waits for that; less spends the device on syncs.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(50);

/// How long a node that leaves waits until a peer has synced what it wrote last: a peer's own interval and
/// round trips to the farthest region. After that, the rest is told when the node starts again.
pub const HAND_OVER_WITHIN: Duration = Duration::from_secs(1);

/// How many commands one turn takes: so many share one commit, and nobody waits for more than these.
pub const TURN_COMMANDS_MAX: usize = 1_024;

/// How many links' events one turn takes. A frame brings up to a few hundred registers.
pub const TURN_EVENTS_MAX: usize = 64;

/// How many messages one turn sends; what is left is sent in the next, which then comes at once.
pub const TURN_TRANSMITS_MAX: usize = 128;

/// Sole owner of the replica: drains, stages, commits, answers and sends, in this order.
#[derive(Debug)]
pub(super) struct Driver<S> {
    pub(super) replica: Replica<S>,
    pub(super) clock: Clock,
    pub(super) commands: mpsc::Receiver<Command>,
    /// `None` where there is no transport, or once it has closed.
    pub(super) events: Option<mpsc::Receiver<LinkEvent>>,
    pub(super) links: Links,
    pub(super) waiters: Waiters,
    pub(super) counters: Arc<Counters>,
    pub(super) vector: watch::Sender<VersionVector>,
    pub(super) readiness: Teller,
    pub(super) agenda: Agenda,
}

/// What has come for the next turn, and when it is due if nothing comes.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    commands: Vec<Command>,
    events: Vec<LinkEvent>,
    sync_due: Option<Monotonic>,
    unsent: bool,
    /// No command is left and none will come.
    finished: bool,
}

impl<S: Store> Driver<S> {
    /// Runs until it is told to leave, or its handles are gone.
    ///
    /// # Errors
    /// A store that fails ends this life: those who wait are told nothing, so that they take their writes
    /// for unknown.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        let waiting = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|why| StoreError::Io(format!("no timer for the driver: {why}")))?;
        while !self.agenda.finished {
            waiting.block_on(self.wait());
            self.turn()?;
        }
        self.finish(&waiting)
    }

    /// Waits until there is something to do, and takes all that has come up to the bounds of a turn.
    async fn wait(&mut self) {
        let pause = self.next_due().since(self.clock.now().mono);
        let Self { commands, events, agenda, .. } = self;
        tokio::select! {
            count = commands.recv_many(&mut agenda.commands, TURN_COMMANDS_MAX) => {
                agenda.finished = count == 0;
            }
            count = receive(events, &mut agenda.events) => {
                if count == 0 {
                    *events = None;
                }
            }
            () = sleep(pause) => {}
        }
        while agenda.commands.len() < TURN_COMMANDS_MAX
            && let Ok(command) = commands.try_recv()
        {
            agenda.commands.push(command);
        }
        while agenda.events.len() < TURN_EVENTS_MAX
            && let Some(Ok(event)) = events.as_mut().map(mpsc::Receiver::try_recv)
        {
            agenda.events.push(event);
        }
    }

    fn next_due(&self) -> Monotonic {
        if self.agenda.unsent {
            return Monotonic::default();
        }
        let due = [self.agenda.sync_due, self.waiters.deadline()];
        due.into_iter().flatten().fold(self.replica.poll_timeout(), Monotonic::min)
    }

    /// One turn: durable before acknowledged, acknowledged before sent.
    fn turn(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (orders, looks) = self.sort_commands();
        let durability = orders.iter().map(|order| order.assurance.durability()).max().unwrap_or_default();

        let merged = self.stage_all(&orders, now)?;
        self.handle_events(now)?;
        self.replica.handle_timeout(now);
        self.replica.commit(durability, now)?;
        self.sync_when_due(now.mono)?;

        // Whoever asks for changes as soon as they are answered finds their own among them.
        self.publish();
        self.readiness.tell(self.replica.readiness(), now.mono);
        for (order, merged) in orders.into_iter().zip(merged) {
            self.acknowledge(order, merged, now.mono)?;
        }
        self.waiters.settle(now.mono, |dot| self.replica.is_replicated(dot));
        for look in looks {
            self.tell(look);
        }
        self.transmit(now)
    }

    fn sort_commands(&mut self) -> (Vec<Order>, Vec<Look>) {
        let (mut orders, mut looks) = (Vec::new(), Vec::new());
        for command in std::mem::take(&mut self.agenda.commands) {
            match command {
                Command::Write(order) => orders.push(order),
                Command::Look(look, _permit) => looks.push(look),
                Command::Leave => self.commands.close(),
            }
        }
        (orders, looks)
    }

    /// Stages what all orders ask for, of each place the greatest alone (R14), and says for each order what
    /// came of its writes.
    fn stage_all(&mut self, orders: &[Order], now: Now) -> Result<Vec<Vec<Merged>>, StoreError> {
        let writes: Vec<_> = orders.iter().flat_map(|order| &order.writes).collect();
        let merged = coalesce(&writes, |write| {
            self.replica.write(&write.key, write.stamp, Arc::clone(&write.value), now).map_err(of_store)
        })?;
        let mut merged = merged.into_iter();
        Ok(orders.iter().map(|order| merged.by_ref().take(order.writes.len()).collect()).collect())
    }

    fn handle_events(&mut self, now: Now) -> Result<(), StoreError> {
        for event in std::mem::take(&mut self.agenda.events) {
            match event {
                LinkEvent::Up { peer, link } => {
                    self.links.up(link);
                    self.replica.handle_peer_up(peer.replica, peer.origin, now);
                }
                LinkEvent::Frame { from, link, frame } if self.links.stands(from, link) => {
                    self.handle_frame(from, &frame, now)?;
                }
                LinkEvent::Down { peer, link, .. } if self.links.stands(peer, link) => {
                    self.links.down(peer);
                    self.replica.handle_peer_down(peer, now);
                }
                // Of a link that this loop has given up before the transport did.
                LinkEvent::Frame { .. } | LinkEvent::Down { .. } => {}
            }
        }
        Ok(())
    }

    fn handle_frame(&mut self, from: ReplicaId, frame: &[u8], now: Now) -> Result<(), StoreError> {
        let message = match wire::decode(frame) {
            Ok(Some(message)) => message,
            Ok(None) => {
                self.counters.frames_skipped.add(1);
                return Ok(());
            }
            Err(why) => {
                self.cut_off(from, &why.to_string(), now);
                return Ok(());
            }
        };
        match self.replica.handle_message(from, message, now) {
            Ok(()) => Ok(()),
            Err(HandleError::Peer(why)) => {
                self.cut_off(from, &explain(&why), now);
                Ok(())
            }
            Err(HandleError::Store(why)) => Err(why),
        }
    }

    fn cut_off(&mut self, peer: ReplicaId, why: &str, now: Now) {
        self.links.cut_off(peer, why);
        self.replica.handle_peer_down(peer, now);
    }

    fn sync_when_due(&mut self, now: Monotonic) -> Result<(), StoreError> {
        let is_dirty = self.replica.synced() != self.replica.vector();
        let due = is_dirty.then(|| self.agenda.sync_due.unwrap_or(now.plus(SYNC_INTERVAL)));
        self.agenda.sync_due = due.filter(|&due| due > now);
        if due.is_some_and(|due| due <= now) { self.replica.sync() } else { Ok(()) }
    }

    fn acknowledge(&mut self, order: Order, merged: Vec<Merged>, now: Monotonic) -> Result<(), StoreError> {
        let Order { writes, assurance, reply, permit } = order;
        let outcome = |(write, merged): (&Write, Merged)| {
            Ok(Outcome { merged, standing: self.replica.standing(&write.key)? })
        };
        let outcomes = writes.iter().zip(merged).map(outcome).collect::<Result<Vec<_>, StoreError>>()?;
        if assurance == Assurance::Replicated && self.events.is_some() {
            let deadline = now.plus(REPLICATED_WITHIN);
            self.waiters.push(Waiter { outcomes, deadline, reply, permit });
        } else {
            // Whoever has gone needs no answer.
            let _ = reply.send(Written { outcomes, assurance: assurance.min(Assurance::Synced) });
        }
        Ok(())
    }

    /// Tells how the node stands after the turn; whoever has gone needs no answer.
    fn tell(&self, look: Look) {
        match look {
            Look::Origins(reply) => drop(reply.send(snapshot::origins(&self.replica))),
            Look::Synced(dot, reply) => drop(reply.send(snapshot::synced(&self.replica, dot))),
        }
    }

    fn publish(&self) {
        self.vector.send_if_modified(|published| {
            let is_new = published != self.replica.vector();
            if is_new {
                published.clone_from(self.replica.vector());
            }
            is_new
        });
    }

    fn transmit(&mut self, now: Now) -> Result<(), StoreError> {
        for _ in 0..TURN_TRANSMITS_MAX {
            let Some(transmit) = self.replica.poll_transmit(now)? else {
                self.agenda.unsent = false;
                return Ok(());
            };
            self.links.send(&transmit);
        }
        self.agenda.unsent = true;
        Ok(())
    }

    /// Syncs, and goes on with the links alone until some peer would keep what this life has written.
    fn finish(mut self, waiting: &runtime::Runtime) -> Result<(), StoreError> {
        let mut now = self.clock.now();
        self.replica.commit(Durability::Synced, now)?;
        self.waiters.dismiss();
        let deadline = now.mono.plus(HAND_OVER_WITHIN);
        while !self.is_handed_over() && now.mono < deadline {
            waiting.block_on(self.wait_for_links(deadline));
            now = self.clock.now();
            self.handle_events(now)?;
            self.replica.handle_timeout(now);
            self.replica.commit(Durability::Process, now)?;
            self.sync_when_due(now.mono)?;
            self.transmit(now)?;
        }
        Ok(())
    }

    /// Whether nobody is there to tell, or somebody has synced all that this life has written.
    fn is_handed_over(&self) -> bool {
        let origin = self.replica.origin();
        let version = self.replica.vector().upto(origin);
        self.links.is_empty()
            || version == Timestamp::ZERO
            || self.replica.is_replicated(Dot { origin, version })
    }

    async fn wait_for_links(&mut self, deadline: Monotonic) {
        let pause = self.next_due().min(deadline).since(self.clock.now().mono);
        let Self { events, agenda, .. } = self;
        tokio::select! {
            count = receive(events, &mut agenda.events) => {
                if count == 0 {
                    *events = None;
                }
            }
            () = sleep(pause) => {}
        }
    }
}

/// What a write that was not staged means for this life.
fn of_store(why: WriteError) -> StoreError {
    match why {
        WriteError::Store(why) => why,
        WriteError::LifeIsOver => StoreError::Io("a commit has failed before".into()),
        WriteError::ValueTooLong { bytes } => unreachable!("the handle turns away values of {bytes} bytes"),
    }
}

/// Receives from a channel that may not be there; then it waits for ever.
async fn receive(events: &mut Option<mpsc::Receiver<LinkEvent>>, into: &mut Vec<LinkEvent>) -> usize {
    match events {
        Some(events) => events.recv_many(into, TURN_EVENTS_MAX).await,
        None => std::future::pending().await,
    }
}

/// Words for an operator, who must act on a fork.
fn explain(why: &PeerMisbehaved) -> String {
    match why {
        PeerMisbehaved::Forked { .. } => {
            format!("{why}: stop one of two nodes with copies of one data directory")
        }
        PeerMisbehaved::SpanReversed { .. } | PeerMisbehaved::Rotten { .. } => why.to_string(),
    }
}
