//! What a viewer orders by hand: watched or not, out of the row, this place, forget.
//!
//! A command has no session whose clock could date it, so the node that takes it does, once (R11): at
//! its wall, and above everything that its committed state shows of the title. What the viewer had
//! before their eyes, the command beats, through whatever node and under whatever skew. The same words
//! said again are another command, and later.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    crdt::{Origin, Register, Slot, Stamp, TitleId, WallTime},
    playback::{
        Device, Event, HeartbeatError, SPAN_MS_MAX, Sample, Series, SessionId, Settings, Shown, TimeQuality,
        Watched, Write,
        heartbeat::{id, missing, whole},
        slot,
    },
};

/// A place that the viewer sets: where to go on, whatever was played.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bookmark {
    /// Where, in milliseconds.
    pub position_ms: u64,
    /// How long the title is, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Where the credits begin, in milliseconds.
    pub credits_ms: Option<u64>,
    /// On what it was set.
    pub device: Option<Device>,
    /// To which series the title belongs.
    pub series: Option<Series>,
}

/// From where a command is given: what a node's committed state shows of a title, and when.
#[derive(Clone, Copy, Debug)]
pub struct Vantage<'a> {
    /// Whose title.
    pub title: &'a TitleId,
    /// What stands in it.
    pub registers: &'a [(Slot, Register)],
    /// Its profile's fence.
    pub profile_fence: Option<Stamp>,
    /// Which life of which replica takes the command.
    pub origin: Origin,
    /// Its wall.
    pub now: WallTime,
}

impl Vantage<'_> {
    /// Says whether the title is watched.
    pub fn watched(&self, said: bool) -> Write {
        self.write(slot::WATCHED, Watched(said).encode())
    }

    /// Takes the title out of the row, until it is played again.
    pub fn dismissed(&self) -> Write {
        self.write(slot::DISMISSED, Arc::default())
    }

    /// Erases everything that is known of the title, for ever; later sessions begin afresh.
    pub fn fence(&self) -> Write {
        self.write(slot::FENCE, Arc::default())
    }

    /// Settles what counts for a whole profile, whose scope is the title.
    pub fn settings(&self, settings: &Settings) -> Write {
        self.write(slot::SETTINGS, settings.encode())
    }

    /// Erases everything that is known of a whole profile, whose scope is the title; its settings stay.
    ///
    /// It is dated by the wall alone, and above the fence before it: one title whose stamps lie far ahead must not
    /// take the others' future. What lies above it is erased by fences of its own.
    pub fn profile_fence(&self) -> Write {
        let before = self.shown_to(SessionId::from_bytes([0; 16])).fence;
        let time = before.map_or(self.now, |before| before.time.plus_ms(1).max(self.now));
        self.write_at(time, slot::FENCE, Arc::default())
    }

    /// Sets the place: a `session` register of its own, so that the places before it remain alternatives.
    ///
    /// `session` must be fresh, or the name of an earlier bookmark that this one replaces. It completes
    /// nothing, whatever its position: a title is played when it is played.
    pub fn place(&self, session: SessionId, bookmark: Bookmark) -> Write {
        let shown = self.shown_to(session);
        let stamp = Stamp { time: shown.anchor(self.now), counter: 0, writer: *session.as_bytes() };
        let sample = Sample {
            seq: 0,
            elapsed_ms: None,
            position_ms: bookmark.position_ms,
            duration_ms: bookmark.duration_ms,
            credits_ms: bookmark.credits_ms,
            event: Event::Seeked,
            rate_thousandths: 1_000,
            played_ms: 0,
            deliberate: true,
            device: bookmark.device,
            quality: TimeQuality::Arrival,
            seen: shown.others,
            opened: Some(stamp.time),
            bystander: false,
            series: bookmark.series,
        };
        Write { key: self.title.key(slot::session(session)), stamp, value: sample.encode() }
    }

    /// What stands of this very bookmark, if it was taken before under this name.
    ///
    /// Saying it again is then no command of its own, and to write this again changes nothing.
    pub fn repeated(&self, session: SessionId, bookmark: &Bookmark) -> Option<Write> {
        let slot = slot::session(session);
        let (_, stands) = self.registers.iter().find(|(found, _)| *found == slot)?;
        let sample = Sample::decode(&stands.value).ok()?;
        let is_erased = Some(stands.stamp) <= self.shown_to(session).fence;
        (!is_erased && bookmark.is_that_of(&sample)).then(|| Write {
            key: self.title.key(slot),
            stamp: stands.stamp,
            value: Arc::clone(&stands.value),
        })
    }

    fn write(&self, slot: Slot, value: Arc<[u8]>) -> Write {
        // Whose eyes they are does not matter: none of these slots is a session's.
        let time = self.shown_to(SessionId::from_bytes([0; 16])).anchor(self.now);
        self.write_at(time, slot, value)
    }

    fn write_at(&self, time: WallTime, slot: Slot, value: Arc<[u8]>) -> Write {
        let stamp = Stamp { time, counter: 0, writer: *self.origin.as_bytes() };
        Write { key: self.title.key(slot), stamp, value }
    }

    fn shown_to(&self, session: SessionId) -> Shown {
        let stamps: Vec<_> = self.registers.iter().map(|(slot, it)| (*slot, it.stamp)).collect();
        Shown::to(session, &stamps, self.profile_fence)
    }
}

