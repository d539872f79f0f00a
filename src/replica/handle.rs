//! What a replica does with what comes in: notes and stagings, never an answer.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Ack, Delta, Message, Part, PeerMisbehaved, PeerView, Replica, Status, Subscribe,
    feed::Feed,
    intake::{Intake, Verdict},
    plan::{Here, STATUS_INTERVAL},
};
use crate::{
    crdt::{Dot, Key, Merged, Monotonic, Now, Origin, Region, Register, ReplicaId, Slot},
    store::{Store, StoreError},
    zoo::{Bug, planted},
};

impl<S: Store> Replica<S> {
    /// Takes note that a peer can be talked to, and where it stands.
    pub fn handle_peer_up(&mut self, peer: ReplicaId, origin: Origin, region: Region, now: Now) {
        let earlier = self.peers.get(&peer).map(|view| view.synced.clone());
        self.handle_peer_down(peer, now);
        let mut view = PeerView::new(origin, region);
        if planted(Bug::SyncedOfAnEarlierLink) {
            view.synced = earlier.unwrap_or_default();
        }
        self.peers.insert(peer, view);
        // Even a peer that feeds nothing here is to know what would survive a power cut.
        self.intakes.insert(peer, Intake::default());
        self.status_due.insert(peer);
        self.synced_untold.insert(peer);
        self.synced_whole.insert(peer);
        self.audit.peer_up(peer, now.mono);
        self.tell_region();
        self.replan(now.mono);
    }

    /// Takes note that a peer cannot be talked to.
    pub fn handle_peer_down(&mut self, peer: ReplicaId, now: Now) {
        let gone = self.peers.remove(&peer);
        self.feeds.remove(&peer);
        self.intakes.remove(&peer);
        self.status_due.remove(&peer);
        self.catch_up.unlinked(peer, now.mono);
        self.synced_untold.remove(&peer);
        self.synced_whole.remove(&peer);
        self.synced_behind.remove(&peer);
        self.audit.peer_down(peer);
        if gone.is_some() {
            self.tell_region();
        }
        self.replan(now.mono);
    }

    /// Makes the members of the region hear at once whom this replica reaches.
    fn tell_region(&mut self) {
        let near = self.peers.iter().filter(|(_, view)| view.is_near(&self.options.region));
        self.status_due.extend(near.map(|(&peer, _)| peer));
    }

    /// Takes a message in; what it brings is staged, what it asks for is noted.
    ///
    /// # Errors
    /// A peer that misbehaves is to be cut off; nothing of the message is staged. A store that fails ends
    /// this life.
    pub fn handle_message(&mut self, from: ReplicaId, message: Message, now: Now) -> Result<(), HandleError> {
        if !self.peers.contains_key(&from) {
            return Ok(());
        }
        match message {
            Message::Status(status) => self.handle_status(from, status, now)?,
            Message::Subscribe(subscribe) => self.handle_subscribe(from, subscribe, now),
            Message::Part(part) => self.handle_part(from, &part, now)?,
            Message::Ack(ack) => self.handle_ack(from, &ack, now),
            Message::Compare(compare) => self.handle_compare(from, compare, now)?,
        }
        Ok(())
    }

    fn handle_status(&mut self, from: ReplicaId, status: Status, now: Now) -> Result<(), PeerMisbehaved> {
        let (theirs, ours) = (status.vector.upto(self.options.origin), self.vector.upto(self.options.origin));
        if theirs > ours {
            return Err(PeerMisbehaved::Forked { peer: from, theirs, ours });
        }
        let peer = self.peers.get_mut(&from).expect("messages of absent peers are dropped");
        self.catch_up.heard(from, &status);
        peer.origin = status.origin;
        peer.vector = status.vector;
        peer.wall = Some(status.wall);
        peer.across = status.across;
        peer.catching_up = status.catching_up;
        self.replan(now.mono);
        Ok(())
    }

    fn handle_subscribe(&mut self, from: ReplicaId, subscribe: Subscribe, now: Now) {
        let stale = self.feeds.get(&from).is_some_and(|feed| feed.subscription() >= subscribe.subscription);
        if !stale {
            self.feeds.insert(from, Feed::open(subscribe, now.mono));
        }
    }

