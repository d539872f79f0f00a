//! Seeds that once failed, run first always.
//!
//! `regressions.txt` holds one a line: the version of the scenario, the kind, the seed, and what it
//! found. A seed means the same world only under the version that it was found with; later ones run it
//! all the same, as one seed among others.

use crate::{Kind, Scenario};

const LIST: &str = include_str!("../regressions.txt");

/// The scenarios of the list.
///
/// # Panics
/// If a line is not of the form told above.
pub fn all() -> impl Iterator<Item = Scenario> {
    let lines = LIST.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(parse)
}

fn parse(line: &str) -> Scenario {
    let mut words = line.split_whitespace();
    let version = words.next().and_then(|word| word.parse::<u32>().ok());
    let kind = words.next().and_then(Kind::named);
    let seed = words.next().and_then(|word| word.parse().ok());
    let (Some(_), Some(kind), Some(seed)) = (version, kind, seed) else {
        panic!("regressions.txt: a line is `VERSION short|long|members SEED # what`, not `{line}`");
    };
    Scenario::plain(seed, kind)
}
