//! A leaf, register by register.

use std::collections::BTreeMap;

use super::{digest::leaf, message::Leaf};
use crate::crdt::{Key, Register};

/// What the stamp and the check of a register take, beside its key.
const ITEM_BYTES: usize = 64;

impl Leaf {
    /// What a replica holds in a leaf, as much of it as there is room for: where that is not all, from a place
    /// that another comparison will not begin at.
    pub(super) fn of(
        shard: u16,
        number: u8,
        registers: &[(Key, Register)],
        room: &mut usize,
        turn: u64,
    ) -> Self {
        let mut inside: Vec<_> =
            registers.iter().filter(|(key, _)| leaf(key) == usize::from(number)).collect();
        inside.sort_by(|(one, _), (other, _)| one.cmp(other));
        let bytes =
            |key: &Key| key.title.profile.as_str().len() + key.title.content.as_str().len() + ITEM_BYTES;
        let whole: usize = inside.iter().map(|(key, _)| bytes(key)).sum();
        let begin = if whole <= *room { 0 } else { usize::try_from(turn).unwrap_or(0) % inside.len() };
        let after = begin.checked_sub(1).map(|before| inside[before].0.clone());
        let mut items = Vec::new();
        for (key, register) in inside.iter().skip(begin) {
            items.push((key.clone(), register.stamp, register.check));
            *room = room.saturating_sub(bytes(key));
            if *room == 0 {
                break;
            }
        }
        let is_last = begin + items.len() == inside.len();
        let upto = items.last().filter(|_| !is_last).map(|(key, ..)| key.clone());
        Self { shard, leaf: number, after, upto, items }
    }

    /// Sorts what differs into keys in which this side is ahead, and keys in which the teller is.
    pub(super) fn differences(&self, here: &[(Key, Register)], ahead: &mut Vec<Key>, wanted: &mut Vec<Key>) {
        let inside = |key: &Key| {
            leaf(key) == usize::from(self.leaf)
                && self.after.as_ref().is_none_or(|after| after < key)
                && self.upto.as_ref().is_none_or(|upto| key <= upto)
        };
        let here: BTreeMap<_, _> =
            here.iter().filter(|(key, _)| inside(key)).map(|(key, it)| (key, it)).collect();
        let there: BTreeMap<_, _> =
            self.items.iter().map(|(key, stamp, check)| (key, (stamp, check))).collect();
        for (key, register) in &here {
            match there.get(key) {
                Some((_, check)) if **check == register.check => {}
                Some((stamp, _)) if **stamp > register.stamp => wanted.push((*key).clone()),
                // Of equal stamps the values decide, which were not told: both enter again, and merge.
                Some((stamp, _)) if **stamp == register.stamp => {
                    ahead.push((*key).clone());
                    wanted.push((*key).clone());
                }
                Some(_) | None => ahead.push((*key).clone()),
            }
        }
        wanted.extend(there.keys().filter(|key| !here.contains_key(*key)).map(|key| (*key).clone()));
    }
}