impl Bookmark {
    /// Reads the members of a JSON object; unknown ones are passed over, and `null` is absent.
    ///
    /// # Errors
    /// See [`HeartbeatError`], which names the member and what to send instead.
    pub fn from_value(value: &Value) -> Result<Self, HeartbeatError> {
        let member = |field| value.get(field).filter(|it| !it.is_null()).cloned();
        Ok(Self {
            position_ms: whole("position_ms", member("position_ms"), SPAN_MS_MAX)?
                .ok_or(missing("position_ms", "the place in whole milliseconds"))?,
            duration_ms: whole("duration_ms", member("duration_ms"), SPAN_MS_MAX)?,
            credits_ms: whole("credits_ms", member("credits_ms"), SPAN_MS_MAX)?,
            device: id("device", member("device"), Device::parse)?,
            series: id("series", member("series"), Series::parse)?,
        })
    }

    fn is_that_of(&self, sample: &Sample) -> bool {
        let Self { position_ms, duration_ms, credits_ms, device, series } = self;
        let is_set = sample.event == Event::Seeked && sample.quality == TimeQuality::Arrival;
        is_set
            && *position_ms == sample.position_ms
            && *duration_ms == sample.duration_ms
            && *credits_ms == sample.credits_ms
            && *device == sample.device
            && *series == sample.series
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;

    use super::*;
    use crate::{
        crdt::Dot,
        playback::{Policy, ResumePoint, SlotKind, is_watched, resume, retain_title, sample::tests::playing},
    };

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);
    const ORIGIN: Origin = Origin::from_bytes([9; 16]);

    static TITLE: LazyLock<TitleId> = LazyLock::new(|| TitleId::parse("ann", "film").expect("both are ids"));

    fn id_of(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn register(slot: Slot, stamp: Stamp, value: Arc<[u8]>) -> (Slot, Register) {
        (slot, Register::seal(&TITLE.key(slot), stamp, Dot::default(), value))
    }

    /// A session that has played to 3180 s, with a stamp of this time.
    fn played(n: u8, time: WallTime) -> (Slot, Register) {
        let stamp = Stamp { time, counter: 7, writer: *id_of(n).as_bytes() };
        let sample = Sample { played_ms: 60_000, duration_ms: Some(3_600_000), ..playing(3_180_000) };
        register(slot::session(id_of(n)), stamp, sample.encode())
    }

    fn from(registers: &[(Slot, Register)]) -> Vantage<'_> {
        Vantage { title: &TITLE, registers, profile_fence: None, origin: ORIGIN, now: NOW }
    }