    fn handle_ack(&mut self, from: ReplicaId, ack: &Ack, now: Now) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.synced.merge(&ack.synced);
        }
        if let Some(feed) = self.feeds.get_mut(&from).filter(|it| it.subscription() == ack.subscription) {
            feed.acknowledge(ack.parts);
            if feed.wants(&self.vector) {
                feed.due.get_or_insert(now.mono);
            }
        }
    }

    fn handle_part(&mut self, from: ReplicaId, part: &Part, now: Now) -> Result<(), HandleError> {
        let Some(intake) = self.intakes.get_mut(&from) else {
            return Ok(());
        };
        self.plan.heard(from, now.mono);
        let upto = self.stage.upto(&self.vector, part.delta.origin);
        match intake.judge(part, upto) {
            Verdict::Ignore => return Ok(()),
            Verdict::Gap => {
                intake.renew();
                return Ok(());
            }
            Verdict::Merge => {}
        }
        check_delta(&part.delta)?;
        intake.merged(part);
        if planted(Bug::CursorAtAnotherFeeder) {
            self.intakes.values_mut().for_each(|intake| intake.answered(&part.delta));
        }
        self.plan.moved(part.delta.origin);
        self.merge_delta(&part.delta, now)?;
        Ok(())
    }

    /// Merges what stands at the feeder and logs every position that was answered for.
    fn merge_delta(&mut self, delta: &Delta, now: Now) -> Result<(), StoreError> {
        for item in &delta.items {
            let mut changed = item.stands.is_empty();
            for (slot, register) in &item.stands {
                let key = Key { title: item.key.title.clone(), slot: *slot };
                let register = relayed(&key, register);
                let merged = self.stage.merge(&self.store, self.options.retain, &key, &register)?;
                if merged == Merged::Changed {
                    changed = true;
                    self.log_early(register.dot, &key, delta);
                }
            }
            if changed || !planted(Bug::OnlyChangesLogged) {
                self.stage.log(Dot { origin: delta.origin, version: item.position }, &item.key);
            }
        }
        let first_part = delta.items.last().map(|item| item.position);
        let upto = if planted(Bug::VectorWithFirstPart) { delta.upto.or(first_part) } else { delta.upto };
        if let Some(upto) = upto {
            self.stage.advance(delta.origin, upto);
            if !planted(Bug::ClockNotMerged) {
                // A version beyond the drift bound is held all the same; only the clock stays.
                let _ = self.clock.observe(upto, now.wall);
            }
        }
        Ok(())
    }

    /// Does what time asks for: statuses, a look at feeds that stand still, and at origins that nobody
    /// will complete; their registers enter again with the next commit.
    pub fn handle_timeout(&mut self, now: Now) {
        if now.mono < self.next_status {
            return;
        }
        self.next_status = now.mono.plus(STATUS_INTERVAL);
        self.tell_in_turn();
        self.orphans = self.early.orphans(&self.peers, &self.vector, now.mono);
        for source in self.plan.stalled(&self.peers, &self.options.region, &self.vector, now.mono) {
            if let Some(intake) = self.intakes.get_mut(&source) {
                intake.renew();
            }
        }
        self.replan(now.mono);
    }

    /// Makes a status due for every member of the region, and for one of each other region in its turn: what is
    /// told across is told on there.
    fn tell_in_turn(&mut self) {
        let mut across = BTreeMap::<&Region, Vec<ReplicaId>>::new();
        for (&peer, view) in &self.peers {
            if view.is_near(&self.options.region) {
                self.status_due.insert(peer);
            } else {
                across.entry(&view.region).or_default().push(peer);
            }
        }
        self.statuses_told = self.statuses_told.wrapping_add(1);
        self.status_due.extend(across.into_values().map(|peers| peers[self.statuses_told % peers.len()]));
        // Who feeds nothing here hears no sooner what would survive a power cut.
        let behind: Vec<_> = self.status_due.intersection(&self.synced_behind).copied().collect();
        self.synced_untold.extend(&behind);
        self.synced_whole.extend(behind);
    }

    pub(super) fn replan(&mut self, now: Monotonic) {
        let here = Here {
            id: self.options.id,
            origin: self.options.origin,
            region: &self.options.region,
            catching_up: !self.catch_up.readiness().is_caught_up(),
            held: &self.vector,
        };
        self.plan.decide(&self.peers, &here, now);
        for (&peer, intake) in &mut self.intakes {
            intake.want(self.plan.fed_by(peer).collect());
        }
    }
}

fn check_delta(delta: &Delta) -> Result<(), PeerMisbehaved> {
    let origin = delta.origin;
    if let Some(upto) = delta.upto.filter(|&upto| upto < delta.after) {
        return Err(PeerMisbehaved::SpanReversed { origin, after: delta.after, upto });
    }
    for item in &delta.items {
        let sound = |(slot, register): &(Slot, Register)| {
            register.is_sound(&Key { title: item.key.title.clone(), slot: *slot })
        };
        if !item.stands.iter().all(sound) && !planted(Bug::RotMerged) {
            return Err(PeerMisbehaved::Rotten { origin, position: item.position });
        }
    }
    Ok(())
}

/// A register as it is passed on: unchanged, unless a bug is planted.
fn relayed(key: &Key, register: &Register) -> Register {
    if planted(Bug::UnknownStripped) && register.value.len() > 1 {
        let known: Arc<[u8]> = register.value[..register.value.len() - 1].into();
        return Register::seal(key, register.stamp, register.dot, known);
    }
    register.clone()
}

/// Says why a message was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// The peer's fault: close its link.
    #[error(transparent)]
    Peer(#[from] PeerMisbehaved),
    /// The machine's fault: this life is over.
    #[error(transparent)]
    Store(#[from] StoreError),
}
