//! Keys, versions and registers that stores get wrong.

use crate::{
    crdt::{
        CONTENT_BYTES_MAX, Dot, Key, Origin, PROFILE_BYTES_MAX, Register, Slot, Stamp, Timestamp, TitleId,
        WallTime,
    },
    store::StoreError,
};

/// Titles of which many begin like others, on both sides of the border between profile and content.
pub(super) fn titles() -> Vec<TitleId> {
    let longest_profile = "p".repeat(PROFILE_BYTES_MAX);
    let longest_in_hearts = "💜".repeat(CONTENT_BYTES_MAX / 4);
    let profiles = ["a", "ab", "a ", "a/b", "ä", "\u{10ffff}", &longest_profile[1..], &longest_profile];
    let contents = ["b", "bb", "c", "bc", "b/c", "日本", "\u{10ffff}\u{10ffff}", &longest_in_hearts];
    let pairs = profiles.iter().flat_map(|profile| contents.map(|content| (*profile, content.to_owned())));
    pairs.map(|(profile, content)| TitleId::parse(profile, &content).expect("all of them are ids")).collect()
}

/// Slots at the borders of kinds and ids, in their order.
pub(super) fn slots() -> Vec<Slot> {
    let mut high_byte = [0; 16];
    high_byte[0] = 0xff;
    let mut low_byte = [0; 16];
    low_byte[15] = 0xff;
    let middle = [low_byte, high_byte].map(|id| Slot { kind: 1, id });
    let mut slots = vec![Slot::FIRST, Slot { kind: 0, id: [0xff; 16] }, Slot { kind: 1, id: [0; 16] }];
    slots.extend(middle);
    slots.extend([Slot { kind: 0xff, id: [0; 16] }, Slot::LAST]);
    slots
}

/// Origins that are neighbours, and the last one there is.
pub(super) fn origins() -> [Origin; 5] {
    [0, 1, 0xff, 0x100, u128::MAX].map(Origin::from_random)
}

/// Versions around the borders of bytes, where an order of bytes and one of numbers may part; rising.
pub(super) fn versions() -> [Timestamp; 12] {
    [1, 0x7f, 0x80, 0xfe, 0xff, 0x100, 0x101, 0xffff, 0x1_0000, 0xffff_ffff_ffff, u64::MAX - 1, u64::MAX]
        .map(Timestamp::from_u64)
}

/// A sound register that differs from those of other numbers.
pub(super) fn register(key: &Key, n: u64) -> Register {
    let stamp = Stamp { time: WallTime::from_ms(n), counter: 7, writer: [9; 16] };
    let dot = Dot { origin: origins()[1], version: Timestamp::from_u64(n) };
    Register::seal(key, stamp, dot, n.to_be_bytes().as_slice().into())
}

/// A register whose value is not the one that was sealed.
pub(super) fn rotten(key: &Key, n: u64) -> Register {
    Register { value: b"rot".as_slice().into(), ..register(key, n) }
}

/// What was read, where no fault of the device is at hand to excuse an error.
pub(super) fn sure<T>(read: Result<T, StoreError>) -> T {
    read.expect("a store on a sound device does not fail")
}
