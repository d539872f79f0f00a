//! Frames on a stream: opaque bytes behind their length.
//!
//! ```text
//! ┌────────────────────┬───────────────┐
//! │ length, big-endian │ that many     │
//! │ u32                │ bytes         │
//! └────────────────────┴───────────────┘
//! ```

use bytes::{Buf, Bytes, BytesMut};
use quinn::{ReadError, RecvStream, SendStream, WriteError};

use crate::transport::end::{LinkEnd, PeerMisbehaved};

/// The longest frame, in bytes: a few dozen registers, so that what is urgent never waits behind more than
/// one of them, and so that a reader's memory is known.
pub const FRAME_BYTES_MAX: usize = 64 * 1_024;

const PREFIX_BYTES: usize = size_of::<u32>();

/// Reads frames from a stream; at most two frames' bytes are held at a time.
pub(super) struct FrameReader {
    stream: RecvStream,
    buffer: BytesMut,
    limit: usize,
}

impl FrameReader {
    /// Reads frames of at most `limit` bytes.
    pub(super) fn new(stream: RecvStream, limit: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), limit }
    }

    /// The next frame; a call that is dropped halfway loses nothing.
    pub(super) async fn next(&mut self) -> Result<Bytes, LinkEnd> {
        loop {
            if let Some(frame) = take(&mut self.buffer, self.limit)? {
                return Ok(frame);
            }
            match self.stream.read_chunk(FRAME_BYTES_MAX, true).await {
                Ok(Some(chunk)) => self.buffer.extend_from_slice(&chunk.bytes),
                Ok(None) | Err(ReadError::Reset(_)) => {
                    return Err(LinkEnd::Misbehaved(PeerMisbehaved::StreamEnded));
                }
                Err(error) => return Err(LinkEnd::Lost(error.to_string())),
            }
        }
    }
}

/// Takes the first frame out of `buffer` if it is whole, and refuses a length beyond `limit` at once.
fn take(buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, LinkEnd> {
    let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let bytes = u32::from_be_bytes(*prefix);
    let length = usize::try_from(bytes).unwrap_or(usize::MAX);
    if length > limit {
        return Err(LinkEnd::Misbehaved(PeerMisbehaved::FrameTooLarge { bytes }));
    }
    if buffer.len() - PREFIX_BYTES < length {
        return Ok(None);
    }
    buffer.advance(PREFIX_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

/// Writes frames of at most [`FRAME_BYTES_MAX`] bytes, in order.
pub(super) async fn write(
    stream: &mut SendStream,
    frames: impl Iterator<Item = Bytes>,
) -> Result<(), LinkEnd> {
    let mut chunks: Vec<Bytes> = frames.flat_map(|frame| [prefix(&frame), frame]).collect();
    stream.write_all_chunks(&mut chunks).await.map_err(|error| match error {
        WriteError::Stopped(_) => LinkEnd::Misbehaved(PeerMisbehaved::StreamEnded),
        WriteError::ConnectionLost(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => {
            LinkEnd::Lost(error.to_string())
        }
    })
}

fn prefix(frame: &Bytes) -> Bytes {
    let length = u32::try_from(frame.len()).expect("a frame is far below four gibibytes");
    Bytes::copy_from_slice(&length.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_arrive() {
        let frames: [&[u8]; 3] = [b"one", b"", b"three"];
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|frame| {
                let frame = Bytes::copy_from_slice(frame);
                [prefix(&frame), frame].concat()
            })
            .collect();
        for step in 1..=bytes.len() {
            let (mut buffer, mut out) = (BytesMut::new(), Vec::new());
            for part in bytes.chunks(step) {
                buffer.extend_from_slice(part);
                while let Some(frame) = take(&mut buffer, 5).expect("no frame is too large") {
                    out.push(frame);
                }
            }
            assert_eq!(out, frames, "in steps of {step}");
            assert!(buffer.is_empty());
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let mut buffer = BytesMut::from(&[0, 0, 0, 6][..]);
        let refused = take(&mut buffer, 5).expect_err("six is beyond five");
        assert_eq!(refused, LinkEnd::Misbehaved(PeerMisbehaved::FrameTooLarge { bytes: 6 }));
    }
}
