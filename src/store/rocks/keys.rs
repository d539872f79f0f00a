//! Where things stand: the keys of the column families, as bytes.
//!
//! ```text
//! registers
//! ┌────────┬─────────────┬────┬─────────────┬────┬──────┬──────────┐
//! │ shard  │ profile     │ 00 │ content     │ 00 │ kind │ slot id  │
//! │ u16 BE │ 1–128 bytes │    │ 1–256 bytes │    │ u8   │ 16 bytes │
//! └────────┴─────────────┴────┴─────────────┴────┴──────┴──────────┘
//! └─────── a profile's row ───┘                  │
//! └─────── a title ──────────────────────────────┘
//!
//! changes
//! ┌──────────┬─────────┐
//! │ origin   │ version │
//! │ 16 bytes │ u64 BE  │
//! └──────────┴─────────┘
//! ```
//!
//! An id has no control characters, so the zero byte ends it, and no title's prefix begins another's. Keys
//! of one profile come in the order of [`Key`]. The shard is a hash of the profile: it spreads profiles
//! evenly, and lets a later layout give shards to machines without rewriting a key.

use std::ops::Range;

use crate::{
    crdt::{ContentId, Key, Origin, ProfileId, Slot, Timestamp, TitleId},
    store::StoreError,
};

const SHARD_BYTES: usize = 2;
const SLOT_BYTES: usize = 1 + 16;
const CHANGE_BYTES: usize = 16 + 8;
const END: u8 = 0;
const ABOVE_END: u8 = END + 1;

/// The key of a register.
pub(super) fn of_register(key: &Key) -> Vec<u8> {
    let mut bytes = of_title(&key.title);
    bytes.push(key.slot.kind);
    bytes.extend(key.slot.id);
    bytes
}

/// What the keys of all the title's registers begin with, and no other key does.
pub(super) fn of_title(title: &TitleId) -> Vec<u8> {
    let (profile, content) = (title.profile.as_str(), title.content.as_str());
    let mut bytes = Vec::with_capacity(SHARD_BYTES + profile.len() + content.len() + 2 + SLOT_BYTES);
    bytes.extend(title.profile.shard().to_be_bytes());
    bytes.extend(profile.as_bytes());
    bytes.push(END);
    bytes.extend(content.as_bytes());
    bytes.push(END);
    bytes
}

/// The least bytes above all keys of a profile's contents up to `after`, and the least above them all.
///
/// An id has no control characters, so a `01` in the place of an id's first character, or of the zero that
/// ends it, lies between the keys of that id and those of the next.
pub(super) fn contents_above(profile: &ProfileId, after: Option<&ContentId>) -> Range<Vec<u8>> {
    let row = [&profile.shard().to_be_bytes(), profile.as_str().as_bytes()].concat();
    let mut first = [row.as_slice(), &[END]].concat();
    first.extend(after.into_iter().flat_map(|content| content.as_str().bytes()));
    first.push(ABOVE_END);
    first..[row.as_slice(), &[ABOVE_END]].concat()
}

/// What the keys of all registers of these shards lie between.
pub(super) fn of_shards(shards: Range<u16>) -> Range<Vec<u8>> {
    shards.start.to_be_bytes().into()..shards.end.to_be_bytes().into()
}

/// The register that a key of `registers` names.
pub(super) fn register_at(bytes: &[u8]) -> Result<Key, StoreError> {
    parse(bytes).ok_or_else(|| undecodable("a register's key", bytes))
}

/// The slot of a key that begins with this title's part; `None` of any other key.
pub(super) fn slot_in(title: &[u8], bytes: &[u8]) -> Option<Slot> {
    let (&kind, id) = bytes.strip_prefix(title)?.split_first()?;
    Some(Slot { kind, id: id.try_into().ok()? })
}

/// The part of a key of `registers` that its title shares, or the whole of what is no such key.
pub(super) fn title_part(bytes: &[u8]) -> &[u8] {
    &bytes[..title_len(bytes).unwrap_or(bytes.len())]
}

/// Says whether bytes hold a title's part.
pub(super) fn has_title_part(bytes: &[u8]) -> bool {
    title_len(bytes).is_some()
}

/// The key of an entry of the change index.
pub(super) fn of_change(origin: Origin, version: Timestamp) -> [u8; CHANGE_BYTES] {
    let mut bytes = [0; CHANGE_BYTES];
    bytes[..16].copy_from_slice(origin.as_bytes());
    bytes[16..].copy_from_slice(&version.as_u64().to_be_bytes());
    bytes
}

