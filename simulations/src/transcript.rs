//! Conversations of a few replicas, scripted: a text of commands, each followed by what came of it.
//!
//! ```text
//! > replicas a b           makes machines and starts a life on each
//! > founds a               makes one that begins a replica set   > joins b    one that must catch up
//! > link a b               a link comes up        > unlink a b   it goes down at both ends
//! > cut a b                frames from a to b are lost, and nobody sees it        > mend a b
//! > lose a b 1             the next frame from a to b is lost      > drop a b     the last one under way
//! > write a s1@500 here    session s1 of the one title reports a place, stamped 500 ms
//! > flood a 40             a session of each of forty titles reports a place, 500 bytes long
//! > hush                   statuses and comparisons are not told from here on
//! > sync a                 all that a holds would survive a power cut
//! > power-cut a            what is unsynced is lost, and a new life begins      > restart a   nothing is lost
//! > run 10                 ten milliseconds go by; a frame takes one
//! > show a                 what a holds
//! ```
//!
//! Lines that begin with `#` are for readers. Names stand for origins: `b2` is the second life of b.

use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};

use playmark::{
    crdt::{Origin, ReplicaId, Stamp, TitleId, WallTime},
    playback::{SessionId, slot},
    replica::{ALONE_AFTER, Beginning, Linger, Message, wire},
};

use crate::{
    invariants::{Watch, acknowledged::Promise},
    ledger::Ledger,
    model,
    node::{Fate, Input, Node},
    profile::region_of,
    request::{Request, Write as WriteRequest},
    tell,
    time::{BEGINNING, Moment, WallClock},
};

/// How long a frame is under way.
const LATENCY_MS: u64 = 1;

/// How many items of a part are told.
const ITEMS_MAX: usize = 9;

/// How many bytes a report of a flood has: some thirty fill a part.
const FLOOD_BYTES: usize = 500;

/// Plays a script and returns it with what came of each command.
///
/// # Errors
/// A command that is none, and an invariant that does not hold.
pub fn play(script: &str) -> Result<String, String> {
    let mut stage = Stage::default();
    let mut text = String::new();
    for line in
        script.lines().filter(|line| line.starts_with('>') || line.starts_with('#') || line.is_empty())
    {
        writeln!(text, "{line}").expect("a string takes all");
        if let Some(command) = line.strip_prefix('>') {
            let words: Vec<_> = command.split_whitespace().collect();
            stage.obey(&words).map_err(|why| format!("{text}{line}: {why}"))?;
            for told in std::mem::take(&mut stage.told) {
                writeln!(text, "{}", stage.named(&told)).expect("a string takes all");
            }
        }
    }
    Ok(text)
}

/// The replicas of a script.
#[derive(Default)]
struct Stage {
    now: Moment,
    nodes: Vec<Node>,
    names: Vec<String>,
    beginnings: Vec<Beginning>,
    lives: BTreeMap<Origin, String>,
    /// Frames under way: when they arrive, from, to, connection, bytes.
    frames: Vec<(Moment, usize, usize, u64, Vec<u8>)>,
    cut: BTreeMap<(usize, usize), bool>,
    to_lose: BTreeMap<(usize, usize), u32>,
    connections: u64,
    hushed: bool,
    ledger: Ledger,
    told: Vec<String>,
}

