//! What a replica has to say, built from committed state only.

use std::collections::BTreeMap;

use super::{Ack, Message, Replica, Status, Transmit};
use crate::{
    crdt::{Monotonic, Now, Origin, Region},
    store::{Store, StoreError},
    zoo::{Bug, planted},
};

impl<S: Store> Replica<S> {
    /// The next message to send, built from committed state; `None` when there is none for the moment.
    ///
    /// # Errors
    /// The store may not be readable.
    pub fn poll_transmit(&mut self, now: Now) -> Result<Option<Transmit>, StoreError> {
        debug_assert!(self.stage.is_empty() || planted(Bug::SentBeforeCommit), "commit comes before sending");
        if self.broken && !planted(Bug::GoesOnAfterFailedCommit) {
            return Ok(None);
        }
        if let Some(transmit) =
            self.poll_status(now).or_else(|| self.poll_ack()).or_else(|| self.poll_subscribe())
        {
            return Ok(Some(transmit));
        }
        if let Some(transmit) = self.poll_part(now.mono)? {
            return Ok(Some(transmit));
        }
        self.poll_compare(now)
    }

    fn poll_status(&mut self, now: Now) -> Option<Transmit> {
        let to = self.status_due.pop_first()?;
        let is_near = self.peers.get(&to).is_some_and(|view| view.is_near(&self.options.region));
        let status = Status {
            origin: self.options.origin,
            vector: self.vector.clone(),
            wall: now.wall,
            catching_up: !self.readiness().is_caught_up(),
            across: if is_near { self.reached_across() } else { BTreeMap::new() },
        };
        Some(Transmit { to, message: Message::Status(status) })
    }

    /// The lives of other regions that there is a link with.
    fn reached_across(&self) -> BTreeMap<Origin, Region> {
        let across = self.peers.values().filter(|view| !view.is_near(&self.options.region));
        across.map(|view| (view.origin, view.region.clone())).collect()
    }

    fn poll_ack(&mut self) -> Option<Transmit> {
        let synced = if planted(Bug::UnsyncedClaimed) { &self.vector } else { &self.synced };
        self.intakes.iter_mut().find_map(|(&to, intake)| {
            let (subscription, parts) = intake.acknowledge(self.synced_untold.contains(&to))?;
            self.synced_untold.remove(&to);
            let own = self.peers.get(&to).map(|view| view.origin);
            let is_whole = self.synced_whole.remove(&to);
            if is_whole {
                self.synced_behind.remove(&to);
            }
            let is_told = |origin| is_whole || intake.wants(origin) || own == Some(origin);
            let synced = synced.iter().filter(|&(&origin, _)| is_told(origin));
            let synced = synced.map(|(&origin, &upto)| (origin, upto)).collect();
            let ack = Ack { subscription, parts, synced };
            Some(Transmit { to, message: Message::Ack(ack) })
        })
    }

    fn poll_subscribe(&mut self) -> Option<Transmit> {
        let next = self.subscriptions + 1;
        let (to, subscribe) = self.intakes.iter_mut().find_map(|(&to, intake)| {
            let subscribe = intake.subscribe(next, &self.vector)?;
            Some((to, subscribe))
        })?;
        self.subscriptions = next;
        Some(Transmit { to, message: Message::Subscribe(subscribe) })
    }

    fn poll_part(&mut self, now: Monotonic) -> Result<Option<Transmit>, StoreError> {
        for (&to, feed) in &mut self.feeds {
            if feed.due.is_none_or(|due| due > now) {
                continue;
            }
            if let Some(built) = feed.build(&self.store, &self.vector, self.options.retain.fence)? {
                for dot in built.stale {
                    self.stage.drop_stale(dot);
                }
                return Ok(Some(Transmit { to, message: Message::Part(built.part) }));
            }
            feed.due = None;
        }
        Ok(None)
    }

    /// When [`Replica::handle_timeout`], a commit or [`Replica::poll_transmit`] will next have something to do.
    pub fn poll_timeout(&self) -> Monotonic {
        let due = self.feeds.values().filter_map(|feed| feed.due);
        let audit = self.audit.due_at(self.options.id);
        due.chain(self.catch_up.gives_up_at()).chain([audit]).fold(self.next_status, Monotonic::min)
    }
}