/// The least bytes above the key of an entry: where a span begins or ends that leaves it out or in.
pub(super) fn above_change(origin: Origin, version: Timestamp) -> Vec<u8> {
    [of_change(origin, version).as_slice(), &[0]].concat()
}

/// The version that a key of `changes` names.
pub(super) fn version_at(bytes: &[u8]) -> Result<Timestamp, StoreError> {
    let version = bytes.split_first_chunk::<16>().and_then(|(_, version)| version.try_into().ok());
    let version = version.ok_or_else(|| undecodable("the key of a change", bytes))?;
    Ok(Timestamp::from_u64(u64::from_be_bytes(version)))
}

/// The origin that a key of `vector` is.
pub(super) fn origin_at(bytes: &[u8]) -> Result<Origin, StoreError> {
    let origin = bytes.try_into().map_err(|_| undecodable("the key of a position", bytes))?;
    Ok(Origin::from_bytes(origin))
}

fn title_len(bytes: &[u8]) -> Option<usize> {
    let ends = bytes.iter().enumerate().skip(SHARD_BYTES).filter(|&(_, &byte)| byte == END);
    ends.map(|(at, _)| at + 1).nth(1)
}

fn parse(bytes: &[u8]) -> Option<Key> {
    let (title, slot) = bytes.split_at(title_len(bytes)?);
    let ids = std::str::from_utf8(title.get(SHARD_BYTES..)?).ok()?;
    let (profile, content) = ids.strip_suffix('\0')?.split_once('\0')?;
    let (&kind, id) = slot.split_first()?;
    let title_id =
        TitleId { profile: ProfileId::parse(profile).ok()?, content: ContentId::of_key(content).ok()? };
    let key = title_id.key(Slot { kind, id: id.try_into().ok()? });
    title.starts_with(&key.title.profile.shard().to_be_bytes()).then_some(key)
}

fn undecodable(what: &str, bytes: &[u8]) -> StoreError {
    StoreError::Undecodable { what: what.into(), why: format!("no such key: {}", bytes.escape_ascii()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(profile: &str, content: &str, slot: Slot) -> Key {
        TitleId::parse(profile, content).expect("both are ids").key(slot)
    }

    #[test]
    fn a_key_has_the_bytes_that_are_on_disks() {
        let slot = Slot { kind: 3, id: *b"0123456789abcdef" };
        let bytes = of_register(&key("ann", "film/1", slot));
        assert_eq!(bytes.escape_ascii().to_string(), r"\x02\xc8ann\x00film/1\x00\x030123456789abcdef");
        let bytes = of_change(Origin::from_bytes(*b"0123456789abcdef"), Timestamp::from_u64(0x1_02ff));
        assert_eq!(bytes.escape_ascii().to_string(), r"0123456789abcdef\x00\x00\x00\x00\x00\x01\x02\xff");
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        let sound = of_register(&key("ann", "film", Slot::LAST));
        for len in 0..sound.len() {
            assert!(register_at(&sound[..len]).is_err(), "{len} bytes");
        }
        let another_shard = [&[0, 0], &sound[2..]].concat();
        let too_long = [sound.as_slice(), &[0]].concat();
        let no_text = [&sound[..2], &[0xff], &sound[3..]].concat();
        for bytes in [another_shard, too_long, no_text] {
            assert!(register_at(&bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(version_at(&[0; 23]).is_err());
        assert!(version_at(&[0; 25]).is_err());
        assert!(origin_at(&[0; 15]).is_err());
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let id = "[^\\p{Cc}]{1,30}";
        (id, id, any::<u8>(), any::<[u8; 16]>())
            .prop_map(|(profile, content, kind, id)| key(&profile, &content, Slot { kind, id }))
    }

    proptest! {
        #[test]
        fn a_key_is_read_back(key in any_key()) {
            let bytes = of_register(&key);
            prop_assert_eq!(register_at(&bytes).expect("it was just made"), key.clone());
            prop_assert_eq!(title_part(&bytes), of_title(&key.title));
            prop_assert_eq!(slot_in(&of_title(&key.title), &bytes), Some(key.slot));
            prop_assert!(has_title_part(&bytes));
        }

        #[test]
        fn a_profiles_keys_have_the_order_of_keys(one in any_key(), other in any_key()) {
            let mut other = other;
            other.title.profile = one.title.profile.clone();
            prop_assert_eq!(of_register(&one).cmp(&of_register(&other)), one.cmp(&other));
            let found = slot_in(&of_title(&one.title), &of_register(&other));
            prop_assert_eq!(found, (one.title == other.title).then_some(other.slot));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
            let _ = (register_at(&bytes), title_part(&bytes), version_at(&bytes), origin_at(&bytes));
        }
    }
}