    fn bookmark(position_ms: u64) -> Bookmark {
        Bookmark { position_ms, duration_ms: None, credits_ms: None, device: None, series: None }
    }

    /// What stands after a command, pruned as every replica prunes.
    fn after(registers: &[(Slot, Register)], write: &Write) -> Vec<(Slot, Register)> {
        let mut all: Vec<_> = registers.iter().filter(|(slot, _)| *slot != write.key.slot).cloned().collect();
        all.push(register(write.key.slot, write.stamp, write.value.clone()));
        let stamps: Vec<_> = all.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
        let gone = retain_title(&stamps, None);
        all.retain(|(slot, _)| !gone.contains(slot));
        all
    }

    fn point(registers: &[(Slot, Register)]) -> Option<ResumePoint> {
        resume(registers, None, &Policy::default())
    }

    #[test]
    fn a_command_is_dated_by_the_wall_and_above_all_that_is_shown() {
        let ahead = NOW.plus_ms(2_000);
        let check = |registers: &[(Slot, Register)], time| {
            let stamp = Stamp { time, counter: 0, writer: *ORIGIN.as_bytes() };
            let from = from(registers);
            for write in [from.watched(true), from.dismissed(), from.fence()] {
                assert_eq!(write.stamp, stamp, "{:?}", write.key.slot);
            }
            let set = from.place(id_of(1), bookmark(5));
            assert_eq!(set.stamp, Stamp { writer: *id_of(1).as_bytes(), ..stamp });
        };
        check(&[], NOW);
        check(&[played(2, NOW.minus_ms(5))], NOW);
        check(&[played(2, ahead)], ahead.plus_ms(1));
        let fence = Stamp { time: ahead, counter: 0, writer: [1; 16] };
        check(&[register(slot::FENCE, fence, Arc::default())], ahead.plus_ms(1));
        let under_a_profile_fence = Vantage { profile_fence: Some(fence), ..from(&[]) };
        assert_eq!(under_a_profile_fence.fence().stamp.time, ahead.plus_ms(1));
    }

    #[test]
    fn the_viewers_last_word_on_watched_stands_and_beats_what_had_completed() {
        let opened = Stamp { time: NOW.plus_ms(500), counter: 0, writer: *id_of(2).as_bytes() };
        let mut registers = vec![register(slot::completed(id_of(2)), opened, Arc::default())];
        for said in [false, true, false] {
            registers = after(&registers, &from(&registers).watched(said));
            assert_eq!(is_watched(&registers, None), said);
        }
    }

    #[test]
    fn a_bookmark_wins_over_what_it_was_shown_and_leaves_that_as_an_alternative() {
        let registers = [played(2, NOW.plus_ms(2_000))];
        let write = from(&registers).place(id_of(1), bookmark(300_000));
        let point = point(&after(&registers, &write)).expect("a place");
        assert_eq!((point.place.session, point.place.sample.position_ms), (id_of(1), 300_000));
        assert!(point.place.engaged && !point.completed);
        let [other] = &point.alternatives[..] else { panic!("{:?}", point.alternatives) };
        assert_eq!((other.place.sample.position_ms, other.concurrent), (3_180_000, false));
    }

    #[test]
    fn a_bookmark_in_the_credits_completes_the_place_and_is_no_play() {
        let at_end = Bookmark { duration_ms: Some(1_000), ..bookmark(990) };
        let write = from(&[]).place(id_of(1), at_end.clone());
        let registers = after(&[], &write);
        let point = point(&registers).expect("a place");
        assert!(point.completed && !point.watched);
        assert!(registers.iter().all(|(slot, _)| SlotKind::of(*slot) == Some(SlotKind::Session)));
    }

