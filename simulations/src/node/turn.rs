//! The driver's turn.

use std::time::Duration;

use playmark::{
    crdt::{Dot, Merged, Now, ReplicaId, Timestamp},
    playback,
    replica::{Delta, HandleError, Message, Part, PeerMisbehaved, WriteError, wire},
    store::{Durability, StoreError},
    zoo::{Bug, planted},
};

use super::{CrashPoint, Fate, Input, Life, Ordered, Outcome, Waiting, Written, door};
use crate::{
    disk::Disk,
    invariants::{
        Observed, Violation, Watch,
        acknowledged::{Promise, Promises},
        bounded, causality, no_false_alarm, versions_rise,
    },
    ledger::{Ledger, Line},
    network::Connection,
    request::{Answer, Open, Report, Request, Write},
    time::Moment,
};

/// How much one turn takes in, as the real driver does; what is beyond it waits for the next turn.
const TURN_INPUTS_MAX: usize = 256;

/// How long a caller waits for another machine's sync.
const REPLICATED_WITHIN: Duration = Duration::from_secs(2);

pub(super) struct Turn<'a> {
    pub(super) life: &'a mut Life,
    pub(super) disk: &'a Disk,
    pub(super) promises: &'a mut Promises,
    pub(super) given: &'a mut Timestamp,
    pub(super) ledger: &'a mut Ledger,
    pub(super) watch: Watch,
    pub(super) at: Moment,
    pub(super) now: Now,
    /// Requests whose writes wait until all have come in.
    pub(super) ordered: Vec<Ordered>,
    /// Requests that were staged and wait for the commit.
    pub(super) written: Vec<Written>,
    /// Players that wait for what the commit leaves standing.
    pub(super) asked: Vec<Open>,
    /// Writes that took a dot.
    pub(super) staged: Vec<Line>,
    pub(super) durability: Durability,
    pub(super) outcome: Outcome,
}

