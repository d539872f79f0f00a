//! Two listings of one shard, held against each other.
//!
//! What one node has and the other does not is no difference while it may be on its way: while the other's vector, as
//! it was before it read, does not cover some register of the same profile. A write that it covers has been merged
//! there, or was pushed out by another one; and whatever pushed it out is listed there as well.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use playmark::http::{RegisterView, ShardView};

/// A register that is not the same at two nodes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Difference {
    title: String,
    slot: String,
    /// What each of the two says, behind its name.
    said: [(String, String); 2],
}

/// What two listings say.
#[derive(Default, Debug)]
pub(super) struct Compared {
    pub(super) differences: Vec<Difference>,
    /// Profiles of which something is on its way.
    pub(super) moving: usize,
}

/// The place of a register.
type Place<'a> = (&'a str, &'a str, &'a str);

pub(super) fn compare(one: &ShardView, other: &ShardView) -> Compared {
    let moving: BTreeSet<_> = uncovered(one, other).chain(uncovered(other, one)).collect();
    let [here, there] = [one, other].map(by_place);
    let places: BTreeSet<Place<'_>> = here.keys().chain(there.keys()).copied().collect();
    let mut compared = Compared { moving: moving.len(), ..Compared::default() };
    for place in places.into_iter().filter(|(profile, ..)| !moving.contains(profile)) {
        let [at_one, at_other] = [&here, &there].map(|listed| listed.get(&place).copied());
        if !is_same(at_one, at_other) {
            let said = [(&one.name, at_one), (&other.name, at_other)];
            let said =
                said.map(|(name, register)| (name.clone(), register.map_or("nothing".into(), in_words)));
            let (profile, content, slot) = place;
            let title =
                if content.is_empty() { profile.to_owned() } else { format!("{profile} / {content}") };
            compared.differences.push(Difference { title, slot: slot.to_owned(), said });
        }
    }
    compared
}

fn by_place(listed: &ShardView) -> BTreeMap<Place<'_>, &RegisterView> {
    let placed = listed.registers.iter().map(|it| ((&*it.profile, &*it.content, &*it.slot), it));
    placed.collect()
}

/// The profiles of which a node lists something that the other's vector does not cover.
fn uncovered<'a>(listed: &'a ShardView, by: &'a ShardView) -> impl Iterator<Item = &'a str> {
    let covers = |it: &&RegisterView| by.vector.get(&it.origin).is_some_and(|upto| *upto >= it.version);
    listed.registers.iter().filter(move |it| !covers(it)).map(|it| it.profile.as_str())
}

/// Which write it was that said so is no matter.
fn is_same(one: Option<&RegisterView>, other: Option<&RegisterView>) -> bool {
    let what = |it: &RegisterView| (it.time_ms, it.counter, it.writer.clone(), it.check.clone());
    one.map(what) == other.map(what)
}

fn in_words(register: &RegisterView) -> String {
    format!("{} ms, count {}", register.time_ms, register.counter)
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}:", self.title, self.slot)?;
        for (number, (name, said)) in self.said.iter().enumerate() {
            write!(f, "{} {said} at {name}", if number > 0 { ";" } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(profile: &str, version: u64, check: &str) -> RegisterView {
        RegisterView {
            profile: profile.to_owned(),
            content: "film".to_owned(),
            slot: "session 1".to_owned(),
            time_ms: version,
            counter: 1,
            writer: "w".to_owned(),
            origin: "o".to_owned(),
            version,
            check: check.to_owned(),
        }
    }

    fn listed(name: &str, upto: u64, registers: Vec<RegisterView>) -> ShardView {
        let vector = [("o".to_owned(), upto)].into();
        ShardView { name: name.to_owned(), vector, registers, partial: false }
    }

    #[test]
    fn what_a_vector_covers_and_a_node_lacks_is_a_difference() {
        let one = listed("eu", 9, vec![register("ada", 5, "a"), register("bo", 6, "b")]);
        let other = listed("us", 9, vec![register("bo", 6, "b")]);
        let Compared { differences, moving } = compare(&one, &other);
        assert_eq!(moving, 0);
        let told: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["ada / film, session 1: 5 ms, count 1 at eu; nothing at us"]);
    }

    #[test]
    fn what_may_be_on_its_way_is_none_and_nor_is_anything_else_of_its_profile() {
        let one = listed("eu", 9, vec![register("ada", 9, "new"), register("bo", 6, "b")]);
        let other = listed("us", 8, vec![register("ada", 5, "old"), register("bo", 6, "b")]);
        let Compared { differences, moving } = compare(&one, &other);
        assert_eq!((differences.len(), moving), (0, 1));
    }

    #[test]
    fn the_same_said_by_another_write_is_the_same_and_another_value_is_not() {
        let again = RegisterView { version: 7, ..register("ada", 5, "a") };
        let one = listed("eu", 9, vec![register("ada", 5, "a")]);
        assert!(compare(&one, &listed("us", 9, vec![again])).differences.is_empty());
        let rotten = listed("us", 9, vec![register("ada", 5, "rot")]);
        assert_eq!(compare(&one, &rotten).differences.len(), 1);
    }
}
