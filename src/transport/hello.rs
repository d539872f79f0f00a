//! The first words on a connection, and what must be true before any others are heard.
//!
//! The words stand on the first stream that each side opens. The hello is their first frame; the frames
//! after it are notes between the two transports.

use std::{collections::BTreeMap, iter::once};

use quinn::SendStream;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{
    crdt::{Origin, Region, ReplicaId, Timestamp, decode, encode},
    transport::{
        NodeName, WireVersions,
        connection::Connection,
        end::{LinkEnd, PeerMisbehaved, Refusal},
        frame::{self, FrameReader},
        is_address, tls,
    },
};

/// The longest hello or note, in bytes: three labels, two ids and room for what later versions add.
pub const HELLO_BYTES_MAX: usize = 1_024;

/// The format of hellos and notes. It must be readable by every build, so it grows by extensions alone.
const HELLO_VERSION: u8 = 1;

/// Who a peer says it is, proven by its certificate as far as its name goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerHello {
    /// Its replica.
    pub replica: ReplicaId,
    /// The replica's present life.
    pub origin: Origin,
    /// Its name, which its certificate carries.
    pub name: NodeName,
    /// The versions of the replicas' messages that its build reads and writes.
    pub wire: WireVersions,
    /// When its present life began, by the replica's hybrid clock: of two lives of one replica the later one
    /// counts. Zero where its build does not say.
    pub life: Timestamp,
    /// `host:port` at which it says that others reach it.
    pub address: Option<String>,
}

/// The extensions of a hello, by their numbers.
mod extension {
    /// The beginning of the life: eight bytes, big-endian.
    pub(super) const LIFE: u8 = 1;
    /// The address, as text.
    pub(super) const ADDRESS: u8 = 2;
}

/// A hello's bytes. Fields of later builds come as numbered extensions, and unknown ones are skipped.
#[derive(Serialize, Deserialize)]
struct HelloBody {
    cluster: String,
    region: Region,
    name: String,
    replica: ReplicaId,
    origin: Origin,
    wire_min: u16,
    wire_max: u16,
    extensions: BTreeMap<u8, ByteBuf>,
}

impl PeerHello {
    pub(super) fn encode(&self) -> Vec<u8> {
        let body = HelloBody {
            cluster: self.name.cluster().to_owned(),
            region: self.name.region().clone(),
            name: self.name.name().to_owned(),
            replica: self.replica,
            origin: self.origin,
            wire_min: self.wire.min,
            wire_max: self.wire.max,
            extensions: self.extensions(),
        };
        encode(HELLO_VERSION, &body)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, PeerMisbehaved> {
        let bad = |why: String| PeerMisbehaved::BadHello(why);
        let body: HelloBody = decode(HELLO_VERSION, bytes).map_err(|why| bad(why.to_string()))?;
        let name =
            NodeName::new(&body.name, body.region, &body.cluster).map_err(|why| bad(why.to_string()))?;
        let wire = WireVersions { min: body.wire_min, max: body.wire_max };
        let life = match body.extensions.get(&extension::LIFE) {
            None => Timestamp::ZERO,
            Some(bytes) => {
                let bytes = <[u8; 8]>::try_from(bytes.as_slice())
                    .map_err(|_| bad("a life has eight bytes".into()))?;
                Timestamp::from_u64(u64::from_be_bytes(bytes))
            }
        };
        let address =
            body.extensions.get(&extension::ADDRESS).map(|bytes| address(bytes)).transpose().map_err(bad)?;
        Ok(Self { replica: body.replica, origin: body.origin, name, wire, life, address })
    }

    fn extensions(&self) -> BTreeMap<u8, ByteBuf> {
        let life = self.life.as_u64().to_be_bytes().to_vec();
        let address = self.address.as_ref().map(|it| (extension::ADDRESS, ByteBuf::from(it.as_bytes())));
        address.into_iter().chain([(extension::LIFE, ByteBuf::from(life))]).collect()
    }

    /// Holds the hello of a peer whose name is proven against this node's own.
    pub(super) fn check(&self, theirs: &Self) -> Result<(), Refusal> {
        if theirs.name.cluster() != self.name.cluster() {
            let (ours, theirs) = (self.name.cluster().to_owned(), theirs.name.cluster().to_owned());
            return Err(Refusal::Cluster { ours, theirs });
        }
        if theirs.replica == self.replica {
            return Err(Refusal::SameReplica);
        }
        match self.wire.common(theirs.wire) {
            Some(_) => Ok(()),
            None => Err(Refusal::Wire { ours: self.wire, theirs: theirs.wire }),
        }
    }
}

/// An address as a peer says it; nothing is believed of it but its form.
fn address(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| is_address(text));
    text.map(str::to_owned).ok_or_else(|| "an address is host:port".to_owned())
}

/// What the transports say to each other after the hello; a note is its number behind the version byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Note {
    /// By the lesser replica alone: of all connections between the two, this one carries the frames.
    Stand,
    /// Asks for a sign of life.
    Ping,
    /// Gives it.
    Pong,
    /// A later build's; skipped.
    Unknown,
}