impl Turn<'_> {
    pub(super) fn run(&mut self, fate: Fate) -> Result<(), Violation> {
        self.life.told.wall(self.now.wall);
        self.life.replica.handle_timeout(self.now);
        self.take_in()?;
        self.stage_all()?;
        if planted(Bug::AcknowledgedBeforeCommit) {
            self.answer()?;
        }
        if planted(Bug::SentBeforeCommit) {
            self.transmit(fate)?;
        }
        if fate.crash == Some(CrashPoint::Commit) {
            self.outcome.over = true;
            return Ok(());
        }
        self.outcome.committed = self.commit(fate)?;
        if !self.outcome.committed || fate.crash == Some(CrashPoint::Answers) {
            self.outcome.over = true;
            return Ok(());
        }
        self.answer()?;
        if fate.crash == Some(CrashPoint::Transmits) || !self.sync(fate) {
            self.outcome.over = true;
            return Ok(());
        }
        self.transmit(fate)?;
        no_false_alarm::check(&self.life.replica)?;
        bounded::check(&self.life.replica)
    }

    fn take_in(&mut self) -> Result<(), Violation> {
        for _ in 0..TURN_INPUTS_MAX {
            let Some(input) = self.life.inbox.pop_front() else { break };
            match input {
                Input::Up { peer, origin, region, connection } => {
                    self.life.connections.insert(peer, connection);
                    self.life.replica.handle_peer_up(peer, origin, region, self.now);
                }
                Input::Down { peer, connection } => self.down(peer, connection),
                Input::Frame { from, connection, bytes, rot } => {
                    if self.life.connections.get(&from) == Some(&connection) {
                        self.frame(from, connection, &bytes, rot)?;
                    }
                }
                Input::Request(request) => self.request(request),
            }
        }
        Ok(())
    }

    fn down(&mut self, peer: ReplicaId, connection: Connection) {
        if self.life.connections.get(&peer) == Some(&connection) {
            self.life.connections.remove(&peer);
            self.life.replica.handle_peer_down(peer, self.now);
        }
    }

    fn frame(
        &mut self,
        from: ReplicaId,
        connection: Connection,
        bytes: &[u8],
        rot: bool,
    ) -> Result<(), Violation> {
        let decoded = wire::decode(bytes);
        let message =
            decoded.map_err(|why| Violation::new("wire", format!("a frame is undecodable: {why}")))?;
        let mut message = message.ok_or_else(|| Violation::new("wire", "a frame has an unknown kind"))?;
        let rotten = rot && rot_in(&mut message);
        if let Message::Part(Part { delta: Delta { upto: Some(upto), .. }, .. }) = &message {
            self.life.told.hear_of(*upto, self.now.wall);
        }
        match self.life.replica.handle_message(from, message, self.now) {
            Ok(()) => Ok(()),
            Err(HandleError::Peer(PeerMisbehaved::Rotten { .. })) if rotten => {
                self.down(from, connection);
                self.outcome.closed.push((from, connection));
                Ok(())
            }
            Err(why) => Err(Violation::new("honest_peers", why.to_string())),
        }
    }

    /// Whoever asks a node that does not know enough is turned away, and comes again.
    fn request(&mut self, request: Request) {
        if !self.life.replica.readiness().is_caught_up() {
            return;
        }
        match request {
            Request::Open(open) => self.asked.push(open),
            Request::Report(report) => self.report(&report),
            Request::Write(Write { key, stamp, value, promise }) => {
                let writes = vec![playback::Write { key, stamp, value }];
                self.order(Ordered { writes, promise, answer: Answer::Stored });
            }
        }
    }

    fn report(&mut self, report: &Report) {
        let Report { player, sample, .. } = *report;
        let Ok(accepted) = door::admit(report, self.disk, self.now.wall) else {
            self.outcome.answers.push(Answer::Refused(player, sample));
            return;
        };
        let promise = match accepted.promise {
            playback::Promise::Process => Promise::Process,
            playback::Promise::Synced => Promise::Synced,
        };
        let writes = match accepted.outcome {
            playback::Outcome::Write { place, completion } => {
                std::iter::once(place).chain(completion).collect()
            }
            playback::Outcome::Acknowledge(_) => Vec::new(),
        };
        self.order(Ordered { writes, promise, answer: Answer::Acknowledged(player, sample) });
    }

    fn order(&mut self, ordered: Ordered) {
        if ordered.promise >= Promise::Synced {
            self.durability = Durability::Synced;
        }
        self.ordered.push(ordered);
    }

    /// Stages what all requests have asked for, as the real driver does: of each place the greatest alone.
    fn stage_all(&mut self) -> Result<(), Violation> {
        let ordered = std::mem::take(&mut self.ordered);
        let writes: Vec<_> = ordered.iter().flat_map(|ordered| &ordered.writes).collect();
        playback::coalesce(&writes, |write| self.stage(write))?;
        let line =
            |playback::Write { key, stamp, value }| Line { version: Timestamp::ZERO, key, stamp, value };
        self.written.extend(ordered.into_iter().map(|Ordered { writes, promise, answer }| Written {
            lines: writes.into_iter().map(line).collect(),
            promise,
            answer,
        }));
        Ok(())
    }

    fn stage(&mut self, write: &playback::Write) -> Result<Merged, Violation> {
        let playback::Write { key, stamp, value } = write.clone();
        let merged = self.life.replica.write(&key, stamp, value.clone(), self.now);
        match merged {
            Ok(Merged::Unchanged) => Ok(Merged::Unchanged),
            Ok(Merged::Changed) => {
                let version = self.life.replica.clock();
                self.life.told.check(version)?;
                self.staged.push(Line { version, key, stamp, value });
                Ok(Merged::Changed)
            }
            Err(WriteError::Store(why)) => unreachable!("memory can be read: {why}"),
            Err(why @ (WriteError::ValueTooLong { .. } | WriteError::LifeIsOver)) => {
                Err(Violation::new("availability", why.to_string()))
            }
        }
    }

    /// Commits; says whether the life goes on.
    fn commit(&mut self, fate: Fate) -> Result<bool, Violation> {
        if let Some(how) = fate.failure {
            self.disk.fail_next_commit(how);
        }
        if fate.sync_fails {
            self.disk.fail_next_sync();
        }
        let result = self.life.replica.commit(self.durability, self.now);
        self.disk.fail_nothing();
        if result.is_ok() && self.durability == Durability::Synced {
            self.life.last_sync = self.at;
        }
        for commit in self.disk.take_commits() {
            self.enter_staged()?;
            let platter = self.disk.platter();
            Observed { commit: &commit, platter: &platter, ledger: self.ledger, watch: self.watch }
                .check()?;
            for span in platter.vector().beyond(&commit.vector_before) {
                self.life.told.observe(span.upto, self.now.wall);
            }
        }
        if let Err(StoreError::Undecodable { .. } | StoreError::Unusable(_)) = result {
            return Err(Violation::new("availability", "memory refused a commit"));
        }
        if result.is_err() && planted(Bug::GoesOnAfterFailedCommit) {
            self.written.clear();
            return Ok(true);
        }
        Ok(result.is_ok())
    }

    fn enter_staged(&mut self) -> Result<(), Violation> {
        let origin = self.life.replica.origin();
        for line in self.staged.drain(..) {
            versions_rise::check(self.ledger, origin, line.version, self.life.floor)?;
            *self.given = line.version;
            self.ledger.enter(origin, line);
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Violation> {
        for written in std::mem::take(&mut self.written) {
            if written.promise == Promise::Replicated {
                let standing =
                    |line: &Line| self.life.replica.standing(&line.key).expect("memory can be read");
                let dots = written.lines.iter().map(standing).collect();
                self.life.waiting.push(Waiting { written, dots, until: self.at.plus(REPLICATED_WITHIN) });
            } else {
                self.promise(written.promise, written)?;
            }
        }
        for waiting in std::mem::take(&mut self.life.waiting) {
            let replica = &self.life.replica;
            let kept = |dot: &Option<Dot>| dot.is_some_and(|dot| replica.is_replicated(dot));
            if waiting.dots.iter().all(kept) {
                self.promise(Promise::Replicated, waiting.written)?;
            } else if self.at >= waiting.until {
                self.promise(Promise::Synced, waiting.written)?;
            } else {
                self.life.waiting.push(waiting);
            }
        }
        for open in std::mem::take(&mut self.asked) {
            let Some(claims) = door::open(&open, self.disk, self.now.wall) else { continue };
            causality::check(&claims, &self.disk.platter())?;
            let (claims, opened) = (Box::new(claims), self.at);
            self.outcome.answers.push(Answer::Opened {
                player: open.player,
                claims,
                asked: open.asked,
                opened,
            });
        }
        Ok(())
    }

    fn promise(&mut self, promise: Promise, written: Written) -> Result<(), Violation> {
        for line in written.lines {
            if planted(Bug::AcknowledgedBeforeCommit) {
                self.promises.give_blindly(promise, line);
            } else {
                self.promises.give(promise, line, &self.disk.platter())?;
            }
        }
        self.outcome.answers.push(written.answer);
        Ok(())
    }

    /// Syncs if it is time; says whether the life goes on.
    fn sync(&mut self, fate: Fate) -> bool {
        let replica = &mut self.life.replica;
        let due = self.life.last_sync.plus(fate.sync_every) <= self.at;
        if !due || replica.synced() == replica.vector() {
            return true;
        }
        self.life.last_sync = self.at;
        replica.sync().is_ok()
    }

    fn transmit(&mut self, fate: Fate) -> Result<(), Violation> {
        let mut sent = 0;
        let mut empty = false;
        while sent < fate.transmits_max && !empty {
            let polled = self.life.replica.poll_transmit(self.now);
            let Some(transmit) = polled.expect("memory can be read") else {
                empty = true;
                continue;
            };
            sent += 1;
            self.outcome.busy |= matches!(transmit.message, Message::Part(_) | Message::Subscribe(_));
            let bytes = wire::encode(&transmit.message);
            bounded::check_frame(&bytes)?;
            if let Some(&connection) = self.life.connections.get(&transmit.to) {
                self.outcome.frames.push((transmit.to, connection, bytes));
            }
        }
        self.outcome.next_turn = Some(self.next_turn(fate, empty));
        Ok(())
    }

    fn next_turn(&self, fate: Fate, empty: bool) -> Moment {
        let life = &*self.life;
        if !empty || !life.inbox.is_empty() {
            return self.at;
        }
        let timer = life.moment(life.replica.poll_timeout());
        let unsynced = life.replica.synced() != life.replica.vector();
        let sync = unsynced.then(|| life.last_sync.plus(fate.sync_every));
        let waiting = life.waiting.iter().map(|waiting| waiting.until);
        waiting.chain(sync).fold(timer, Moment::min).max(self.at)
    }
}

/// Changes a byte of a value, as rot in a peer's memory does; says whether there was one.
fn rot_in(message: &mut Message) -> bool {
    let Message::Part(part) = message else { return false };
    let mut stands = part.delta.items.iter_mut().flat_map(|item| &mut item.stands);
    let Some((_, register)) = stands.find(|(_, register)| !register.value.is_empty()) else {
        return false;
    };
    let mut value = register.value.to_vec();
    value[0] ^= 0x40;
    register.value = value.into();
    true
}
