//! How connections end: whose doing it was, and how each side tells the other.

use std::time::Duration;

use quinn::ConnectionError;

use crate::transport::{FRAME_BYTES_MAX, NodeName, WireVersions};

/// The longest reason that is sent or believed, in bytes: a line on a terminal, twice.
pub const REASON_BYTES_MAX: usize = 200;

/// Says why a connection ended; the text is made for a node's status and log.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LinkEnd {
    /// This node leaves.
    #[error("this node leaves: {0}")]
    Leaving(String),
    /// The owner of the link closed it, for a reason beyond this layer.
    #[error("closed by this node: {0}")]
    Dismissed(String),
    /// The peer did not answer in time: it has died, or the path is cut in at least one direction.
    #[error("no answer for {0:?}")]
    Silent(Duration),
    /// A later connection with the same peer took its place, because the peer had lost this one.
    #[error("the peer came back on another connection")]
    Replaced,
    /// This node turned the peer away.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Misbehaved(PeerMisbehaved),
    /// The peer leaves; it comes back when it comes back.
    #[error("the peer left: {0}")]
    PeerLeft(String),
    /// The peer closed the connection with one of the codes of [`LinkEnd::code`].
    #[error("closed by the peer (code {code}): {reason}")]
    PeerClosed {
        /// The code.
        code: u32,
        /// Its reason, as it words it.
        reason: String,
    },
    /// The handshake failed on either side, or QUIC gave up.
    #[error("{0}")]
    Lost(String),
}

/// Says why a hello was turned away; the two nodes' configurations do not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The other side of the same pair holds the connection that stays.
    #[error("another connection with this peer stands")]
    Duplicate,
    /// A node of another replica set.
    #[error("cluster \"{theirs}\" is not \"{ours}\"")]
    Cluster {
        /// As this node is configured.
        ours: String,
        /// As the peer says.
        theirs: String,
    },
    /// No common version.
    #[error("wire versions {}-{} and {}-{} have none in common", ours.min, ours.max, theirs.min, theirs.max)]
    Wire {
        /// Of this build.
        ours: WireVersions,
        /// Of the peer's.
        theirs: WireVersions,
    },
    /// The hello and the certificate, or the hello and the dialled name, disagree.
    #[error("the peer calls itself {claimed}, which is not {proven}")]
    Name {
        /// By the hello.
        claimed: NodeName,
        /// What the peer was to be: the dialled name, or a name in its certificate.
        proven: String,
    },
    /// A node that dialled itself, or two nodes with one data directory.
    #[error("both ends are one replica: a node that dialled itself, or a copied data directory")]
    SameReplica,
    /// Another replica has a link under the same name, or the same replica under another name.
    #[error(
        "{0} has a link already: two nodes with one name or one data directory, or a fresh start that must wait for the old link to end"
    )]
    Taken(String),
    /// A later life of the replica has a link.
    #[error(
        "a later life of this replica is linked already: stop one of two nodes that run on copies of one data directory"
    )]
    Superseded,
    /// As many links as this node takes.
    #[error("this node has {0} links and takes no more")]
    Full(usize),
    /// No hello in time.
    #[error("no hello within {0:?}")]
    Late(Duration),
}

/// Says how a peer broke the protocol; a fault in its build, and its link is closed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerMisbehaved {
    /// More than a frame may have.
    #[error("a frame of {bytes} bytes, beyond {max}", max = FRAME_BYTES_MAX)]
    FrameTooLarge {
        /// By its length prefix.
        bytes: u32,
    },
    /// A hello beyond its bound or undecodable.
    #[error("a hello that is none: {0}")]
    BadHello(String),
    /// Undecodable words between the two transports.
    #[error("a note that is none: {0}")]
    BadNote(String),
    /// A stream that lives as long as its link was ended or reset.
    #[error("it ended a stream")]
    StreamEnded,
}

