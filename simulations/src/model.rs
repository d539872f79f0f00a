//! What merging and pruning mean, told a second time and as plainly as possible.
//!
//! The replica's code is compared with this; none of it is shared with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use playmark::{
    crdt::{Dot, Key, Register, Slot, Stamp, TitleId},
    playback::slot::{COMPLETIONS_KEPT, FENCE, GLIMPSES_KEPT, SESSIONS_KEPT, SlotKind},
};

use crate::{disk::Platter, ledger::Line};

/// Whether a write is at or below what stands on a disk: its register, or what pruned or erased it.
pub(crate) fn stands(platter: &Platter, line: &Line) -> bool {
    if let Some(register) = platter.register(&line.key) {
        return (register.stamp, &register.value) >= (line.stamp, &line.value);
    }
    let title = platter.title(&line.key.title);
    let stamps: Vec<_> = title.iter().map(|(slot, register)| (*slot, register.stamp)).collect();
    falls(&stamps, platter.profile_fence(&line.key.title), &line.key, line.stamp)
}

/// Whether a register with this key and stamp has no place among the registers of its title, under the
/// fence of its profile.
pub(crate) fn falls(title: &[(Slot, Stamp)], profile_fence: Option<Stamp>, key: &Key, stamp: Stamp) -> bool {
    let (slot, kind) = (key.slot, SlotKind::of(key.slot));
    if !key.title.is_scope() && kind != Some(SlotKind::Settings) && Some(stamp) <= profile_fence {
        return true;
    }
    let erased = title.iter().any(|&(other, fence)| {
        SlotKind::of(other) == Some(SlotKind::Fence) && stamp <= fence && other != slot
    });
    let room = match kind {
        Some(SlotKind::Fence | SlotKind::Settings) => return false,
        Some(SlotKind::Glimpse) => GLIMPSES_KEPT,
        Some(SlotKind::Session) => SESSIONS_KEPT,
        Some(SlotKind::Completed) => COMPLETIONS_KEPT,
        Some(SlotKind::Watched | SlotKind::Dismissed) | None => usize::MAX,
    };
    let greater =
        |&&(other, theirs): &&(Slot, Stamp)| SlotKind::of(other) == kind && (theirs, other) > (stamp, slot);
    erased || title.iter().filter(greater).count() >= room
}

/// What must stand, once all of `writes` have met.
#[derive(Default, Debug)]
pub(crate) struct Reference {
    titles: BTreeMap<TitleId, BTreeMap<Slot, Standing>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Standing {
    stamp: Stamp,
    value: Arc<[u8]>,
    dot: Dot,
}

impl Reference {
    pub(crate) fn add(&mut self, key: &Key, stamp: Stamp, value: &Arc<[u8]>, dot: Dot) {
        let new = Standing { stamp, value: value.clone(), dot };
        let slots = self.titles.entry(key.title.clone()).or_default();
        let standing = slots.entry(key.slot).or_insert_with(|| new.clone());
        let (theirs, ours) = ((new.stamp, &new.value), (standing.stamp, &standing.value));
        if theirs > ours || (theirs == ours && new.dot < standing.dot) {
            *standing = new;
        }
    }

    /// Takes out what its title has no room for.
    pub(crate) fn prune(&mut self) {
        let scopes = self.titles.iter().filter(|(title, _)| title.is_scope());
        let fence = |(title, slots): (&TitleId, &BTreeMap<Slot, Standing>)| {
            Some((title.profile.clone(), slots.get(&FENCE)?.stamp))
        };
        let fences: BTreeMap<_, _> = scopes.filter_map(fence).collect();
        for (title, slots) in &mut self.titles {
            let fence = fences.get(&title.profile).copied();
            let stamps: Vec<_> = slots.iter().map(|(&slot, it)| (slot, it.stamp)).collect();
            let fallen: BTreeSet<_> = stamps
                .iter()
                .filter(|&&(slot, stamp)| falls(&stamps, fence, &title.key(slot), stamp))
                .map(|&(slot, _)| slot)
                .collect();
            slots.retain(|slot, _| !fallen.contains(slot));
        }
    }

    /// The first difference to what stands on a disk.
    pub(crate) fn difference(&self, platter: &Platter) -> Option<String> {
        let expected = self
            .titles
            .iter()
            .flat_map(|(title, slots)| slots.iter().map(|(&slot, it)| (title.key(slot), it.clone())));
        let found = platter.store().registers().map(|(key, Register { stamp, dot, value, .. })| {
            (key.clone(), Standing { stamp: *stamp, value: value.clone(), dot: *dot })
        });
        let (expected, found): (BTreeMap<_, _>, BTreeMap<_, _>) = (expected.collect(), found.collect());
        if expected == found {
            return None;
        }
        let tell = |key: &Key, it: Option<&Standing>| {
            let said = it.map(|it| format!("{:?} {:?}", it.stamp, it.dot));
            format!("{} at {}", said.unwrap_or_else(|| "nothing".into()), name(key))
        };
        let keys = expected.keys().chain(found.keys());
        let key = keys.clone().find(|&key| expected.get(key) != found.get(key))?;
        Some(format!("{} stands, {} should", tell(key, found.get(key)), tell(key, expected.get(key))))
    }
}

/// A key for people.
pub(crate) fn name(key: &Key) -> String {
    let kind = SlotKind::of(key.slot).map_or_else(|| key.slot.kind.to_string(), |kind| format!("{kind:?}"));
    format!("{}/{kind}/{:02x}{:02x}", key.title, key.slot.id[0], key.slot.id[1])
}
