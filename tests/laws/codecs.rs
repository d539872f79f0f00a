//! What is written can be read, and no input makes a decoder panic.

use std::sync::Arc;

use playmark::{
    crdt::{Dot, Key, Register, VersionVector, WallTime, decode, encode, encode_named},
    playback::{Heartbeat, Sample, TokenKeys, Watched, slot::WATCHED},
};
use proptest::{collection::vec, prelude::*};

use crate::worlds::{any_claims, any_sample, any_stamp, near_register, near_vector, title};

fn keys() -> TokenKeys {
    TokenKeys::new(&[7; 32]).expect("long enough")
}

fn day(epoch: u64) -> WallTime {
    WallTime::from_ms(epoch * 86_400_000)
}

proptest! {
    #[test]
    fn a_register_reads_back(stamp in any_stamp(), value in vec(any::<u8>(), 0..512)) {
        let key = title().key(WATCHED);
        let register = Register::seal(&key, stamp, Dot::default(), Arc::from(value));
        let bytes = encode(1, &(&key, &register));
        prop_assert_eq!(decode::<(Key, Register)>(1, &bytes), Ok((key.clone(), register.clone())));
        prop_assert!(register.is_sound(&key));
    }

    #[test]
    fn a_vector_reads_back(vector in near_vector()) {
        prop_assert_eq!(decode::<VersionVector>(3, &encode(3, &vector)), Ok(vector));
    }

    #[test]
    fn both_forms_read_back_and_another_version_does_not(register in near_register(title().key(WATCHED))) {
        for bytes in [encode(1, &register), encode_named(1, &register)] {
            prop_assert_eq!(decode::<Register>(1, &bytes), Ok(register.clone()));
            prop_assert!(decode::<Register>(2, &bytes).is_err());
            let longer = [&bytes[..], &[0]].concat();
            prop_assert!(decode::<Register>(1, &longer).is_err());
        }
    }

    #[test]
    fn a_sample_reads_back_and_every_node_writes_the_same_bytes(sample in any_sample()) {
        let value = sample.encode();
        let read = Sample::decode(&value);
        prop_assert_eq!(read.as_ref().map(Sample::encode), Ok(value));
        prop_assert_eq!(read, Ok(sample));
    }

    #[test]
    fn a_token_reads_back(claims in any_claims(), issued in 0..1_000_u64, later in 0..200_u64) {
        let text = keys().sign(&claims, day(issued));
        prop_assert_eq!(keys().verify(&text, day(issued + later)), Ok(claims));
    }

    #[test]
    fn no_bit_of_a_token_can_be_flipped(claims in any_claims(), at in any::<prop::sample::Index>(), bit in 0..7_u32) {
        let mut bytes = keys().sign(&claims, day(1)).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        let text = String::from_utf8(bytes).expect("seven bits are a character");
        prop_assert!(keys().verify(&text, day(1)).is_err());
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..600), version in 0..3_u8) {
        let versioned = [&[version][..], &bytes].concat();
        for input in [&bytes, &versioned] {
            let _ = Sample::decode(input);
            let _ = Watched::decode(input);
            let _ = decode::<Register>(1, input);
            let _ = decode::<Key>(1, input);
            let _ = decode::<VersionVector>(1, input);
            let _ = Heartbeat::from_json(input);
        }
    }

    #[test]
    fn no_damage_to_a_sample_makes_its_decoder_panic(
        sample in any_sample(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut value = sample.encode().to_vec();
        for (at, byte) in damage {
            let at = at.index(value.len());
            value[at] = byte;
        }
        let _ = Sample::decode(&value);
    }

    #[test]
    fn no_text_makes_a_token_or_a_heartbeat_panic(text in "\\PC{0,80}", coded in "[A-Za-z0-9_-]{0,400}") {
        prop_assert!(keys().verify(&text, day(1)).is_err());
        let coded = ["pm1.", &coded].concat();
        prop_assert!(keys().verify(&coded, day(1)).is_err());
        let _ = Heartbeat::from_json(text.as_bytes());
    }

    #[test]
    fn no_members_make_a_heartbeat_panic(
        member in "seq|elapsed_ms|position_ms|rate|event|session|device|deliberate",
        value in "-?[0-9]{1,30}(\\.[0-9]{1,4})?(e[0-9]{1,3})?|\"\\PC{0,70}\"|\\[\\]|true|null",
    ) {
        let _ = Heartbeat::from_json(format!(r#"{{"{member}":{value}}}"#).as_bytes());
    }
}

#[test]
fn a_length_that_lies_is_not_believed() {
    // A map, an array, a text and a byte string of four thousand million entries each, and none there.
    for lie in [0xdf_u8, 0xdd, 0xdb, 0xc6] {
        let bytes = [1, lie, 0xff, 0xff, 0xff, 0xff];
        assert!(Sample::decode(&bytes).is_err());
        assert!(decode::<VersionVector>(1, &bytes).is_err());
        assert!(decode::<Key>(1, &bytes).is_err());
    }
}
