//! How far somebody who follows the changes has been told of them, as a text that any node understands.
//!
//! ```text
//! base64url( format: u8 │ what follows: u8 │ cluster: 4 bytes │ [floor: u64 │ rest: u64]
//!            │ marks, 8 bytes each │ origins: 8 bytes of the id and the version: u64, each )
//! ```
//!
//! It is a vector, in a form that has a bound. Origins are random, so that eight bytes of one tell it from
//! all others. The [`NAMED_MAX`] origins that moved last are named; of the rest, lives that are long over,
//! it keeps the greatest version (the *floor*) and a hash, by which a node finds out whether it holds
//! exactly the same of them. Where it does not, nobody can say what is missing, and whoever follows must
//! read everything anew.
//!
//! *Marks* are hashes of the states that were told last. They claim nothing; a node that meets a state
//! which has one need not tell it again.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::crdt::{Origin, Timestamp, VersionVector};

/// How many origins a cursor names: the lives of a replica set over many restarts. Those that moved last
/// are named; of the others it keeps a hash.
pub const NAMED_MAX: usize = 64;

/// How many marks a cursor has: the titles that one viewer's devices play at once, twice over. The oldest
/// goes, and its state may be told once more after a reconnection.
pub const MARKS_MAX: usize = 8;

/// The longest text: every part at its greatest.
pub const CURSOR_CHARS_MAX: usize = (HEAD_BYTES + 16 + 8 * MARKS_MAX + 16 * NAMED_MAX) * 4 / 3 + 2;

const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 6;
/// In the second byte: a floor and a hash follow. The bits below it count the marks.
const HAS_REST: u8 = 0x80;

const _: () = assert!(MARKS_MAX < HAS_REST as usize);
const _: () = assert!(CURSOR_CHARS_MAX < 1_536, "it travels in a header");

/// Which replica set a cursor is of, so that another's is not taken for one that is merely far ahead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClusterTag([u8; 4]);

/// How far somebody has been told; made and read at any node of a replica set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
    cluster: ClusterTag,
    named: BTreeMap<[u8; 8], Timestamp>,
    rest: Option<Rest>,
    marks: Vec<u64>,
}

/// The origins that are not named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Rest {
    /// The greatest of their versions.
    floor: Timestamp,
    hash: u64,
}

/// Where a node finds a cursor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// All that it covers is held; what is beyond this vector has not been told.
    Covered(VersionVector),
    /// Some of what it covers is not held yet. This vector is the least that both have.
    Ahead(VersionVector),
    /// What it covers cannot be told apart from what it does not.
    Gone,
}

impl ClusterTag {
    /// Makes it from the cluster's name.
    pub fn of(cluster: &str) -> Self {
        let [a, b, c, d, ..] = xxh3_64(cluster.as_bytes()).to_be_bytes();
        Self([a, b, c, d])
    }
}

impl Cursor {
    /// Makes a cursor of somebody who has been told all that a vector covers, and some states beyond it.
    ///
    /// Of more than [`MARKS_MAX`] marks the last are kept.
    pub fn new(cluster: ClusterTag, vector: &VersionVector, marks: impl IntoIterator<Item = u64>) -> Self {
        let mut entries: Vec<_> = vector.iter().map(|(&origin, &version)| (version, origin)).collect();
        entries.sort_unstable_by(|one, other| other.cmp(one));
        let rest = entries.split_off(entries.len().min(NAMED_MAX));
        let rest = rest.first().map(|&(floor, _)| Rest { floor, hash: hash(rest.clone()) });
        let named = entries.into_iter().map(|(version, origin)| (short(origin), version)).collect();
        let mut marks: Vec<_> = marks.into_iter().collect();
        marks.drain(..marks.len().saturating_sub(MARKS_MAX));
        Self { cluster, named, rest, marks }
    }

    /// The states that were told last.
    pub fn marks(&self) -> &[u64] {
        &self.marks
    }

    /// Looks for it in what a node of a cluster holds.
    pub fn find(&self, cluster: ClusterTag, held: &VersionVector) -> Found {
        if cluster != self.cluster {
            return Found::Gone;
        }
        let mut least = VersionVector::default();
        let mut met = 0;
        let mut rest = Vec::new();
        let mut is_ahead = false;
        for (&origin, &version) in held {
            if let Some(&told) = self.named.get(&short(origin)) {
                met += 1;
                is_ahead |= told > version;
                least.advance(origin, told.min(version));
            } else if self.rest.is_some_and(|rest| version <= rest.floor) {
                rest.push((version, origin));
                least.advance(origin, version);
            }
        }
        rest.sort_unstable_by(|one, other| other.cmp(one));
        if self.rest.is_some_and(|it| it.hash != hash(rest)) {
            return Found::Gone;
        }
        if is_ahead || met < self.named.len() { Found::Ahead(least) } else { Found::Covered(least) }
    }

