//! What a turn does, and in which order.
//!
//! Who takes one, and on which thread, is [`pen`](super::pen)'s to say.

use std::{sync::Arc, time::Duration};

use tokio::{
    runtime,
    sync::{mpsc, watch},
    time::sleep,
};

use crate::{
    crdt::{Dot, Merged, Monotonic, Now, ReplicaId, Timestamp, VersionVector},
    node::{
        Assurance, Clock, Counters, Outcome, Written,
        inbox::{Command, Look, Order},
        links::Links,
        pulse::{Pulse, Step},
        readiness::Teller,
        snapshot,
        synchrony::Synchrony,
        waiters::{REPLICATED_WITHIN, Waiter, Waiters},
    },
    playback::{Write, coalesce},
    replica::{Findings, HandleError, Message, PeerMisbehaved, Replica, WriteError, wire},
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
    /// Whether there is a transport, and it has not closed.
    pub(super) has_transport: bool,
    pub(super) links: Links,
    pub(super) waiters: Waiters,
    pub(super) counters: Arc<Counters>,
    pub(super) vector: watch::Sender<VersionVector>,
    pub(super) readiness: Teller,
    pub(super) synchrony: Synchrony,
    /// What had been found out by the last turn.
    pub(super) found: Findings,
    pub(super) agenda: Agenda,
    pub(super) pulse: Arc<Pulse>,
}

/// What has come for the next turn, and when it is due if nothing comes.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    commands: Vec<Command>,
    events: Vec<LinkEvent>,
    sync_due: Option<Monotonic>,
    unsent: bool,
    /// Until when the driver's thread sleeps if nobody wakes it.
    asleep_until: Monotonic,
    /// A turn in passing has failed, and this life is over.
    failed: Option<StoreError>,
}

/// Whether a turn in passing has left something for the driver's own thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    Nothing,
    Something,
}

impl<S: Store> Driver<S> {
    /// Takes what is in the inbox, up to the bound of a turn; how many they were.
    pub(super) fn take_commands(&mut self) -> usize {
        let before = self.agenda.commands.len();
        while self.agenda.commands.len() < TURN_COMMANDS_MAX
            && let Ok(command) = self.commands.try_recv()
        {
            self.agenda.commands.push(command);
        }
        self.agenda.commands.len() - before
    }

    pub(super) fn take_events(&mut self, events: &mut Vec<LinkEvent>) {
        self.agenda.events.append(events);
    }

    /// Says that no command is left and none will come.
    pub(super) fn is_finished(&self) -> bool {
        self.commands.is_closed() && self.commands.is_empty() && self.agenda.commands.is_empty()
    }

    /// How long its thread may sleep; whoever makes something due earlier wakes it.
    pub(super) fn fall_asleep(&mut self) -> Duration {
        self.agenda.asleep_until = self.next_due();
        self.agenda.asleep_until.since(self.clock.now().mono)
    }

    /// A turn of its own thread, which may wait for the device: durable before acknowledged, acknowledged
    /// before sent.
    ///
    /// # Errors
    /// The store's, also where it failed a turn in passing.
    pub(super) fn turn(&mut self) -> Result<(), StoreError> {
        if let Some(why) = self.agenda.failed.take() {
            return Err(why);
        }
        let now = self.clock.now();
        self.pulse.begin(Step::Staging, now.mono);
        let (orders, looks) = self.sort_commands();
        let merged = self.stage_all(&orders, now)?;
        self.handle_events(now)?;
        self.replica.handle_timeout(now);
        self.commit_and_answer(orders, merged, now)?;
        self.waiters.settle(now.mono, |dot| self.replica.is_replicated(dot));
        for look in looks {
            self.tell(look);
        }
        self.pulse.go_on(Step::Sending);
        self.transmit(now)?;
        self.tell_findings();
        self.pulse.rest();
        Ok(())
    }

    /// A turn on the thread of somebody who serves players: it writes and answers what need not wait for the
    /// device. Everything else, and all that is to be sent, it leaves to the driver's own thread.
    pub(super) fn turn_in_passing(&mut self) -> Left {
        if self.agenda.failed.is_some() || !self.agenda.commands.iter().all(Command::may_pass) {
            return Left::Something;
        }
        let now = self.clock.now();
        self.pulse.begin(Step::Staging, now.mono);
        let (orders, _) = self.sort_commands();
        let written = self.stage_all(&orders, now);
        let answered = written.and_then(|merged| self.commit_and_answer(orders, merged, now));
        self.agenda.failed = answered.err();
        self.pulse.rest();
        if self.agenda.failed.is_none() && self.next_due() >= self.agenda.asleep_until {
            return Left::Nothing;
        }
        // Whoever comes next need not wake it once more.
        self.agenda.asleep_until = Monotonic::default();
        Left::Something
    }

    /// What the device is to have now, if a sync is due; and now.
    pub(super) fn begin_sync(&mut self) -> Option<(VersionVector, Monotonic)> {
        let now = self.clock.now().mono;
        self.agenda.sync_due.take_if(|due| *due <= now).map(|_| (self.replica.vector().clone(), now))
    }

    /// The device has what a sync began with.
    pub(super) fn end_sync(&mut self, upto: &VersionVector) {
        self.replica.synced_upto(upto);
    }

    fn next_due(&self) -> Monotonic {
        if self.agenda.unsent {
            return Monotonic::default();
        }
        let due = [self.agenda.sync_due, self.waiters.deadline()];
        due.into_iter().flatten().fold(self.replica.poll_timeout(), Monotonic::min)
    }

