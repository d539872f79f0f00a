//! How far apart nodes are, by what each says that it holds.

use std::collections::BTreeMap;

use crate::api::NodeStatus;

/// What a node holds: of each origin, up to which version, and when that was written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Holding(BTreeMap<String, Upto>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Upto {
    version: u64,
    wall_ms: u64,
}

/// When each origin began to write: what a node that holds nothing of one lacks, it lacks from then on.
#[derive(Debug)]
pub(super) struct Beginnings {
    // Where it is not known; nobody wrote before the lab was there.
    lab_ms: u64,
    origins: BTreeMap<String, u64>,
}

impl Holding {
    /// What a node says.
    pub(super) fn of(status: &NodeStatus) -> Self {
        let upto = |version, wall_ms| Upto { version, wall_ms };
        let held = status.vector.iter().map(|held| (held.origin.clone(), upto(held.version, held.wall_ms)));
        Self(held.collect())
    }

    /// How far apart two nodes are: the greatest difference over all origins, in milliseconds of writing; 0 where both
    /// hold the same.
    pub(super) fn apart_ms(&self, other: &Self, beginnings: &Beginnings) -> u64 {
        let all = self.0.keys().chain(other.0.keys());
        all.map(|origin| {
            self.lacks_ms(other, origin, beginnings).max(other.lacks_ms(self, origin, beginnings))
        })
        .max()
        .unwrap_or_default()
    }

    /// What this lacks of an origin that `other` holds, in milliseconds of writing.
    pub(super) fn lacks_ms(&self, other: &Self, origin: &str, beginnings: &Beginnings) -> u64 {
        let Some(there) = other.0.get(origin) else { return 0 };
        let here = self.0.get(origin);
        if here.is_some_and(|here| here.version >= there.version) {
            return 0;
        }
        let here_ms = here.map_or_else(|| beginnings.of(origin), |here| here.wall_ms);
        // Several writes of one millisecond are apart, too.
        there.wall_ms.saturating_sub(here_ms).max(1)
    }
}

impl Beginnings {
    /// Those of a lab that began at this wall time.
    pub(super) fn of_lab(lab_ms: u64) -> Self {
        Self { lab_ms, origins: BTreeMap::new() }
    }

    /// Takes note of a node's life. There is one a start, as in the vectors themselves.
    pub(super) fn note(&mut self, status: &NodeStatus) {
        let began_ms = status.now_ms.saturating_sub(status.uptime_ms);
        self.origins.entry(status.origin.clone()).or_insert(began_ms);
    }

    fn of(&self, origin: &str) -> u64 {
        self.origins.get(origin).copied().unwrap_or(self.lab_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(held: &[(&str, u64)]) -> Holding {
        let upto = |ms| Upto { version: ms << 16, wall_ms: ms };
        Holding(held.iter().map(|(origin, ms)| ((*origin).to_owned(), upto(*ms))).collect())
    }

    fn beginnings() -> Beginnings {
        Beginnings { lab_ms: 1_000, origins: BTreeMap::from([("young".to_owned(), 4_000)]) }
    }

    #[test]
    fn who_holds_the_same_is_not_apart() {
        let held = holding(&[("a", 5_000), ("b", 6_000)]);
        assert_eq!(held.apart_ms(&held, &beginnings()), 0);
        assert_eq!(Holding::default().apart_ms(&Holding::default(), &beginnings()), 0);
    }

    #[test]
    fn how_far_apart_two_are_is_told_by_the_origin_that_differs_most_on_either_side() {
        let one = holding(&[("a", 5_000), ("b", 6_000)]);
        let other = holding(&[("a", 5_300), ("b", 5_100)]);
        assert_eq!(one.apart_ms(&other, &beginnings()), 900);
        assert_eq!(other.apart_ms(&one, &beginnings()), 900);
        assert_eq!(one.lacks_ms(&other, "a", &beginnings()), 300);
        assert_eq!(one.lacks_ms(&other, "b", &beginnings()), 0);
    }

    #[test]
    fn what_is_lacking_altogether_is_lacking_since_it_began() {
        let none = Holding::default();
        assert_eq!(none.apart_ms(&holding(&[("young", 4_700)]), &beginnings()), 700);
        assert_eq!(none.apart_ms(&holding(&[("old", 4_700)]), &beginnings()), 3_700);
    }

    #[test]
    fn writes_of_one_millisecond_are_apart() {
        let first = Holding(BTreeMap::from([("a".to_owned(), Upto { version: 1, wall_ms: 5_000 })]));
        let second = Holding(BTreeMap::from([("a".to_owned(), Upto { version: 2, wall_ms: 5_000 })]));
        assert_eq!(first.apart_ms(&second, &beginnings()), 1);
    }
}
