//! The players of the worked examples, and what they send: JSON under tokens, as over the network.

use std::{cell::Cell, fmt, sync::Arc};

use playmark::{
    crdt::{Origin, WallTime},
    playback::{Began, Claims, Policy, Rights, SessionId, TokenKeys, Vantage, What, Write},
};
use proptest::{array::uniform3, collection::vec, prelude::*};

use crate::{nodes::Node, worlds::title};

/// Every story begins here; a story's times are counted from it.
const BEGINNING: WallTime = WallTime::from_ms(1_700_000_000_000);
/// How far a node's clock is off at most, either way.
const SKEW_MS_MAX: i64 = 2_000;
/// How often a story's viewers come to a node at most, but for their reports.
const OPENINGS_MAX: usize = 10;

pub(crate) const fn seconds(s: u64) -> u64 {
    s * 1_000
}

/// A moment of the story on the replica set's time line.
pub(crate) fn story_time(ms: u64) -> WallTime {
    BEGINNING.plus_ms(ms)
}

/// The replica set's keys.
pub(crate) fn keys() -> TokenKeys {
    TokenKeys::new(&[7; 32]).expect("long enough")
}

/// What a client sends, as it can be sent to any node any number of times.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// A player's heartbeat: one JSON object.
    Heartbeat(Arc<str>),
    /// How far a client without a clock has come: one JSON object.
    Progress(Arc<str>),
    /// What a viewer has ordered by hand on a device that dates it: one JSON object, and what it orders.
    Order(Arc<str>, What),
    /// What a command has written: its stamp was given by the node that took it.
    Command(Write),
}

/// What differs from telling to telling before anything is delivered: whose clock is off by how much, and
/// through which node each session is opened.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) skew_ms: [i64; 3],
    doors: Vec<usize>,
    opened: Cell<usize>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clocks off by {:?} ms, doors {:?}", self.skew_ms, self.doors)
    }
}

/// A world whose nodes' clocks are up to two seconds off.
pub(crate) fn any_world() -> impl Strategy<Value = World> {
    let skew = uniform3(-SKEW_MS_MAX..=SKEW_MS_MAX);
    (skew, vec(0..3_usize, OPENINGS_MAX)).prop_map(|(skew_ms, doors)| World {
        skew_ms,
        doors,
        opened: Cell::default(),
    })
}

impl World {
    /// Opens a session `ms` into the story, at some node that holds the reports `shown`.
    pub(crate) fn opens(&self, name: &str, ms: u64, shown: &[Report]) -> Player {
        Player::opens(name, self.next_door(ms), shown)
    }

    /// Brings a session to some node, `ms` into the story, that had begun without one.
    pub(crate) fn comes_back(&self, name: &str, ms: u64, began: &Began) -> Player {
        let (session, wall) = (SessionId::parse(name).expect("a text"), self.next_door(ms));
        let derived = began.derive(wall).expect("the story's clocks go on");
        let policy = Policy::default();
        Player::with(Claims::derived(title(), session, None, Rights::ALL, derived, wall, &policy), wall)
    }

    /// Gives a command `ms` into the story, to some node that holds the reports `shown`.
    pub(crate) fn orders(&self, ms: u64, shown: &[Report], command: fn(&Vantage<'_>) -> Write) -> Report {
        let (title, registers) = (title(), Node::that_holds(shown).registers());
        let (origin, now) = (Origin::from_random(9), self.next_door(ms));
        let vantage = Vantage { title: &title, registers: &registers, profile_fence: None, origin, now };
        Report::Command(command(&vantage))
    }

    /// Reads the title `ms` into the story, at some node that holds the reports `shown`: the token that comes with it.
    pub(crate) fn reads(&self, ms: u64, shown: &[Report]) -> String {
        Player::opens("whoever asks", self.next_door(ms), shown).token
    }

    /// What the clock of the next node that a viewer comes to shows, `ms` into the story.
    fn next_door(&self, ms: u64) -> WallTime {
        let door = self.doors.get(self.opened.get()).copied().unwrap_or_default();
        self.opened.set(self.opened.get() + 1);
        WallTime::from_ms(story_time(ms).as_ms().saturating_add_signed(self.skew_ms[door]))
    }
}

/// A client without a clock says how far it is, and by which token it had read what.
pub(crate) fn is_at(device: &str, position_ms: u64, read: Option<&str>) -> Report {
    let said = serde_json::json!({ "device": device, "position_ms": position_ms, "read": read });
    Report::Progress(said.to_string().into())
}

/// A player's page, as far as the story tells of it.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) claims: Claims,
    token: String,
    seq: Cell<u32>,
}

impl Player {
    /// Opens a session at a node whose clock shows `wall` and which holds the reports `shown`.
    pub(crate) fn opens(name: &str, wall: WallTime, shown: &[Report]) -> Self {
        let session = SessionId::parse(name).expect("a text");
        let shown = Node::that_holds(shown).shown_to(session);
        let claims = Claims::open(title(), session, None, Rights::ALL, &shown, wall, &Policy::default());
        Self::with(claims, wall)
    }

    /// A player that holds a token with these claims, signed at `wall`.
    pub(crate) fn with(claims: Claims, wall: WallTime) -> Self {
        Self { token: keys().sign(&claims, wall), claims, seq: Cell::new(0) }
    }

    /// Reports; elapsed time and position in milliseconds, the rest as members of the JSON object.
    pub(crate) fn says(&self, elapsed_ms: u64, position_ms: u64, members: &str) -> Report {
        self.seq.set(self.seq.get() + 1);
        self.says_as(self.seq.get(), elapsed_ms, position_ms, members)
    }

    /// Reports under a given seq.
    pub(crate) fn says_as(&self, seq: u32, elapsed_ms: u64, position_ms: u64, members: &str) -> Report {
        let token = &self.token;
        let json = format!(
            r#"{{"token":"{token}","seq":{seq},"elapsed_ms":{elapsed_ms},"position_ms":{position_ms},{members}}}"#
        );
        Report::Heartbeat(json.into())
    }

    /// Orders something by hand, as the device dates it.
    pub(crate) fn orders(&self, elapsed_ms: u64, what: What) -> Report {
        self.seq.set(self.seq.get() + 1);
        let (token, seq) = (&self.token, self.seq.get());
        let said = serde_json::json!({ "token": token, "seq": seq, "elapsed_ms": elapsed_ms });
        Report::Order(said.to_string().into(), what)
    }

    /// Reports that it plays, and has played since it opened.
    pub(crate) fn plays(&self, elapsed_ms: u64, position_ms: u64) -> Report {
        self.says(elapsed_ms, position_ms, &format!(r#""event":"playing","played_ms":{elapsed_ms}"#))
    }
}