impl Stage {
    fn obey(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["replicas", ref names @ ..] => names.iter().for_each(|name| self.make(name, Beginning::Alone)),
            ["joins", name] => self.make(name, Beginning::Joins),
            ["founds", name] => self.make(name, Beginning::Founds),
            ["link", a, b] => self.link(self.node(a)?, self.node(b)?),
            ["unlink", a, b] => self.unlink(self.node(a)?, self.node(b)?),
            ["cut", a, b] => _ = self.cut.insert((self.node(a)?, self.node(b)?), true),
            ["mend", a, b] => _ = self.cut.insert((self.node(a)?, self.node(b)?), false),
            ["lose", a, b, count] => {
                let count = count.parse().map_err(|_| "a count was expected".to_owned())?;
                self.to_lose.insert((self.node(a)?, self.node(b)?), count);
            }
            ["write", a, place, ref said @ ..] => self.write(self.node(a)?, place, &said.join(" "))?,
            ["flood", a, count] => {
                let count = count.parse().map_err(|_| "a count was expected".to_owned())?;
                self.flood(self.node(a)?, count);
            }
            ["drop", a, b] => self.drop_last(self.node(a)?, self.node(b)?)?,
            ["hush"] => self.hushed = true,
            ["sync", a] => self.sync(self.node(a)?)?,
            ["power-cut", a] => {
                let index = self.node(a)?;
                let lost = self.nodes[index].cut_power(0, &self.ledger).map_err(|why| why.to_string())?;
                self.told.push(format!("{a} loses {lost} batches"));
                self.begin_life(index);
            }
            ["restart", a] => self.begin_life(self.node(a)?),
            ["run", ms] => {
                let ms: u64 = ms.parse().map_err(|_| "milliseconds were expected".to_owned())?;
                self.run(ms)?;
            }
            ["show", a] => self.show(self.node(a)?),
            _ => return Err("no such command".into()),
        }
        Ok(())
    }

    fn node(&self, name: &str) -> Result<usize, String> {
        self.names.iter().position(|known| known == name).ok_or_else(|| format!("no replica is named {name}"))
    }

    fn make(&mut self, name: &str, begins: Beginning) {
        let index = self.nodes.len();
        let beginning = i64::try_from(BEGINNING.as_ms()).expect("the beginning is in our age");
        // The wall shows a second after the epoch, so that times are short to read.
        let clock = WallClock { offset_ms: 1_000 - beginning, drift_ppm: 0 };
        let id = ReplicaId::from_random(index as u128 + 1);
        // In a transcript all stand together: who feeds whom is then told by links alone.
        let region = region_of(0);
        self.nodes.push(Node::new(index, id, region, clock, Watch::Closely));
        self.names.push(name.into());
        self.beginnings.push(begins);
        self.begin_life(index);
    }

    fn begin_life(&mut self, index: usize) {
        for peer in 0..self.nodes.len() {
            self.unlink(index, peer);
        }
        let name = &self.names[index];
        let count = self.lives.values().filter(|life| life.starts_with(name.as_str())).count() + 1;
        let origin = Origin::from_random(((index as u128 + 1) << 120) | (count as u128) << 112);
        self.told.push(format!("{name} begins the life {name}{count}"));
        self.lives.insert(origin, format!("{name}{count}"));
        let begins = (self.beginnings[index], ALONE_AFTER);
        let booted = self.nodes[index].boot(origin, Linger::NONE, begins, self.now);
        booted.expect("a life begins as it should");
    }

    fn link(&mut self, a: usize, b: usize) {
        self.connections += 1;
        for (from, to) in [(a, b), (b, a)] {
            let peer = self.nodes[to].id;
            let life = self.nodes[to].life.as_ref().expect("everybody lives");
            let (origin, region) = (life.replica.origin(), self.nodes[to].region.clone());
            let input = Input::Up { peer, origin, region, connection: self.connections };
            self.give(from, input);
        }
    }

    fn unlink(&mut self, a: usize, b: usize) {
        for (from, to) in [(a, b), (b, a)] {
            let peer = self.nodes[to].id;
            let Some(life) = &mut self.nodes[from].life else { continue };
            if let Some(&connection) = life.connections.get(&peer) {
                self.give(from, Input::Down { peer, connection });
            }
        }
    }

    fn give(&mut self, index: usize, input: Input) {
        let life = self.nodes[index].life.as_mut().expect("everybody lives");
        life.inbox.push_back(input);
        life.next_turn = Some(self.now);
    }

    fn write(&mut self, index: usize, place: &str, said: &str) -> Result<(), String> {
        let parsed = place.split_once('@').and_then(|(session, ms)| Some((session, ms.parse().ok()?)));
        let (session, ms) = parsed.ok_or("a place is SESSION@MILLISECONDS")?;
        let title = TitleId::parse("ann", "film").expect("both are ids");
        let number = session.trim_start_matches('s').parse().map_err(|_| "a session is s1, s2, …")?;
        self.report(index, &title, number, ms, said.as_bytes());
        Ok(())
    }

    fn flood(&mut self, index: usize, count: u64) {
        for number in 0..count {
            let title = TitleId::parse("ann", &format!("film-{number:03}")).expect("both are ids");
            self.report(index, &title, 1, number, &[b'x'; FLOOD_BYTES]);
        }
    }

    fn report(&mut self, index: usize, title: &TitleId, session: u8, ms: u64, said: &[u8]) {
        let id = SessionId::from_bytes([session; 16]);
        let stamp = Stamp { time: WallTime::from_ms(ms), counter: 1, writer: *id.as_bytes() };
        let key = title.key(slot::session(id));
        let write = WriteRequest { key, stamp, value: Arc::from(said), promise: Promise::Process };
        self.give(index, Input::Request(Request::Write(write)));
    }

    fn drop_last(&mut self, a: usize, b: usize) -> Result<(), String> {
        let last = self.frames.iter().rposition(|&(_, from, to, ..)| (from, to) == (a, b));
        self.frames.remove(last.ok_or("nothing is under way there")?);
        Ok(())
    }

    fn sync(&mut self, index: usize) -> Result<(), String> {
        self.turn(index, Duration::ZERO)
    }

    fn run(&mut self, ms: u64) -> Result<(), String> {
        let end = self.now.plus_us(ms * 1_000);
        while self.now <= end {
            self.deliver();
            for index in 0..self.nodes.len() {
                let due = self.nodes[index].life.as_ref().and_then(|life| life.next_turn);
                if due.is_none_or(|due| due <= self.now) {
                    self.turn(index, Duration::from_hours(1))?;
                }
            }
            self.now = self.now.plus_us(1_000);
        }
        self.now = end;
        Ok(())
    }

    fn deliver(&mut self) {
        let (now, frames) = (self.now, std::mem::take(&mut self.frames));
        for (at, from, to, connection, bytes) in frames {
            if at > now {
                self.frames.push((at, from, to, connection, bytes));
            } else {
                let from = self.nodes[from].id;
                self.give(to, Input::Frame { from, connection, bytes, rot: false });
            }
        }
    }

    fn turn(&mut self, index: usize, sync_every: Duration) -> Result<(), String> {
        let fate = Fate { transmits_max: usize::MAX, sync_every, ..Fate::default() };
        let node = &mut self.nodes[index];
        let outcome = node.turn(self.now, fate, &mut self.ledger).map_err(|why| why.to_string())?;
        if let Some(life) = &mut node.life {
            life.next_turn = outcome.next_turn;
        }
        for (to, connection, bytes) in outcome.frames {
            let to = self.nodes.iter().position(|node| node.id == to).expect("every peer is on the stage");
            self.send(index, to, connection, bytes);
        }
        Ok(())
    }

    fn send(&mut self, from: usize, to: usize, connection: u64, bytes: Vec<u8>) {
        let left = self.to_lose.entry((from, to)).or_default();
        let lost = *left > 0 || self.cut.get(&(from, to)).copied().unwrap_or_default();
        *left = left.saturating_sub(1);
        let message = wire::decode(&bytes).ok().flatten().expect("replicas send what can be decoded");
        let arrow = if lost { "✗" } else { "→" };
        let (one, other) = (&self.names[from], &self.names[to]);
        let told = !self.hushed || !matches!(message, Message::Status(_) | Message::Compare(_));
        if told {
            self.told.push(format!(
                "{:>5} {one} {arrow} {other}  {}",
                self.now.as_ms(),
                tell::message(&message, ITEMS_MAX)
            ));
        }
        if !lost {
            self.frames.push((self.now.plus_us(LATENCY_MS * 1_000), from, to, connection, bytes));
        }
    }

    fn show(&mut self, index: usize) {
        let platter = self.nodes[index].disk.platter();
        self.told.push(format!("  covers {}", tell::vector(&platter.vector())));
        if let Some(life) =
            self.nodes[index].life.as_ref().filter(|life| !life.replica.readiness().is_caught_up())
        {
            self.told.push(format!("  answers nobody: {}", life.replica.readiness().as_str()));
        }
        let held = platter.store().registers().count();
        if held > ITEMS_MAX {
            self.told.push(format!("  {held} registers"));
            return;
        }
        for (key, register) in platter.store().registers() {
            let said = String::from_utf8_lossy(&register.value).into_owned();
            let (time, dot) = (register.stamp.time.as_ms(), register.dot);
            self.told.push(format!("  {} = {said} @{time} as {dot:?}", model::name(key)));
        }
    }

    /// Puts names where origins stand.
    fn named(&self, text: &str) -> String {
        self.lives.iter().fold(text.into(), |text, (origin, name)| text.replace(&format!("{origin:?}"), name))
    }
}
