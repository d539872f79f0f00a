//! `playmark verify`: do nodes hold the same? From their disks, beside what they compare by themselves.

mod compare;

use std::{collections::BTreeSet, net::SocketAddr, path::Path, thread::scope, time::Duration};

use anyhow::anyhow;
use playmark::{
    crdt::SHARDS,
    http::{SHARDS_PER_GROUP, ShardView, SumsView},
};
use serde::de::DeserializeOwned;

use super::{
    Failure,
    ask::{ask, key_in},
    progress::{bar, pause},
};
use compare::{Difference, compare};

/// How often a shard is looked at in which something is on its way, and how long after the time before.
const LOOKS_MAX: usize = 12;
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// How many differences are told one by one.
const TOLD_MAX: usize = 20;

/// The nodes that are compared, and what is shown to them.
struct Nodes<'a> {
    http: &'a [SocketAddr],
    key: Option<String>,
}

/// What was found.
#[derive(Default)]
struct Found {
    names: Vec<String>,
    registers: u64,
    differences: BTreeSet<Difference>,
    /// Shards in which something was on its way at every look.
    moving: BTreeSet<u16>,
    /// Shards of which not everything is listed.
    long: BTreeSet<u16>,
}

pub(super) fn run(http: &[SocketAddr], key_file: Option<&Path>) -> Result<(), Failure> {
    if http.len() < 2 {
        return Err(Failure::Usage(anyhow!("one node is always like itself: name two or more with --http")));
    }
    let nodes = Nodes { http, key: key_in(key_file)? };
    let found = verify(&nodes).map_err(Failure::Running)?;
    tell(&found).map_err(Failure::Running)
}

fn verify(nodes: &Nodes<'_>) -> anyhow::Result<Found> {
    let (mut found, suspects) = add_up(nodes)?;
    found.moving = suspects;
    let bar = bar(found.moving.len() as u64, "shards looked into");
    for look in 0..LOOKS_MAX {
        if found.moving.is_empty() {
            break;
        }
        if look > 0 {
            pause(LOOK_AGAIN);
        }
        for shard in found.moving.clone() {
            if look_into(nodes, shard, &mut found)? {
                found.moving.remove(&shard);
                bar.inc(1);
            }
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

/// Compares what every shard comes to; those that come to something else somewhere are to be looked into.
fn add_up(nodes: &Nodes<'_>) -> anyhow::Result<(Found, BTreeSet<u16>)> {
    let (mut found, mut suspects) = (Found::default(), BTreeSet::new());
    let bar = bar(u64::from(SHARDS), "shards added up");
    for group in 0..SHARDS / SHARDS_PER_GROUP {
        let sums: Vec<SumsView> = nodes.ask(&format!("/v1/admin/shard-sums/{group}"))?;
        found.names = sums.iter().map(|it| it.name.clone()).collect();
        for (index, first) in sums[0].shards.iter().enumerate() {
            found.registers += first.registers;
            if sums[1..].iter().any(|other| other.shards.get(index) != Some(first)) {
                suspects.insert(first.shard);
            }
        }
        bar.inc(u64::from(SHARDS_PER_GROUP));
    }
    bar.finish_and_clear();
    Ok((found, suspects))
}

/// Compares a shard's registers; says whether nothing of it was on its way.
fn look_into(nodes: &Nodes<'_>, shard: u16, found: &mut Found) -> anyhow::Result<bool> {
    let listed: Vec<ShardView> = nodes.ask(&format!("/v1/admin/shards/{shard}"))?;
    if listed.iter().any(|it| it.partial) {
        found.long.insert(shard);
        return Ok(true);
    }
    let mut is_still = true;
    for other in &listed[1..] {
        let compared = compare(&listed[0], other);
        is_still &= compared.moving == 0;
        found.differences.extend(compared.differences);
    }
    Ok(is_still)
}

fn tell(found: &Found) -> anyhow::Result<()> {
    let Found { names, registers, differences, moving, long } = found;
    let names = names.join(", ");
    for difference in differences.iter().take(TOLD_MAX) {
        println!("{difference}");
    }
    if differences.len() > TOLD_MAX {
        println!("… and {} more", differences.len() - TOLD_MAX);
    }
    if !long.is_empty() {
        return Err(anyhow!("{} shards differ and are too long to be looked into", long.len()));
    }
    if !differences.is_empty() {
        let count = differences.len();
        return Err(anyhow!(
            "{count} registers differ between {names}; nodes mend what differs by themselves, so ask again in a minute"
        ));
    }
    if !moving.is_empty() {
        let (count, others) = (moving.len(), usize::from(SHARDS) - moving.len());
        return Err(anyhow!(
            "in {count} shards something was on its way all the while; in the {others} others {names} hold the same: see whether all links stand, and ask again"
        ));
    }
    println!("{names} hold the same: {registers} registers in {SHARDS} shards");
    Ok(())
}

impl Nodes<'_> {
    /// Asks all nodes the same, at the same time.
    fn ask<T: DeserializeOwned + Send>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let key = self.key.as_deref();
        scope(|scope| {
            let asked: Vec<_> =
                self.http.iter().map(|&http| scope.spawn(move || ask(http, key, path))).collect();
            asked.into_iter().map(|asked| asked.join().expect("asking does not panic")).collect()
        })
    }
}
