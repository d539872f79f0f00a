//! A node that does not know says so (R18). When a life first answers, it covers all that some peer, caught up
//! itself, held when their link came up: so nothing is missing that every such peer had then. Excepted are who
//! founds, once, and who has been caught up in an earlier life and met nobody for as long as it had to wait.
//! That in the end all answer is a part of `convergence`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use playmark::{
    crdt::VersionVector,
    replica::{Beginning, Readiness},
};

use super::Violation;
use crate::network::Connection;

/// What the two ends of every link held when it came up, and which of them had caught up while it stood.
#[derive(Default, Debug)]
pub(crate) struct Meetings {
    held: BTreeMap<(Connection, usize), VersionVector>,
    caught_up: BTreeSet<(Connection, usize)>,
}

impl Meetings {
    /// A link came up.
    pub(crate) fn met(&mut self, connection: Connection, node: usize, held: VersionVector) {
        self.held.insert((connection, node), held);
    }

    /// A node has caught up, over whose links others may hear of it.
    pub(crate) fn caught_up(&mut self, connection: Connection, node: usize) {
        self.caught_up.insert((connection, node));
    }
}

/// What a machine is on which a life begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Begun {
    pub(crate) beginning: Beginning,
    /// Whether its disk says that an earlier life has been caught up.
    pub(crate) known: bool,
    /// Whether an earlier life on its disk has answered.
    pub(crate) has_answered: bool,
}

/// Checks a life that begins.
pub(crate) fn begins(begun: Begun, readiness: Readiness) -> Result<(), Violation> {
    let Begun { beginning, known, has_answered } = begun;
    let expected = match beginning {
        Beginning::Alone => Readiness::CaughtUp,
        Beginning::Founds if !known => Readiness::CaughtUp,
        Beginning::Founds | Beginning::Joins if known => Readiness::Searching,
        Beginning::Founds | Beginning::Joins => Readiness::Unfounded,
    };
    let is_forgotten = has_answered && !known && beginning != Beginning::Alone;
    if readiness == expected && !is_forgotten {
        return Ok(());
    }
    Err(Violation::new("readiness", format!("a life begins {readiness:?}, with {begun:?}")))
}

/// Checks a life that begins to answer after `lasting`, over its links with peers.
pub(crate) fn answers(
    begun: Begun,
    lasting: Duration,
    alone_after: Duration,
    held: &VersionVector,
    (own, mut links): (usize, impl Iterator<Item = Connection>),
    meetings: &Meetings,
) -> Result<(), Violation> {
    let has_all = |link: Connection| {
        let ends = meetings.held.range((link, 0)..=(link, usize::MAX));
        let mut of_peers = ends.filter(|&(end, _)| end.1 != own && meetings.caught_up.contains(end));
        of_peers.any(|(_, theirs)| held.covers_all(theirs))
    };
    let may_be_alone = begun.known && lasting >= alone_after;
    if may_be_alone || links.any(has_all) {
        return Ok(());
    }
    Err(Violation::new("readiness", format!("{begun:?} answers after {lasting:?} with {held:?}")))
}
