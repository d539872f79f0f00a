//! What the laws draw their values from.
//!
//! The domains are small on purpose: laws break where stamps, values, dots and ids are equal.

use std::sync::Arc;

use playmark::{
    crdt::{Dot, Key, Origin, Register, Slot, Stamp, Timestamp, TitleId, VersionVector, WallTime},
    playback::{
        Claims, Device, Event, Rights, Sample, Series, SessionId, TimeQuality,
        slot::{DISMISSED, FENCE, WATCHED, completed, glimpse, session},
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};

pub(crate) fn title() -> TitleId {
    TitleId::parse("ann", "film").expect("both are ids")
}

pub(crate) fn any_stamp() -> impl Strategy<Value = Stamp> {
    (any::<u64>(), any::<u32>(), any::<[u8; 16]>()).prop_map(|(ms, counter, writer)| Stamp {
        time: WallTime::from_ms(ms),
        counter,
        writer,
    })
}

/// One of few stamps.
pub(crate) fn near_stamp() -> impl Strategy<Value = Stamp> {
    (0..4_u64, 0..2_u32, 0..3_u8).prop_map(|(ms, counter, writer)| Stamp {
        time: WallTime::from_ms(ms),
        counter,
        writer: [writer; 16],
    })
}

fn near_dot() -> impl Strategy<Value = Dot> {
    (0..3_u128, 1..4_u64).prop_map(|(origin, version)| Dot {
        origin: Origin::from_random(origin),
        version: Timestamp::from_u64(version),
    })
}

/// One of few registers under `key`: equal stamps, equal values and equal dots are all common.
pub(crate) fn near_register(key: Key) -> impl Strategy<Value = Register> {
    (near_stamp(), near_dot(), vec(0..2_u8, 0..2))
        .prop_map(move |(stamp, dot, value)| Register::seal(&key, stamp, dot, Arc::from(value)))
}

pub(crate) fn near_vector() -> impl Strategy<Value = VersionVector> {
    vec((0..4_u128, 0..4_u64), 0..5).prop_map(|entries| {
        let entry = |(origin, version)| (Origin::from_random(origin), Timestamp::from_u64(version));
        entries.into_iter().map(entry).collect()
    })
}

/// A slot of a title that has more sessions than it may keep.
pub(crate) fn crowded_slot() -> impl Strategy<Value = Slot> {
    let id = (0..12_u8).prop_map(|n| SessionId::from_bytes([n; 16]));
    prop_oneof![
        6 => id.clone().prop_map(glimpse),
        6 => id.clone().prop_map(session),
        2 => id.prop_map(completed),
        1 => select(vec![WATCHED, DISMISSED, FENCE]),
        1 => Just(Slot { kind: 200, id: [0; 16] }),
    ]
}

/// A write to a crowded title: a slot, and a register with one of few stamps.
pub(crate) fn crowded_write() -> impl Strategy<Value = (Slot, Register)> {
    let stamp = (0..40_u64, 0..2_u32, 0..12_u8);
    (crowded_slot(), stamp, near_dot()).prop_map(|(slot, (ms, counter, writer), dot)| {
        // Fences are rarer above than below, or nothing would ever stand.
        let ms = if slot == FENCE { ms / 4 } else { ms };
        let stamp = Stamp { time: WallTime::from_ms(ms), counter, writer: [writer; 16] };
        (slot, Register::seal(&title().key(slot), stamp, dot, Arc::default()))
    })
}

pub(crate) fn any_event() -> impl Strategy<Value = Event> {
    (0..7_u8).prop_map(|number| Event::try_from(number).expect("there are seven"))
}

fn any_quality() -> impl Strategy<Value = TimeQuality> {
    (0..7_u8).prop_map(|number| TimeQuality::try_from(number).expect("there are seven"))
}

fn any_device() -> impl Strategy<Value = Device> {
    "\\PC{1,64}".prop_filter_map("not a device", |text| Device::parse(&text).ok())
}

fn any_series() -> impl Strategy<Value = Series> {
    "\\PC{1,32}".prop_filter_map("not a series", |text| Series::parse(&text).ok())
}

fn any_wall() -> impl Strategy<Value = WallTime> {
    any::<u64>().prop_map(WallTime::from_ms)
}

pub(crate) fn any_sample() -> impl Strategy<Value = Sample> {
    let numbers = (any::<u32>(), any::<u64>(), any::<i32>(), any::<u64>());
    let lengths = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u64>()));
    let words = (any_event(), any_quality(), any::<bool>(), any::<bool>());
    let rest =
        (option::of(any_device()), option::of(any_stamp()), option::of(any_wall()), option::of(any_series()));
    (numbers, lengths, words, rest).prop_map(|(numbers, lengths, words, rest)| {
        let (seq, position_ms, rate_thousandths, played_ms) = numbers;
        let (elapsed_ms, duration_ms, credits_ms) = lengths;
        let (event, quality, deliberate, bystander) = words;
        let (device, seen, opened, series) = rest;
        Sample {
            seq,
            elapsed_ms,
            position_ms,
            duration_ms,
            credits_ms,
            event,
            rate_thousandths,
            played_ms,
            deliberate,
            device,
            quality,
            seen,
            opened,
            bystander,
            series,
        }
    })
}

pub(crate) fn any_claims() -> impl Strategy<Value = Claims> {
    let title = ("\\PC{1,20}", "\\PC{1,20}");
    let times = (any_wall(), any_wall(), any_wall(), any_wall());
    let rest = (any_quality(), any::<[bool; 3]>(), option::of(any_stamp()));
    let names = (option::of(any_device()), option::of(any_series()));
    (title, any::<[u8; 16]>(), names, times, rest).prop_filter_map(
        "not a title",
        |(
            (profile, content),
            session,
            (device, series),
            times,
            (quality, [read, write, incognito], seen),
        )| {
            let (opened, anchor, base, expires) = times;
            Some(Claims {
                title: TitleId::parse(&profile, &content).ok()?,
                session: SessionId::from_bytes(session),
                device,
                opened,
                anchor,
                base,
                quality,
                rights: Rights { read, write },
                expires,
                seen,
                series,
                incognito,
            })
        },
    )
}
