//! How members are written in datagrams.
//!
//! ```text
//! datagram = version, kind, probe, incarnation, from, to, [third], [count, update…]
//! update   = state, incarnation, member
//! member   = length, version, MessagePack map with one-digit keys
//! ```
//!
//! Numbers are big-endian: version, kind, probe and state of one byte, incarnation, count and length of two. Fields of a
//! later build's member are skipped. A datagram of a later version or kind is passed over whole, which costs
//! no more than a lost one. Decoding allocates no more than a member's greatest length at a time.

use bytes::{Buf, BufMut};
use foca::{Header, Message, State};

use super::{ADDRESS_BYTES_MAX, Member, NAME_BYTES_MAX};
use crate::crdt::{DecodeError, decode, encode_named};

/// The version of datagrams, and of members in them.
const VERSION: u8 = 1;

/// The longest member: ids, names and address, and room for what later builds add.
pub const MEMBER_BYTES_MAX: usize = 512;

/// Writes and reads what members send to each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Codec;

impl foca::Codec<Member> for Codec {
    type Error = CodecError;

    fn encode_header(&mut self, header: &Header<Member>, buf: impl BufMut) -> Result<(), CodecError> {
        let (kind, probe, third) = parts(&header.message);
        let mut bytes = vec![VERSION, kind, probe];
        bytes.extend(header.src_incarnation.to_be_bytes());
        for member in [Some(&header.src), Some(&header.dst), third].into_iter().flatten() {
            write(member, &mut bytes);
        }
        put(&bytes, buf)
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Member>, CodecError> {
        let version = byte(&mut buf)?;
        if version != VERSION {
            return Err(CodecError::Version(version));
        }
        let (kind, probe, src_incarnation) = (byte(&mut buf)?, byte(&mut buf)?, number(&mut buf)?);
        let (src, dst) = (read(&mut buf)?, read(&mut buf)?);
        let message = message(kind, probe, &mut buf)?;
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, update: &foca::Member<Member>, buf: impl BufMut) -> Result<(), CodecError> {
        let state = match update.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        };
        let mut bytes = vec![state];
        bytes.extend(update.incarnation().to_be_bytes());
        write(update.id(), &mut bytes);
        put(&bytes, buf)
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<foca::Member<Member>, CodecError> {
        let state = match byte(&mut buf)? {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            other => return Err(CodecError::State(other)),
        };
        let incarnation = number(&mut buf)?;
        Ok(foca::Member::new(read(&mut buf)?, incarnation, state))
    }
}

/// A message's kind, its probe, and the member it names beside sender and receiver.
fn parts(message: &Message<Member>) -> (u8, u8, Option<&Member>) {
    match message {
        Message::Ping(probe) => (0, *probe, None),
        Message::Ack(probe) => (1, *probe, None),
        Message::PingReq { target, probe_number } => (2, *probe_number, Some(target)),
        Message::IndirectPing { origin, probe_number } => (3, *probe_number, Some(origin)),
        Message::IndirectAck { target, probe_number } => (4, *probe_number, Some(target)),
        Message::ForwardedAck { origin, probe_number } => (5, *probe_number, Some(origin)),
        Message::Announce => (6, 0, None),
        Message::Feed => (7, 0, None),
        Message::Gossip => (8, 0, None),
        Message::Broadcast => (9, 0, None),
        Message::TurnUndead => (10, 0, None),
    }
}

fn message(kind: u8, probe_number: u8, buf: &mut impl Buf) -> Result<Message<Member>, CodecError> {
    Ok(match kind {
        0 => Message::Ping(probe_number),
        1 => Message::Ack(probe_number),
        2 => Message::PingReq { target: read(buf)?, probe_number },
        3 => Message::IndirectPing { origin: read(buf)?, probe_number },
        4 => Message::IndirectAck { target: read(buf)?, probe_number },
        5 => Message::ForwardedAck { origin: read(buf)?, probe_number },
        6 => Message::Announce,
        7 => Message::Feed,
        8 => Message::Gossip,
        9 => Message::Broadcast,
        10 => Message::TurnUndead,
        other => return Err(CodecError::Kind(other)),
    })
}

fn write(member: &Member, bytes: &mut Vec<u8>) {
    let body = encode_named(VERSION, member);
    let length = u16::try_from(body.len()).expect("names and addresses are bounded");
    bytes.extend(length.to_be_bytes());
    bytes.extend(body);
}

fn read(buf: &mut impl Buf) -> Result<Member, CodecError> {
    let length = usize::from(number(buf)?);
    if length > MEMBER_BYTES_MAX || buf.remaining() < length {
        return Err(CodecError::Short);
    }
    let mut body = vec![0; length];
    buf.copy_to_slice(&mut body);
    let member: Member = decode(VERSION, &body)?;
    let address = member.address.as_deref().unwrap_or_default();
    if (1..=NAME_BYTES_MAX).contains(&member.name.len()) && address.len() <= ADDRESS_BYTES_MAX {
        Ok(member)
    } else {
        Err(CodecError::Long)
    }
}

/// All of it or nothing: what does not fit leaves the buffer as it was.
fn put(bytes: &[u8], mut buf: impl BufMut) -> Result<(), CodecError> {
    if buf.remaining_mut() < bytes.len() {
        return Err(CodecError::Full);
    }
    buf.put_slice(bytes);
    Ok(())
}

fn byte(buf: &mut impl Buf) -> Result<u8, CodecError> {
    buf.try_get_u8().map_err(|_| CodecError::Short)
}

fn number(buf: &mut impl Buf) -> Result<u16, CodecError> {
    buf.try_get_u16().map_err(|_| CodecError::Short)
}

/// Says why a datagram says nothing; it is passed over, as if it had been lost.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodecError {
    /// A later build's datagram.
    #[error("datagrams of version {0}, and this build knows {VERSION}")]
    Version(u8),
    /// A later build's message.
    #[error("a message of kind {0}")]
    Kind(u8),
    /// A later build's state.
    #[error("a member in state {0}")]
    State(u8),
    /// It ends too soon.
    #[error("it ends too soon")]
    Short,
    /// A name or an address beyond its bound.
    #[error("a name or an address is too long")]
    Long,
    /// There is no room for it in this datagram.
    #[error("no room")]
    Full,
    /// The member itself.
    #[error(transparent)]
    Member(#[from] DecodeError),
}

#[cfg(test)]
mod tests {
    use foca::Codec as _;

