//! Worked examples of clients that have neither a clock nor a count, and what stands whatever they say.

use playmark::{
    crdt::{Dot, Register, Slot, Stamp, WallTime},
    playback::{Event, Policy, ResumePoint, Sample, SessionId, TimeQuality, resume, slot},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    nodes::Node,
    players::{Report, World, is_at, seconds},
    stories::{Story, check},
    worlds::title,
};

const MINUTE: u64 = 60_000;

fn anything(_: &Node) {}

fn story(reports: Vec<Report>) -> Story {
    Story { before: Vec::new(), reports }
}

/// The positions of a resume point and of its alternatives, in seconds, and which of those are concurrent.
fn stands(expected: u64, others: &[(u64, bool)]) -> impl Fn(&ResumePoint) {
    move |point| {
        let place = point.place.sample.position_ms / 1_000;
        let found = point.alternatives.iter().map(|it| (it.place.sample.position_ms / 1_000, it.concurrent));
        assert_eq!((place, &found.collect::<Vec<_>>()[..]), (expected, others));
    }
}

/// A television stops at 1000 s.
fn stopped(world: &World) -> Report {
    let tv = world.opens("tv", 0, &[]);
    tv.says(seconds(1_000), seconds(1_000), r#""event":"stopped","played_ms":1000000"#)
}

#[test]
fn a_reader_that_had_read_where_the_viewer_was_may_go_back() {
    let told = |world: &World| {
        let stop = stopped(world);
        let read = world.reads(20 * MINUTE, std::slice::from_ref(&stop));
        story(vec![stop, is_at("reader", seconds(400), Some(&read))])
    };
    check(told, anything, stands(400, &[(1_000, false)]));
}

#[test]
fn what_was_done_after_its_reading_it_beats_only_from_further_along() {
    let told = |position_ms| {
        move |world: &World| {
            let tv = world.opens("tv", 0, &[]);
            let early = tv.plays(MINUTE, MINUTE);
            let read = world.reads(2 * MINUTE, std::slice::from_ref(&early));
            let stop = tv.says(seconds(1_000), seconds(1_000), r#""event":"stopped","played_ms":1000000"#);
            story(vec![early, stop, is_at("reader", position_ms, Some(&read))])
        }
    };
    check(told(seconds(400)), anything, stands(1_000, &[(400, true)]));
    check(told(seconds(1_500)), anything, stands(1_500, &[(1_000, true)]));
}

#[test]
fn a_reader_that_has_read_nothing_wins_only_from_further_along() {
    let told =
        |position_ms| move |world: &World| story(vec![stopped(world), is_at("reader", position_ms, None)]);
    check(told(seconds(400)), anything, |point| assert_eq!(point.place.sample.position_ms, seconds(1_000)));
    check(told(seconds(1_500)), anything, |point| assert_eq!(point.place.sample.position_ms, seconds(1_500)));
}

#[test]
fn who_has_read_the_readers_place_may_go_back_from_it_whenever_and_wherever_it_comes_again() {
    let told = |blind: bool| {
        move |world: &World| {
            let read = (!blind).then(|| world.reads(MINUTE, &[]));
            let reader = is_at("reader", seconds(1_500), read.as_deref());
            let phone = world.opens("phone", 20 * MINUTE, std::slice::from_ref(&reader));
            let back = phone.says(0, seconds(300), r#""event":"seeked","deliberate":true"#);
            story(vec![reader, back])
        }
    };
    for blind in [false, true] {
        check(told(blind), anything, |point| assert_eq!(point.place.sample.position_ms, seconds(300)));
    }
}

#[test]
fn a_readers_own_places_are_in_the_order_in_which_it_read() {
    let told = |world: &World| {
        let mut said: Vec<Report> = Vec::new();
        for position in [100, 200, 150] {
            let read = world.reads(said.len() as u64 * MINUTE, &said);
            said.push(is_at("reader", seconds(position), Some(&read)));
        }
        story(said)
    };
    check(told, anything, stands(150, &[]));
}

#[test]
fn of_two_readers_that_know_of_each_other_the_last_stands_and_of_two_that_do_not_the_further() {
    let told = |knows: bool| {
        move |world: &World| {
            let read = world.reads(0, &[]);
            let one = is_at("one", seconds(500), Some(&read));
            let shown = if knows { std::slice::from_ref(&one) } else { &[] };
            let other = is_at("other", seconds(200), Some(&world.reads(MINUTE, shown)));
            story(vec![one, other])
        }
    };
    check(told(true), anything, stands(200, &[(500, false)]));
    check(told(false), anything, stands(500, &[(200, true)]));
}

/// A place of one of few sessions.
#[derive(Clone, Debug)]
struct Left {
    session: u8,
    ms: u64,
    position_ms: u64,
    quality: TimeQuality,
    seen: Option<(u64, u8)>,
}

fn stamp(ms: u64, session: u8) -> Stamp {
    Stamp { time: WallTime::from_ms(ms), counter: 0, writer: [session; 16] }
}

fn any_left() -> impl Strategy<Value = Left> {
    let quality = select(vec![TimeQuality::Anchored, TimeQuality::Read, TimeQuality::Blind]);
    (0..6_u8, 1..8_u64, 0..4_u64, quality, option::of((0..8_u64, 0..6_u8))).prop_map(
        |(session, ms, position_ms, quality, seen)| Left { session, ms, position_ms, quality, seen },
    )
}

impl Left {
    fn register(&self) -> (Slot, Register) {
        let id = SessionId::from_bytes([self.session; 16]);
        let sample = Sample {
            seq: 0,
            elapsed_ms: None,
            position_ms: self.position_ms,
            duration_ms: None,
            credits_ms: None,
            event: Event::Paused,
            rate_thousandths: 1_000,
            played_ms: 0,
            deliberate: true,
            device: None,
            quality: self.quality,
            seen: self.seen.map(|(ms, session)| stamp(ms, session)),
            opened: None,
            bystander: false,
            series: None,
        };
        let key = title().key(slot::session(id));
        (key.slot, Register::seal(&key, stamp(self.ms, self.session), Dot::default(), sample.encode()))
    }

    /// The oracle: what stands when each in turn is held against the one that stood.
    fn over(&self, other: &Self) -> bool {
        let (own, theirs) = (stamp(self.ms, self.session), stamp(other.ms, other.session));
        let seen = |of: &Self| of.seen.map(|(ms, session)| stamp(ms, session));
        // The moments at which either can have been done.
        let earliest = (self.quality != TimeQuality::Blind).then_some(own);
        let latest = (other.quality != TimeQuality::Read).then_some(theirs);
        match (earliest, latest) {
            (Some(earliest), Some(latest)) if earliest > latest => true,
            _ if seen(self) >= Some(theirs) => true,
            _ if seen(other) >= Some(own) || seen(other).is_some_and(|it| it.writer == own.writer) => false,
            _ => self.position_ms > other.position_ms,
        }
    }
}

proptest! {
    #[test]
    fn what_stands_is_what_the_oracle_says(places in vec(any_left(), 1..8)) {
        let mut left: Vec<Left> = Vec::new();
        for place in places {
            left.retain(|other| other.session != place.session);
            left.push(place);
        }
        let registers: Vec<_> = left.iter().map(Left::register).collect();
        left.sort_by_key(|place| stamp(place.ms, place.session));
        let mut places = left.iter();
        let first = places.next().expect("there is one");
        let expected = places.fold(first, |stands, next| if next.over(stands) { next } else { stands });
        let point = resume(&registers, None, &Policy::default()).expect("there is a place");
        prop_assert_eq!(point.place.stamp, stamp(expected.ms, expected.session));
        prop_assert_eq!(point.alternatives.len() + 1, left.len());
    }

    #[test]
    fn where_every_place_has_a_time_the_latest_stands(places in vec(any_left(), 1..8)) {
        let places: Vec<_> =
            places.into_iter().map(|place| Left { quality: TimeQuality::Anchored, ..place }).collect();
        let mut registers: Vec<(Slot, Register)> = Vec::new();
        for (slot, register) in places.iter().map(Left::register) {
            registers.retain(|(other, _)| *other != slot);
            registers.push((slot, register));
        }
        let latest = registers.iter().map(|(_, register)| register.stamp).max();
        let point = resume(&registers, None, &Policy::default()).expect("there is a place");
        prop_assert_eq!(Some(point.place.stamp), latest);
    }
}