impl LinkEnd {
    /// The application close code of QUIC (RFC 9000, 19.19) by which the other side learns of it.
    ///
    /// Numbers are never reused. What a side learns, rather than decides, has no code of its own.
    pub fn code(&self) -> u32 {
        match self {
            Self::PeerLeft(_) | Self::PeerClosed { .. } | Self::Lost(_) => 0,
            Self::Leaving(_) => Self::CODE_LEAVING,
            Self::Dismissed(_) => 2,
            Self::Silent(_) => 3,
            Self::Replaced => 4,
            Self::Refused(Refusal::Duplicate) => Self::CODE_DUPLICATE,
            Self::Refused(Refusal::Cluster { .. }) => 17,
            Self::Refused(Refusal::Wire { .. }) => 18,
            Self::Refused(Refusal::Name { .. }) => 19,
            Self::Refused(Refusal::SameReplica) => 20,
            Self::Refused(Refusal::Taken(_)) => 21,
            Self::Refused(Refusal::Full(_)) => 22,
            Self::Refused(Refusal::Late(_)) => 23,
            Self::Refused(Refusal::Superseded) => 24,
            Self::Misbehaved(PeerMisbehaved::FrameTooLarge { .. }) => 32,
            Self::Misbehaved(PeerMisbehaved::BadHello(_)) => 33,
            Self::Misbehaved(PeerMisbehaved::BadNote(_)) => 34,
            Self::Misbehaved(PeerMisbehaved::StreamEnded) => 35,
        }
    }

    const CODE_LEAVING: u32 = 1;
    const CODE_DUPLICATE: u32 = 16;

    /// Says whether it is part of the ordinary course: no fault to be shown to an operator.
    pub(super) fn is_ordinary(&self) -> bool {
        matches!(
            self,
            Self::Refused(Refusal::Duplicate) | Self::PeerClosed { code: Self::CODE_DUPLICATE, .. }
        )
    }

    /// The reason that goes with the code: what the other side cannot know.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Leaving(reason) | Self::Dismissed(reason) => reason.clone(),
            Self::Refused(refusal) => refusal.to_string(),
            Self::Misbehaved(how) => how.to_string(),
            Self::Silent(_)
            | Self::Replaced
            | Self::PeerLeft(_)
            | Self::PeerClosed { .. }
            | Self::Lost(_) => self.to_string(),
        }
    }

    /// Reads how a connection ended that this side did not close.
    pub(super) fn from_quic(error: &ConnectionError, patience: Duration) -> Self {
        match error {
            ConnectionError::ApplicationClosed(close) => {
                let reason = printable(&close.reason);
                match u32::try_from(close.error_code.into_inner()) {
                    Ok(Self::CODE_LEAVING) => Self::PeerLeft(reason),
                    code => Self::PeerClosed { code: code.unwrap_or(u32::MAX), reason },
                }
            }
            ConnectionError::ConnectionClosed(close) => {
                let alert = tls_alert(u64::from(close.error_code));
                Self::Lost(match alert {
                    Some(alert) => format!("the peer refused the handshake: {alert}"),
                    None => printable(format!("aborted by the peer: {close}").as_bytes()),
                })
            }
            ConnectionError::TransportError(error) if tls_alert(u64::from(error.code)).is_some() => {
                Self::Lost(printable(format!("refused the handshake: {}", error.reason).as_bytes()))
            }
            ConnectionError::TimedOut => Self::Silent(patience),
            ConnectionError::TransportError(_)
            | ConnectionError::VersionMismatch
            | ConnectionError::Reset
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => Self::Lost(error.to_string()),
        }
    }
}

/// Words for the TLS alerts (RFC 8446, 6) that certificates and names bring about.
fn tls_alert(code: u64) -> Option<String> {
    // QUIC carries alert N as the error 0x100 + N (RFC 9001, 4.8).
    let alert = code.checked_sub(0x100).filter(|&alert| alert <= 0xff)?;
    let words = match alert {
        42 => "the certificate is bad, for instance made for another name",
        45 => "the certificate has expired or is not valid yet",
        46 => "the certificate is not acceptable",
        48 => "the certificate is signed by an unknown authority",
        51 => "the certificate's signature is wrong",
        116 => "a certificate is required",
        120 => "no common protocol",
        _ => "TLS failed",
    };
    Some(format!("{words} (alert {alert})"))
}

/// Makes a peer's words safe to show: at most [`REASON_BYTES_MAX`] bytes of one line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(REASON_BYTES_MAX)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_are_cut_and_lose_their_control_characters() {
        assert_eq!(printable(b"a\nb\x1b[31m\xff"), "a b [31m\u{fffd}");
        assert_eq!(printable(&[b'x'; 1_000]).len(), REASON_BYTES_MAX);
    }

    #[test]
    fn alerts_have_words_and_other_errors_none() {
        assert!(tls_alert(0x130).expect("alert 48").contains("unknown authority"));
        assert!(tls_alert(0x100 + 40).expect("alert 40").contains("alert 40"));
        assert_eq!(tls_alert(0xff), None);
        assert_eq!(tls_alert(0x200), None);
    }
}