    fn commit_and_answer(
        &mut self,
        orders: Vec<Order>,
        merged: Vec<Vec<Merged>>,
        now: Now,
    ) -> Result<(), StoreError> {
        let durability = orders.iter().map(|order| order.assurance.durability()).max().unwrap_or_default();
        self.pulse.go_on(Step::Committing);
        self.replica.commit(durability, now)?;
        self.pulse.go_on(Step::Answering);
        self.arm_sync(now.mono);
        // Whoever asks for changes as soon as they are answered finds their own among them.
        self.publish();
        self.readiness.tell(self.replica.readiness(), now.mono);
        for (order, merged) in orders.into_iter().zip(merged) {
            self.acknowledge(order, merged, now.mono)?;
        }
        Ok(())
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
                    let region = peer.name.region().clone();
                    self.replica.handle_peer_up(peer.replica, peer.origin, region, now);
                }
                LinkEvent::Frame { from, link, frame } if self.links.stands(from, link) => {
                    self.handle_frame(from, &frame, now)?;
                }
                LinkEvent::Down { peer, link, .. } if self.links.stands(peer, link) => {
                    self.down(peer, now);
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
        if let Message::Status(status) = &message
            && let Some(rtt) = self.links.rtt(from)
        {
            self.synchrony.heard(from, status.wall, now.wall, rtt);
        }
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
        self.down(peer, now);
    }

    fn down(&mut self, peer: ReplicaId, now: Now) {
        self.links.down(peer);
        self.synchrony.gone(peer);
        self.replica.handle_peer_down(peer, now);
    }

    fn arm_sync(&mut self, now: Monotonic) {
        let is_dirty = self.replica.synced() != self.replica.vector();
        self.agenda.sync_due = is_dirty.then(|| self.agenda.sync_due.unwrap_or(now.plus(SYNC_INTERVAL)));
    }

    fn acknowledge(&mut self, order: Order, merged: Vec<Merged>, now: Monotonic) -> Result<(), StoreError> {
        let Order { writes, assurance, reply, permit } = order;
        let outcome = |(write, merged): (&Write, Merged)| {
            Ok(Outcome { merged, standing: self.replica.standing(&write.key)? })
        };
        let outcomes = writes.iter().zip(merged).map(outcome).collect::<Result<Vec<_>, StoreError>>()?;
        if assurance == Assurance::Replicated && self.has_transport {
            let deadline = now.plus(REPLICATED_WITHIN);
            self.waiters.push(Waiter { outcomes, deadline, reply, permit });
        } else {
            // First, so that whoever is answered has his place back. Whoever has gone needs no answer.
            drop(permit);
            let _ = reply.send(Written { outcomes, assurance: assurance.min(Assurance::Synced) });
        }
        Ok(())
    }

    /// Counts what the turn has found out, and lets an operator know of what should never be.
    fn tell_findings(&mut self) {
        let now = self.replica.findings();
        let before = std::mem::replace(&mut self.found, now);
        self.counters.compared.add(now.compared - before.compared);
        self.counters.differing.add(now.differing - before.differing);
        self.counters.miscounted.add(now.miscounted - before.miscounted);
        if now.differing > before.differing {
            let registers = now.differing - before.differing;
            tracing::error!(
                registers,
                "registers differ from a peer's with no reason for it; they are being mended"
            );
        }
        if now.miscounted > before.miscounted {
            let shards = now.miscounted - before.miscounted;
            tracing::error!(shards, "registers were changed behind the node's back; look at the disk");
        }
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
    ///
    /// # Errors
    /// The store's.
    pub(super) fn finish(
        mut self,
        waiting: &runtime::Runtime,
        events: &mut Option<mpsc::Receiver<LinkEvent>>,
    ) -> Result<(), StoreError> {
        let mut now = self.clock.now();
        self.replica.commit(Durability::Synced, now)?;
        self.waiters.dismiss();
        let deadline = now.mono.plus(HAND_OVER_WITHIN);
        while !self.is_handed_over() && now.mono < deadline {
            let pause = self.next_due().min(deadline).since(self.clock.now().mono);
            waiting.block_on(async {
                tokio::select! {
                    () = receive(events, &mut self.agenda.events) => {}
                    () = sleep(pause) => {}
                }
            });
            now = self.clock.now();
            self.handle_events(now)?;
            self.replica.handle_timeout(now);
            self.replica.commit(Durability::Process, now)?;
            self.arm_sync(now.mono);
            if self.begin_sync().is_some() {
                self.replica.sync()?;
            }
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
}

/// What a write that was not staged means for this life.
fn of_store(why: WriteError) -> StoreError {
    match why {
        WriteError::Store(why) => why,
        WriteError::LifeIsOver => StoreError::Io("a commit has failed before".into()),
        WriteError::ValueTooLong { bytes } => unreachable!("the handle turns away values of {bytes} bytes"),
    }
}

/// Receives from a channel that may not be there, or closes; then it waits for ever.
pub(super) async fn receive<T>(events: &mut Option<mpsc::Receiver<T>>, into: &mut Vec<T>) {
    if let Some(receiver) = events
        && receiver.recv_many(into, TURN_EVENTS_MAX).await > 0
    {
        return;
    }
    *events = None;
    std::future::pending::<()>().await;
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
