//! What clients ask of nodes.

use std::sync::Arc;

use playmark::{
    crdt::{Key, Stamp, TitleId},
    playback::{Claims, Heartbeat, SessionId},
};

use crate::{invariants::acknowledged::Promise, time::Moment};

/// What reaches a node from outside the replica set.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// A write, as the door would have handed it to the driver.
    Write(Write),
    /// A player opens a session, or asks for a fresh token for one that runs.
    Open(Open),
    /// A player reports.
    Report(Report),
}

#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) stamp: Stamp,
    pub(crate) value: Arc<[u8]>,
    /// What the acknowledgement is to promise.
    pub(crate) promise: Promise,
}

#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) player: PlayerId,
    pub(crate) title: TitleId,
    pub(crate) session: SessionId,
    /// For a session that runs: its newest token, and its clock at the moment of asking.
    pub(crate) running: Option<(Box<Claims>, u64)>,
    /// When it asked.
    pub(crate) asked: Moment,
}

#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) player: PlayerId,
    /// Which of the player's samples.
    pub(crate) sample: usize,
    pub(crate) claims: Box<Claims>,
    pub(crate) heartbeat: Box<Heartbeat>,
}

/// Names a player: an index.
pub(crate) type PlayerId = usize;

/// What a node answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A write stands, or something greater does.
    Stored,
    /// A session was opened, or runs on under a fresh token.
    Opened { player: PlayerId, claims: Box<Claims>, asked: Moment, opened: Moment },
    /// A sample has been taken in.
    Acknowledged(PlayerId, usize),
    /// A sample was turned away.
    Refused(PlayerId, usize),
}
