//! What can happen in a street.

use playmark::{
    crdt::WallTime,
    playback::{Began, Claims, Heartbeat},
};

use crate::time::Moment;

/// What a player sends.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// A token, for a session that begins or for one that runs.
    Token { running: Option<(Box<Claims>, u64)> },
    /// The date of a session that began offline.
    Date(Began),
    /// That a sample be taken.
    Report { sample: usize, claims: Box<Claims>, heartbeat: Box<Heartbeat> },
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Answered {
    Token(Box<Claims>),
    Dated(Box<Claims>),
    Taken {
        sample: usize,
        fresh: Option<Box<Claims>>,
    },
    /// The session has been authorised for long enough.
    Expired,
}

/// What happens at a moment.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A viewer sits down.
    SitsDown(usize),
    /// A player's next report, unless it has been left since.
    Plays {
        screen: usize,
        turn: u32,
    },
    /// A player that stands still says so.
    StandsStill {
        screen: usize,
        turn: u32,
    },
    /// A screen that was left is turned off.
    TurnedOff {
        screen: usize,
        turn: u32,
    },
    /// A device's network is back.
    Online {
        viewer: usize,
        device: usize,
    },
    /// A player asks again, unless it has been answered.
    Again {
        screen: usize,
        sample: Option<usize>,
        after_ms: u64,
    },
    /// A request has come to a node; its player waits for an answer, unless something on the way made a copy.
    Arrives {
        screen: usize,
        node: usize,
        asked: Asked,
        sent: Option<Moment>,
    },
    Answer {
        screen: usize,
        answered: Answered,
        sent: Moment,
        server: WallTime,
    },
    Links([bool; 3]),
}
