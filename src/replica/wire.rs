//! Messages as bytes.
//!
//! ```text
//! ┌─────────┬──────┬──────────┬───────────────────────────────────────────┐
//! │ version │ kind │ encoding │ body                                      │
//! └─────────┴──────┴──────────┴───────────────────────────────────────────┘
//!                     0 MessagePack    1 length (u32, little endian), then LZ4 block of MessagePack
//! ```
//!
//! Structures are maps with one-digit keys, so that a field which this build does not know is skipped; a
//! kind which it does not know is skipped whole. Decoding never panics and never allocates beyond
//! [`FRAME_BYTES_MAX`] and a small multiple of the frame.

use serde::{Serialize, de::DeserializeOwned};

use super::Message;
use crate::crdt::DecodeError;

/// The version that this build writes; it reads this one only.
pub const WIRE_VERSION: u8 = 1;

/// The greatest frame, before and after compression.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Below this a frame is sent as it is: compression gains less than a datagram's header.
const COMPRESS_ABOVE_BYTES: usize = 512;

/// The second byte of a frame that carries a part; all others are short and should go before it.
pub const PART_KIND: u8 = 3;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// Encodes a message as a frame.
pub fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Status(body) => frame(1, body),
        Message::Subscribe(body) => frame(2, body),
        Message::Part(body) => frame(PART_KIND, body),
        Message::Ack(body) => frame(4, body),
        Message::Compare(body) => frame(5, body),
    }
}

/// Decodes a frame; `None` is a kind that a later version may have added, to be skipped.
///
/// # Errors
/// Another wire version, a frame beyond [`FRAME_BYTES_MAX`] and bytes that are no message.
pub fn decode(frame: &[u8]) -> Result<Option<Message>, DecodeError> {
    if frame.len() > FRAME_BYTES_MAX {
        return Err(DecodeError::LeftOver { bytes: frame.len() - FRAME_BYTES_MAX });
    }
    let &[version, kind, encoding, ref body @ ..] = frame else {
        return Err(DecodeError::Empty);
    };
    if version != WIRE_VERSION {
        return Err(DecodeError::Version { found: version, known: WIRE_VERSION });
    }
    Ok(Some(match kind {
        1 => Message::Status(unpack(encoding, body)?),
        2 => Message::Subscribe(unpack(encoding, body)?),
        PART_KIND => Message::Part(unpack(encoding, body)?),
        4 => Message::Ack(unpack(encoding, body)?),
        5 => Message::Compare(unpack(encoding, body)?),
        _ => return Ok(None),
    }))
}

fn frame<T: Serialize>(kind: u8, body: &T) -> Vec<u8> {
    let mut frame = vec![WIRE_VERSION, kind, PLAIN];
    let mut named = rmp_serde::Serializer::new(&mut frame).with_struct_map();
    body.serialize(&mut named).expect("a vector takes every byte it is given");
    if frame.len() > COMPRESS_ABOVE_BYTES {
        let packed = lz4_flex::block::compress_prepend_size(&frame[3..]);
        if packed.len() + 3 < frame.len() {
            frame.truncate(2);
            frame.push(LZ4);
            frame.extend_from_slice(&packed);
        }
    }
    frame
}

fn unpack<T: DeserializeOwned>(encoding: u8, body: &[u8]) -> Result<T, DecodeError> {
    match encoding {
        PLAIN => parse(body),
        LZ4 => parse(&inflate(body)?),
        _ => Err(DecodeError::Body(format!("encoding {encoding} is unknown"))),
    }
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let (length, packed) =
        lz4_flex::block::uncompressed_size(body).map_err(|why| DecodeError::Body(why.to_string()))?;
    if length > FRAME_BYTES_MAX {
        return Err(DecodeError::LeftOver { bytes: length - FRAME_BYTES_MAX });
    }
    lz4_flex::block::decompress(packed, length).map_err(|why| DecodeError::Body(why.to_string()))
}

fn parse<T: DeserializeOwned>(mut body: &[u8]) -> Result<T, DecodeError> {
    let value = rmp_serde::decode::from_read(&mut body).map_err(|why| DecodeError::Body(why.to_string()))?;
    if body.is_empty() { Ok(value) } else { Err(DecodeError::LeftOver { bytes: body.len() }) }
}
