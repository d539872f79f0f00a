//! What two replicas say to each other about what they hold, beside what their vectors claim.

use serde::{Deserialize, Serialize};

use super::{Shards, Sum};
use crate::crdt::{Key, Stamp, VersionVector};

/// A step of a comparison; `round` names the comparison, and belongs to who began it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Compare {
    /// Which comparison.
    #[serde(rename = "1")]
    pub round: u64,
    /// Whether its sender began it.
    #[serde(rename = "2")]
    pub began: bool,
    /// What is said.
    #[serde(rename = "3")]
    pub step: Step,
}

/// What is said in a comparison.
///
/// ```text
///    began it                                     answers
///    Begin { vector's hash, total } ────────────▶ Equal, or
///    Begin { …, vector }            ◀──────────── Vector            (once more, with the vector)
///                                   ◀──────────── Touched { vector, shards written since the other's }
///    Total { shards, total }        ────────────▶ Equal, or
///    Shards { for each of a group } ◀──────────── Groups { a sum for each }
///                                   ────────────▶
///    Items { of leaves }            ◀──────────── Leaves { a sum for each }
///                                   ────────────▶ enters again what it is ahead in, and
///    enters again                   ◀──────────── Wanted { keys }
/// ```
///
/// Either side ends it with `Busy` where what is asked about has been written since.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Compare with me.
    #[serde(rename = "1")]
    Begin {
        /// A hash of my vector.
        #[serde(rename = "1")]
        hash: u64,
        /// All that I hold, where nothing of it came early.
        #[serde(rename = "2")]
        total: Option<Sum>,
        /// My vector, where I take it for another than yours.
        #[serde(rename = "3")]
        vector: Option<VersionVector>,
    },
    /// Nothing differs.
    #[serde(rename = "2")]
    Equal,
    /// Begin again, with your vector.
    #[serde(rename = "3")]
    Vector,
    /// Leave these out.
    #[serde(rename = "4")]
    Touched {
        /// My vector.
        #[serde(rename = "1")]
        vector: VersionVector,
        /// Where I hold what your vector does not cover.
        #[serde(rename = "2")]
        shards: Shards,
    },
    /// This is what I hold without those.
    #[serde(rename = "5")]
    Total {
        /// Where I hold what your vector does not cover.
        #[serde(rename = "1")]
        shards: Shards,
        /// All the rest.
        #[serde(rename = "2")]
        total: Sum,
    },
    /// We differ: this is what I hold in each group of shards.
    #[serde(rename = "6")]
    Groups(Vec<Sum>),
    /// We differ in these groups: what I hold in each shard of them.
    #[serde(rename = "7")]
    Shards(Vec<(u16, Vec<Sum>)>),
    /// We differ in these shards: what I hold in each leaf of them.
    #[serde(rename = "8")]
    Leaves(Vec<(u16, Vec<Sum>)>),
    /// We differ in these leaves: all that I hold there.
    #[serde(rename = "9")]
    Items(Vec<Leaf>),
    /// You are ahead in these.
    #[serde(rename = "10")]
    Wanted(Vec<Key>),
    /// What you ask about has been written since; another time.
    #[serde(rename = "11")]
    Busy,
}

/// What a replica holds in one leaf.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Leaf {
    /// Of which shard.
    #[serde(rename = "1")]
    pub shard: u16,
    /// Which of its leaves.
    #[serde(rename = "2")]
    pub leaf: u8,
    /// Above which key it is told; above none, from the first.
    #[serde(rename = "3")]
    pub after: Option<Key>,
    /// Up to which key it is told; to the last, without one.
    #[serde(rename = "4")]
    pub upto: Option<Key>,
    /// What stands between the two: its stamp, and the check of the whole.
    #[serde(rename = "5")]
    pub items: Vec<(Key, Stamp, u64)>,
}