    /// Writes it as a text of visible ASCII.
    pub fn encode(&self) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "there are eight at most")]
        let count = self.marks.len() as u8;
        let flag = if self.rest.is_some() { HAS_REST } else { 0 };
        let mut bytes = vec![FORMAT, count | flag];
        bytes.extend(self.cluster.0);
        if let Some(Rest { floor, hash }) = self.rest {
            bytes.extend(floor.as_u64().to_be_bytes());
            bytes.extend(hash.to_be_bytes());
        }
        bytes.extend(self.marks.iter().flat_map(|mark| mark.to_be_bytes()));
        for (origin, version) in &self.named {
            bytes.extend(origin);
            bytes.extend(version.as_u64().to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a text that some node wrote.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (&[format, what, a, b, c, d], bytes) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let marks = usize::from(what & !HAS_REST);
        if format != FORMAT || marks > MARKS_MAX {
            return None;
        }
        let (numbers, []) = bytes.as_chunks::<8>() else { return None };
        let mut numbers = numbers.iter().copied();
        let mut number = || numbers.next().map(u64::from_be_bytes);
        let rest = if what & HAS_REST == 0 {
            None
        } else {
            Some(Rest { floor: Timestamp::from_u64(number()?), hash: number()? })
        };
        let marks = (0..marks).map(|_| number()).collect::<Option<_>>()?;
        let mut named = BTreeMap::new();
        while let Some(origin) = numbers.next() {
            let version = Timestamp::from_u64(u64::from_be_bytes(numbers.next()?));
            named.insert(origin, version);
        }
        (named.len() <= NAMED_MAX).then_some(Self { cluster: ClusterTag([a, b, c, d]), named, rest, marks })
    }
}

fn short(origin: Origin) -> [u8; 8] {
    let (short, _) = origin.as_bytes().split_first_chunk::<8>().expect("an origin has sixteen bytes");
    *short
}

/// A hash of origins and how far they are held, in the order given.
fn hash(entries: Vec<(Timestamp, Origin)>) -> u64 {
    let mut hash = Xxh3::new();
    for (version, origin) in entries {
        hash.update(&version.as_u64().to_be_bytes());
        hash.update(origin.as_bytes());
    }
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(n: u64) -> Origin {
        // Spread, as random ones are.
        Origin::from_random(u128::from(xxh3_64(&n.to_be_bytes())) << 64 | u128::from(n))
    }

    fn at(version: u64) -> Timestamp {
        Timestamp::from_u64(version)
    }

    fn vector(entries: &[(u64, u64)]) -> VersionVector {
        entries.iter().map(|&(n, version)| (origin(n), at(version))).collect()
    }

    fn demo() -> ClusterTag {
        ClusterTag::of("demo")
    }

    fn cursor(entries: &[(u64, u64)]) -> Cursor {
        let cursor = Cursor::new(demo(), &vector(entries), [1, 2]);
        let read = Cursor::decode(&cursor.encode()).expect("it was written here");
        assert_eq!(read, cursor);
        read
    }

    #[test]
    fn a_node_that_holds_as_much_or_more_begins_where_the_other_ended() {
        let cursor = cursor(&[(1, 10), (2, 20)]);
        for held in [vec![(1, 10), (2, 20)], vec![(1, 11), (2, 20), (3, 5)]] {
            let found = cursor.find(demo(), &vector(&held));
            assert_eq!(found, Found::Covered(vector(&[(1, 10), (2, 20)])), "{held:?}");
        }
        assert_eq!(cursor.marks(), [1, 2]);
    }

    #[test]
    fn a_node_that_lags_begins_from_the_least_that_both_have() {
        let cursor = cursor(&[(1, 10), (2, 20)]);
        assert_eq!(
            cursor.find(demo(), &vector(&[(1, 7), (2, 30)])),
            Found::Ahead(vector(&[(1, 7), (2, 20)]))
        );
        assert_eq!(cursor.find(demo(), &vector(&[(2, 30), (9, 1)])), Found::Ahead(vector(&[(2, 20)])));
    }

    #[test]
    fn another_clusters_cursor_is_gone() {
        let cursor = cursor(&[(1, 10)]);
        assert_eq!(cursor.find(ClusterTag::of("other"), &vector(&[(1, 10)])), Found::Gone);
    }

    #[test]
    fn lives_beyond_the_named_ones_are_found_only_where_the_same_of_them_is_held() {
        let many: Vec<_> = (1..=100).map(|n| (n, 1_000 + n)).collect();
        let cursor = cursor(&many);
        assert!(cursor.encode().len() <= CURSOR_CHARS_MAX);
        assert_eq!(cursor.find(demo(), &vector(&many)), Found::Covered(vector(&many)));
        // A life that began since is beyond the floor.
        let newer = [&many[..], &[(200, 5_000)]].concat();
        assert_eq!(cursor.find(demo(), &vector(&newer)), Found::Covered(vector(&many)));
        // One that is long over, and of which nobody can say how much was told.
        let older = [&many[..], &[(201, 7)]].concat();
        assert_eq!(cursor.find(demo(), &vector(&older)), Found::Gone);
        assert_eq!(cursor.find(demo(), &vector(&many[1..])), Found::Gone);
        let lags = [&many[..99], &[(100, 1_050)]].concat();
        assert!(matches!(cursor.find(demo(), &vector(&lags)), Found::Ahead(_)));
    }

    #[test]
    fn a_cursor_has_a_bound_and_the_last_marks() {
        let many: Vec<_> = (1..=1_000).map(|n| (n, n)).collect();
        let cursor = Cursor::new(demo(), &vector(&many), 0..100);
        assert_eq!(cursor.marks(), [92, 93, 94, 95, 96, 97, 98, 99]);
        assert!(cursor.encode().len() <= CURSOR_CHARS_MAX, "{}", cursor.encode().len());
    }

    #[test]
    fn a_text_that_no_node_wrote_is_none() {
        let good = cursor(&[(1, 10)]).encode();
        let cases = ["", "AQ", "nonsense!", &good[1..], &good[..good.len() - 4], &"A".repeat(9_999)];
        for text in cases {
            assert_eq!(Cursor::decode(text), None, "{text}");
        }
    }
}