    use super::*;
    use crate::crdt::{Origin, ReplicaId, Timestamp};

    fn member(number: u8) -> Member {
        Member {
            replica: ReplicaId::from_random(number.into()),
            life: Timestamp::from_u64(7),
            origin: Origin::from_random(u128::from(number) + 100),
            name: format!("eu-{number}"),
            region: "eu".parse().expect("a region"),
            address: (number == 1).then(|| "h:1".to_owned()),
            wire_min: 1,
            wire_max: 1,
        }
    }

    fn header(message: Message<Member>) -> Header<Member> {
        Header { src: member(1), src_incarnation: 258, dst: member(2), message }
    }

    #[test]
    fn the_bytes_of_a_datagram_are_these() {
        let mut bytes = Vec::new();
        Codec.encode_header(&header(Message::Ping(9)), &mut bytes).expect("room");
        Codec.encode_member(&foca::Member::new(member(2), 0, State::Suspect), &mut bytes).expect("room");
        let second = b"\0\x3f\x01\x87\xa11\xc4\x10\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x02\xa12\x07\
            \xa13\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x66\xa14\xa4eu-2\xa15\xa2eu\xa17\x01\xa18\x01";
        let first = b"\0\x45\x01\x88\xa11\xc4\x10\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x01\xa12\x07\
            \xa13\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x65\xa14\xa4eu-1\xa15\xa2eu\xa16\xa3h:1\xa17\x01\xa18\x01";
        let golden = [b"\x01\0\x09\x01\x02", &first[..], second, b"\x01\0\0", second].concat();
        assert_eq!(bytes, golden);
    }

    #[test]
    fn every_message_is_read_as_it_was_written() {
        let (target, origin, probe_number) = (member(3), member(4), 5);
        for message in [
            Message::Ping(1),
            Message::Ack(2),
            Message::PingReq { target: target.clone(), probe_number },
            Message::IndirectPing { origin: origin.clone(), probe_number },
            Message::IndirectAck { target, probe_number },
            Message::ForwardedAck { origin, probe_number },
            Message::Announce,
            Message::Feed,
            Message::Gossip,
            Message::Broadcast,
            Message::TurnUndead,
        ] {
            let mut bytes = Vec::new();
            Codec.encode_header(&header(message.clone()), &mut bytes).expect("room");
            let read = Codec.decode_header(&bytes[..]).expect("it is whole");
            assert_eq!(read, header(message));
            assert_eq!(read.src.address.as_deref(), Some("h:1"));
        }
    }

    #[test]
    fn what_a_later_build_says_beside_is_skipped_and_what_it_says_anew_is_passed_over() {
        let mut bytes = Vec::new();
        write(&member(2), &mut bytes);
        (bytes[1], bytes[3]) = (bytes[1] + 5, bytes[3] + 1);
        bytes.extend(b"\xa3new\xc3");
        assert_eq!(read(&mut &bytes[..]), Ok(member(2)));

        let mut datagram = Vec::new();
        Codec.encode_header(&header(Message::Announce), &mut datagram).expect("room");
        datagram[1] = 99;
        assert_eq!(Codec.decode_header(&datagram[..]), Err(CodecError::Kind(99)));
        datagram[0] = 2;
        assert_eq!(Codec.decode_header(&datagram[..]), Err(CodecError::Version(2)));
    }

    #[test]
    fn bytes_that_are_no_datagram_are_refused_without_a_panic() {
        let mut whole = Vec::new();
        Codec.encode_header(&header(Message::Ping(9)), &mut whole).expect("room");
        for length in 0..whole.len() {
            assert!(Codec.decode_header(&whole[..length]).is_err(), "cut to {length}");
        }
        for (place, bits) in (0..whole.len()).flat_map(|place| (0..=255).map(move |bits| (place, bits))) {
            let mut spoilt = whole.clone();
            spoilt[place] ^= bits;
            let _ = Codec.decode_header(&spoilt[..]);
        }
    }

    #[test]
    fn what_does_not_fit_leaves_the_datagram_as_it_was() {
        let mut bytes = Vec::new();
        let outcome = Codec.encode_member(&foca::Member::alive(member(1)), (&mut bytes).limit(20));
        assert_eq!((outcome, bytes), (Err(CodecError::Full), Vec::new()));
    }
}