impl Note {
    fn number(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Stand => 1,
            Self::Ping => 2,
            Self::Pong => 3,
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        encode(HELLO_VERSION, &self.number())
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, PeerMisbehaved> {
        let number: u8 =
            decode(HELLO_VERSION, bytes).map_err(|why| PeerMisbehaved::BadNote(why.to_string()))?;
        let known = [Self::Stand, Self::Ping, Self::Pong].into_iter().find(|note| note.number() == number);
        Ok(known.unwrap_or(Self::Unknown))
    }
}

/// The first stream of each direction, which carries the hellos and then the notes.
pub(super) struct Words {
    pub(super) send: SendStream,
    pub(super) receive: FrameReader,
}

impl Words {
    /// Opens this side's stream with its hello, and reads the peer's.
    pub(super) async fn exchange(
        connection: &Connection,
        ours: &PeerHello,
    ) -> Result<(Self, PeerHello), LinkEnd> {
        let lost = |error: quinn::ConnectionError| LinkEnd::Lost(error.to_string());
        let mut send = connection.quic.open_uni().await.map_err(lost)?;
        // Words are few, small and wanted at once: nothing goes before them.
        let _ = send.set_priority(i32::MAX);
        frame::write(&mut send, once(ours.encode().into())).await?;
        let mut receive =
            FrameReader::new(connection.quic.accept_uni().await.map_err(lost)?, HELLO_BYTES_MAX);
        let theirs = PeerHello::decode(&receive.next().await?).map_err(LinkEnd::Misbehaved)?;
        Ok((Self { send, receive }, theirs))
    }

    pub(super) async fn say(&mut self, note: Note) -> Result<(), LinkEnd> {
        frame::write(&mut self.send, once(note.encode().into())).await
    }

    pub(super) async fn hear(&mut self) -> Result<Note, LinkEnd> {
        Note::decode(&self.receive.next().await?).map_err(LinkEnd::Misbehaved)
    }
}

/// Proves a hello's name: it is the dialled one if this side dialled, and the certificate carries it.
pub(super) fn prove(
    connection: &Connection,
    hello: &PeerHello,
    dialled: Option<&NodeName>,
) -> Result<(), Refusal> {
    let refused = |proven: String| Refusal::Name { claimed: hello.name.clone(), proven };
    if let Some(dialled) = dialled.filter(|&dialled| *dialled != hello.name) {
        return Err(refused(format!("the dialled {dialled}")));
    }
    let chain = connection.quic.peer_identity().and_then(|it| it.downcast::<Vec<CertificateDer<'_>>>().ok());
    let leaf = chain.as_ref().and_then(|chain| chain.first());
    if leaf.is_some_and(|leaf| tls::carries(leaf, &hello.name)) {
        Ok(())
    } else {
        Err(refused("a name in its certificate".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> PeerHello {
        PeerHello {
            replica: ReplicaId::from_random(1),
            origin: Origin::from_random(2),
            name: NodeName::new("eu-1", "eu".parse().expect("a region"), "demo").expect("a name"),
            wire: WireVersions { min: 1, max: 2 },
            life: Timestamp::from_u64(258),
            address: Some("h:1".to_owned()),
        }
    }

    #[test]
    fn the_bytes_of_a_hello_are_these() {
        let golden = b"\x01\x98\xa4demo\xa2eu\xa4eu-1\
            \xc4\x10\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x01\
            \xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\
            \x01\x02\x82\x01\xc4\x08\0\0\0\0\0\0\x01\x02\x02\xc4\x03h:1";
        assert_eq!(hello().encode(), golden);
        assert_eq!(PeerHello::decode(golden), Ok(hello()));
    }

    #[test]
    fn extensions_of_later_builds_are_skipped() {
        let bare = PeerHello { life: Timestamp::ZERO, address: None, ..hello() };
        let whole = hello().encode();
        let mut bytes = whole[..whole.len() - 17].to_vec();
        assert_eq!(bytes.pop(), Some(0x82), "two extensions");
        bytes.extend(b"\x82\x07\xc4\x03new\x09\xc4\x00");
        assert_eq!(PeerHello::decode(&bytes), Ok(bare), "an older build says neither life nor address");
    }

    #[test]
    fn bytes_that_are_no_hello_are_refused_without_a_panic() {
        let whole = hello().encode();
        for length in 0..whole.len() {
            assert!(PeerHello::decode(&whole[..length]).is_err(), "cut to {length}");
        }
        for (place, bits) in (0..whole.len()).flat_map(|place| (0..=255).map(move |bits| (place, bits))) {
            let mut spoilt = whole.clone();
            spoilt[place] ^= bits;
            let _ = PeerHello::decode(&spoilt);
        }
    }

    #[test]
    fn the_bytes_of_notes_are_these_and_unknown_ones_are_skipped() {
        for (note, bytes) in [(Note::Stand, [1, 1]), (Note::Ping, [1, 2]), (Note::Pong, [1, 3])] {
            assert_eq!(note.encode(), bytes);
            assert_eq!(Note::decode(&bytes), Ok(note));
        }
        assert_eq!(Note::decode(&[1, 99]), Ok(Note::Unknown));
        assert!(Note::decode(&[]).is_err());
        assert!(Note::decode(&[2, 1]).is_err());
    }

    #[test]
    fn a_hello_is_held_against_cluster_replica_and_wire_versions() {
        let ours = hello();
        let peer = |change: fn(&mut PeerHello)| {
            let mut theirs = PeerHello { replica: ReplicaId::from_random(3), ..hello() };
            change(&mut theirs);
            ours.check(&theirs).map_err(|refusal| LinkEnd::Refused(refusal).code())
        };
        assert_eq!(peer(|_| ()), Ok(()));
        let other = |hello: &mut PeerHello| {
            hello.name = NodeName::new("eu-1", hello.name.region().clone(), "other").expect("a name");
        };
        assert_eq!(peer(other), Err(17));
        assert_eq!(peer(|hello| hello.wire = WireVersions { min: 3, max: 4 }), Err(18));
        assert_eq!(peer(|hello| hello.replica = ReplicaId::from_random(1)), Err(20));
    }
}