    #[test]
    fn a_bookmark_repeated_under_its_name_is_the_one_that_stands() {
        let write = from(&[]).place(id_of(1), bookmark(300));
        let registers = after(&[played(2, NOW)], &write);
        let repeated = |n, position_ms| from(&registers).repeated(id_of(n), &bookmark(position_ms));
        assert_eq!(repeated(1, 300), Some(write.clone()));
        assert_eq!(repeated(1, 301), None, "another place");
        assert_eq!(repeated(2, 3_180_000), None, "a session that has played");
        assert_eq!(repeated(3, 300), None, "another name");
        let erased = Vantage { profile_fence: Some(write.stamp), ..from(&registers) };
        assert_eq!(erased.repeated(id_of(1), &bookmark(300)), None);
    }

    #[test]
    fn a_dismissed_title_is_out_of_the_row_until_it_is_played_again() {
        let registers = [played(2, NOW.plus_ms(2_000))];
        let registers = after(&registers, &from(&registers).dismissed());
        assert!(point(&registers).expect("a place").dismissed);
        let again = [&registers[..], &[played(3, NOW.plus_ms(3_000))]].concat();
        assert!(!point(&again).expect("a place").dismissed);
    }

    #[test]
    fn a_fence_erases_everything_that_was_shown_and_nothing_that_comes_after() {
        let registers = [played(2, NOW.plus_ms(2_000))];
        let registers = after(&registers, &from(&registers).watched(true));
        let registers = after(&registers, &from(&registers).dismissed());
        let write = from(&registers).fence();
        let registers = after(&registers, &write);
        assert_eq!(registers.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [slot::FENCE]);
        // What comes late comes to nothing, and what is done later stands.
        let late = played(4, write.stamp.time.minus_ms(1));
        assert_eq!(point(&[&registers[..], &[late]].concat()), None);
        let later = played(4, write.stamp.time.plus_ms(1));
        assert!(point(&[&registers[..], &[later]].concat()).is_some());
    }

    #[test]
    fn a_profiles_fence_is_of_this_moment_and_above_the_one_before() {
        let settled = Stamp { time: NOW.plus_ms(9_000), counter: 0, writer: [1; 16] };
        let settings = register(slot::SETTINGS, settled, Settings::default().encode());
        assert_eq!(from(std::slice::from_ref(&settings)).profile_fence().stamp.time, NOW);
        let before = Stamp { time: NOW.plus_ms(2_000), ..settled };
        let registers = [register(slot::FENCE, before, Arc::default()), settings];
        assert_eq!(from(&registers).profile_fence().stamp.time, NOW.plus_ms(2_001));
        let paused = Settings { paused: true, ..Settings::default() };
        let again = from(&registers).settings(&paused);
        assert_eq!(again.stamp.time, NOW.plus_ms(9_001), "the last word stands");
        assert_eq!(Settings::decode(&again.value), Ok(paused));
    }

    #[test]
    fn a_bookmarks_members_are_within_their_bounds_or_named() {
        let read = |value: Value| Bookmark::from_value(&value);
        let whole = json!({"position_ms": 5.0, "duration_ms": 9, "credits_ms": null, "device": "TV", "x": 1});
        let device = Device::parse("TV").ok();
        assert_eq!(read(whole), Ok(Bookmark { duration_ms: Some(9), device, ..bookmark(5) }));
        for (value, field) in [
            (json!({}), "position_ms"),
            (json!({"position_ms": -1}), "position_ms"),
            (json!({"position_ms": 31_536_000_001_u64}), "position_ms"),
            (json!({"position_ms": 1, "duration_ms": "9"}), "duration_ms"),
            (json!({"position_ms": 1, "credits_ms": 0.5}), "credits_ms"),
            (json!({"position_ms": 1, "device": ""}), "device"),
        ] {
            assert_eq!(read(value.clone()).expect_err("refused").field(), Some(field), "{value}");
        }
    }
}
