//! What stands there: the values of the column families, each behind the byte of its format.
//!
//! ```text
//! registers ┌─────┬──────────────────────────────────────────────────────────────────────────┐
//!           │ 01  │ MessagePack [[time, counter, writer], [origin, version], value, check]   │
//!           └─────┴──────────────────────────────────────────────────────────────────────────┘
//! changes   ┌─────┬───────────────────────┐    notes ┌─────┬──────────────────┐
//!           │ 01  │ a key of `registers`  │          │ 01  │ the note's bytes │
//!           └─────┴───────────────────────┘          └─────┴──────────────────┘
//! vector    ┌─────┬─────────┐
//!           │ 01  │ u64 BE  │
//!           └─────┴─────────┘
//! ```
//!
//! A number once given is never given again. A format that changes is read in both forms and written in
//! the new one, so that values migrate as they are written.

use crate::{
    crdt::{DecodeError, Key, Register, Timestamp, decode, encode},
    store::{StoreError, rocks::keys},
};

const REGISTER_FORMAT: u8 = 1;
const CHANGE_FORMAT: u8 = 1;
const VERSION_FORMAT: u8 = 1;
const NOTE_FORMAT: u8 = 1;

pub(super) fn of_register(register: &Register) -> Vec<u8> {
    encode(REGISTER_FORMAT, register)
}

pub(super) fn register(bytes: &[u8]) -> Result<Register, StoreError> {
    decode(REGISTER_FORMAT, bytes).map_err(|why| undecodable("a register", &why))
}

pub(super) fn of_change(key: &Key) -> Vec<u8> {
    framed(CHANGE_FORMAT, &keys::of_register(key))
}

pub(super) fn change(bytes: &[u8]) -> Result<Key, StoreError> {
    keys::register_at(unframed(CHANGE_FORMAT, bytes, "a change")?)
}

pub(super) fn of_version(version: Timestamp) -> Vec<u8> {
    framed(VERSION_FORMAT, &version.as_u64().to_be_bytes())
}

pub(super) fn version(bytes: &[u8]) -> Result<Timestamp, StoreError> {
    const WHAT: &str = "a position of the vector";
    let body = unframed(VERSION_FORMAT, bytes, WHAT)?;
    let body = body.try_into().map_err(|_| {
        undecodable(WHAT, &DecodeError::Body(format!("{} bytes in place of eight", body.len())))
    })?;
    Ok(Timestamp::from_u64(u64::from_be_bytes(body)))
}

pub(super) fn of_note(note: &[u8]) -> Vec<u8> {
    framed(NOTE_FORMAT, note)
}

pub(super) fn note(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    unframed(NOTE_FORMAT, bytes, "a note").map(Into::into)
}

fn framed(format: u8, body: &[u8]) -> Vec<u8> {
    [&[format], body].concat()
}

fn unframed<'a>(format: u8, bytes: &'a [u8], what: &str) -> Result<&'a [u8], StoreError> {
    match bytes.split_first() {
        Some((&found, body)) if found == format => Ok(body),
        Some((&found, _)) => Err(undecodable(what, &DecodeError::Version { found, known: format })),
        None => Err(undecodable(what, &DecodeError::Empty)),
    }
}

fn undecodable(what: &str, why: &DecodeError) -> StoreError {
    StoreError::Undecodable { what: what.into(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crdt::{Dot, Origin, Slot, Stamp, TitleId, WallTime};

    fn sample() -> (Key, Register) {
        let title = TitleId::parse("ann", "film").expect("both are ids");
        let key = title.key(Slot { kind: 1, id: *b"a session's id.." });
        let stamp = Stamp { time: WallTime::from_ms(300), counter: 2, writer: *b"0123456789abcdef" };
        let dot = Dot { origin: Origin::from_bytes(*b"fedcba9876543210"), version: Timestamp::from_u64(7) };
        let register = Register::seal(&key, stamp, dot, b"42 s".as_slice().into());
        (key, register)
    }

    #[test]
    fn values_have_the_bytes_that_are_on_disks() {
        let (key, sealed) = sample();
        let golden = "\\x01\\x94\\x93\\xcd\\x01,\\x02\\xc4\\x100123456789abcdef\\x92\\xc4\\x10fedcba9876543210\\x07\
                      \\xc4\\x0442 s\\xcf:\\x85v\\x89\\xab0\\xe7\\x9b";
        assert_eq!(of_register(&sealed).escape_ascii().to_string(), golden);
        assert_eq!(register(&of_register(&sealed)).expect("it was just made"), sealed);
        assert_eq!(of_change(&key), [&[1], keys::of_register(&key).as_slice()].concat());
        assert_eq!(change(&of_change(&key)).expect("it was just made"), key);
        assert_eq!(of_version(Timestamp::from_u64(0x0102)), [1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(of_note(b"note"), b"\x01note");
    }

    #[test]
    fn unknown_formats_are_undecodable() {
        let (key, sealed) = sample();
        check_formats(of_register(&sealed), register);
        check_formats(of_change(&key), change);
        check_formats(of_version(Timestamp::ZERO), version);
        check_formats(of_note(b"note"), note);
    }

    fn check_formats<T>(mut bytes: Vec<u8>, decode: fn(&[u8]) -> Result<T, StoreError>) {
        assert!(decode(&bytes).is_ok());
        for format in [0, 2, 0xff] {
            bytes[0] = format;
            assert!(matches!(decode(&bytes), Err(StoreError::Undecodable { .. })), "format {format}");
        }
        assert!(decode(&[]).is_err(), "nothing at all");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in any::<Vec<u8>>(), known in any::<bool>()) {
            if known && let Some(first) = bytes.first_mut() {
                *first = 1;
            }
            let _ = (register(&bytes), change(&bytes), version(&bytes), note(&bytes));
        }
    }
}
