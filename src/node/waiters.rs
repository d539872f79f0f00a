//! Those who wait until a peer has synced what they wrote.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    crdt::{Dot, Monotonic},
    node::{Assurance, Outcome, Written},
};

/// How many requests wait for a peer at a time. One more is answered at once with what its write has
/// survived by then.
pub const WAITERS_MAX: usize = 1_024;

/// How long a request waits for a peer: a few round trips to another region, and a peer's own sync.
pub const REPLICATED_WITHIN: Duration = Duration::from_secs(2);

/// A request that has been committed here.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) outcomes: Vec<Outcome>,
    pub(super) deadline: Monotonic,
    pub(super) reply: oneshot::Sender<Written>,
    pub(super) permit: OwnedSemaphorePermit,
}

/// The waiting requests, the longest waiting first.
#[derive(Debug, Default)]
pub(super) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// Lets a request wait, or, where there is no room, answers it.
    pub(super) fn push(&mut self, waiter: Waiter) {
        if self.0.len() < WAITERS_MAX { self.0.push(waiter) } else { waiter.answer(Assurance::Synced) }
    }

    /// Answers those whose dots are all replicated, and those who have waited long enough.
    pub(super) fn settle(&mut self, now: Monotonic, is_replicated: impl Fn(Dot) -> bool) {
        let is_kept = |outcome: &Outcome| outcome.standing.is_none_or(&is_replicated);
        for waiter in std::mem::take(&mut self.0) {
            if waiter.outcomes.iter().all(is_kept) {
                waiter.answer(Assurance::Replicated);
            } else if waiter.deadline <= now {
                waiter.answer(Assurance::Synced);
            } else {
                self.0.push(waiter);
            }
        }
    }

    /// Answers all that wait with what their writes have survived.
    pub(super) fn dismiss(&mut self) {
        self.0.drain(..).for_each(|waiter| waiter.answer(Assurance::Synced));
    }

    /// When the first of them has waited long enough.
    pub(super) fn deadline(&self) -> Option<Monotonic> {
        self.0.iter().map(|waiter| waiter.deadline).min()
    }
}

impl Waiter {
    fn answer(self, assurance: Assurance) {
        // First, so that whoever is answered has his place back. Whoever has gone needs no answer.
        drop(self.permit);
        let _ = self.reply.send(Written { outcomes: self.outcomes, assurance });
    }
}
