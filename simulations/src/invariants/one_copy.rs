//! Of what lives in another region one member of a region takes the writes, and the others take them from it.

use std::collections::BTreeMap;

use playmark::crdt::{Origin, Region};

use super::Violation;
use crate::node::Node;

/// Checks it where nothing has come or gone for a while, and everybody has a link with everybody.
pub(crate) fn check(nodes: &[Node]) -> Result<(), Violation> {
    let lives = nodes.iter().filter_map(|node| Some((node, &node.life.as_ref()?.replica)));
    let living: Vec<_> = lives.clone().map(|(_, replica)| replica.origin()).collect();
    let region_of = |id| nodes.iter().find(|node| node.id == id).map(|node| &node.region);
    let mut across = BTreeMap::<(&Region, Origin), Vec<usize>>::new();
    for (node, replica) in lives {
        for &origin in &living {
            if replica.source(origin).and_then(region_of).is_some_and(|region| *region != node.region) {
                across.entry((&node.region, origin)).or_default().push(node.index);
            }
        }
    }
    match across.into_iter().find(|(_, takers)| takers.len() > 1) {
        None => Ok(()),
        Some(((region, origin), takers)) => {
            let what = format!("{region} takes {origin:?} across {} times: n{takers:?}", takers.len());
            Err(Violation::new("one_copy", what))
        }
    }
}
