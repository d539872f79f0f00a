//! What replicas say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Compare;
use crate::crdt::{
    ContentId, Dot, Key, Origin, ProfileId, Region, Register, Slot, Stamp, Timestamp, TitleId, VersionVector,
    WallTime,
};

/// One message between two replicas.
///
/// ```text
/// kind  message
///    1  Status      what I hold, so that others see what they lack
///    2  Subscribe   feed me these origins from here on
///    3  Part        a stretch of one origin's writes, whole or in part
///    4  Ack         what has been merged and what would survive a power cut here
///    5  Compare     what the registers themselves come to
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// See [`Status`].
    Status(Status),
    /// See [`Subscribe`].
    Subscribe(Subscribe),
    /// See [`Part`].
    Part(Part),
    /// See [`Ack`].
    Ack(Ack),
    /// See [`Compare`].
    Compare(Compare),
}

/// What a replica holds; sent when a peer comes up and every [`STATUS_INTERVAL`](super::plan::STATUS_INTERVAL).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The sender's present life.
    #[serde(rename = "1")]
    pub origin: Origin,
    /// The sender's committed vector.
    #[serde(rename = "2")]
    pub vector: VersionVector,
    /// The sender's system time: what nodes tell a wrong clock by. No register depends on it.
    #[serde(rename = "3")]
    pub wall: WallTime,
    /// Whether the sender has not caught up itself. Builds that do not know the field always answer, and so
    /// count as caught up.
    #[serde(rename = "4", default, skip_serializing_if = "is_false")]
    pub catching_up: bool,
    /// The lives of other regions that the sender has a link with, and where they stand: for its own region, where one
    /// member takes the writes of another region for all. Builds that do not know the field do so for themselves alone.
    #[serde(rename = "5", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub across: BTreeMap<Origin, Region>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Asks a peer for the writes of some origins after given positions, and for all that follow.
///
/// It replaces every earlier subscription of its sender.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subscribe {
    /// Names the subscription; rises with each one of a sender.
    #[serde(rename = "1")]
    pub subscription: u64,
    /// Which origins, each from the subscriber's vector on.
    #[serde(rename = "2")]
    pub after: BTreeMap<Origin, Timestamp>,
    /// The last position that this same feeder answered on this link in a span that it did not end, and
    /// that was merged: it need not be answered again. Worth nothing at any other feeder.
    #[serde(rename = "3", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answered: BTreeMap<Origin, Timestamp>,
}

/// One piece of what a subscription asked for, at most [`PART_BYTES_MAX`](super::PART_BYTES_MAX) of registers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Which subscription.
    #[serde(rename = "1")]
    pub subscription: u64,
    /// Counts the subscription's parts from zero, so that a lost one is seen.
    #[serde(rename = "2")]
    pub number: u64,
    /// What it carries.
    #[serde(rename = "3")]
    pub delta: Delta,
}

/// A stretch of one origin's writes and what stands in their places.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Delta {
    /// Whose writes.
    #[serde(rename = "1")]
    pub origin: Origin,
    /// Where the span begins that this stretch belongs to.
    #[serde(rename = "2")]
    pub after: Timestamp,
    /// Where the span ends, on its last part only: then, and only then, the vector may move there.
    #[serde(rename = "3")]
    pub upto: Option<Timestamp>,
    /// The answers, in the order of positions.
    #[serde(rename = "4", with = "packed")]
    pub items: Vec<Item>,
}

/// The answer to one entry of the change index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// The position in the delta's origin that it answers for; to be logged by the receiver in any case.
    pub position: Timestamp,
    /// The place that was written at that position.
    pub key: Key,
    /// What stands there: the register, or, where it was pruned, those that the title kept. Empty where
    /// an earlier item of the same subscription has already told what the title kept.
    pub stands: Vec<(Slot, Register)>,
}

/// Tells a feeder what has been committed, and what would survive a power cut.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ack {
    /// Which subscription.
    #[serde(rename = "1")]
    pub subscription: u64,
    /// How many of its parts have been committed.
    #[serde(rename = "2")]
    pub parts: u64,
    /// The subscriber's vector as of its last sync: of the receiver's life and of what it is to feed, and now and then all.
    #[serde(rename = "3")]
    pub synced: VersionVector,
}

mod packed {
    //! Items without names: there are hundreds in a part, and their shape belongs to the wire version.
    //!
    //! ```text
    //! item     = [position, profile, content, slot kind, slot id, [standing…]]
    //! standing = [slot kind, slot id, time, counter, writer, origin, version, value, check]
    //! ```

    use serde::{Deserialize, Deserializer, Serializer, ser::SerializeSeq};
    use serde_bytes::{ByteArray, ByteBuf, Bytes};

    use super::{
        ContentId, Dot, Item, Key, Origin, ProfileId, Register, Slot, Stamp, Timestamp, TitleId, WallTime,
    };

    type Id = ByteArray<16>;
    type Standing<Value> = (u8, Id, WallTime, u32, Id, Origin, Timestamp, Value, u64);
    type Packed<Text, Value> = (Timestamp, Text, Text, u8, Id, Vec<Standing<Value>>);

    pub(super) fn serialize<S: Serializer>(items: &[Item], to: S) -> Result<S::Ok, S::Error> {
        let mut seq = to.serialize_seq(Some(items.len()))?;
        for item in items {
            let Key { title, slot } = &item.key;
            let stands = item.stands.iter().map(pack).collect::<Vec<_>>();
            let (profile, content) = (title.profile.as_str(), title.content.as_str());
            let packed: Packed<_, _> = (item.position, profile, content, slot.kind, Id::new(slot.id), stands);
            seq.serialize_element(&packed)?;
        }
        seq.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Item>, D::Error> {
        let packed = Vec::<Packed<String, ByteBuf>>::deserialize(from)?;
        packed.into_iter().map(unpack_item).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
    }

    fn pack((slot, register): &(Slot, Register)) -> Standing<&Bytes> {
        let Stamp { time, counter, writer } = register.stamp;
        let Dot { origin, version } = register.dot;
        let value = Bytes::new(&register.value);
        (slot.kind, Id::new(slot.id), time, counter, Id::new(writer), origin, version, value, register.check)
    }

    fn unpack_item(packed: Packed<String, ByteBuf>) -> Result<Item, crate::crdt::IdError> {
        let (position, profile, content, kind, id, stands) = packed;
        let title = TitleId { profile: ProfileId::try_from(profile)?, content: ContentId::of_key(&content)? };
        let key = title.key(Slot { kind, id: id.into_array() });
        Ok(Item { position, key, stands: stands.into_iter().map(unpack).collect() })
    }

    fn unpack(packed: Standing<ByteBuf>) -> (Slot, Register) {
        let (kind, id, time, counter, writer, origin, version, value, check) = packed;
        let stamp = Stamp { time, counter, writer: writer.into_array() };
        let value = value.into_vec().into();
        (Slot { kind, id: id.into_array() }, Register { stamp, dot: Dot { origin, version }, value, check })
    }
}
