//! Messages in words.

use std::fmt::Write;

use playmark::{
    crdt::VersionVector,
    replica::{Ack, Compare, Delta, Message, Part, Status, Step, Subscribe},
};

use crate::model;

/// One line about a message, with at most so many of a part's items.
pub(crate) fn message(message: &Message, items_max: usize) -> String {
    match message {
        Message::Status(Status { origin, vector: held, catching_up, .. }) => {
            let catching_up = if *catching_up { ", which is catching up" } else { "" };
            format!("status of {origin:?}{catching_up}: holds {}", vector(held))
        }
        Message::Subscribe(Subscribe { subscription, after, answered }) => {
            let after = after.iter().map(|(origin, version)| match answered.get(origin) {
                None => format!("{origin:?}>{version}"),
                Some(answered) => format!("{origin:?}>{version} (answered to {answered})"),
            });
            format!("subscribe {subscription}: {}", list(after))
        }
        Message::Part(part) => self::part(part, items_max),
        Message::Ack(Ack { subscription, parts, synced }) => {
            format!("ack {subscription}: {parts} parts, synced {}", vector(synced))
        }
        Message::Compare(Compare { round, step, .. }) => format!("compare {round}: {}", self::step(step)),
    }
}

fn step(step: &Step) -> String {
    match step {
        Step::Begin { total, vector, .. } => {
            let count =
                total.map_or_else(|| "what it holds".into(), |it| format!("{} registers", it.count()));
            format!("{count}{}", if vector.is_some() { ", and its vector" } else { "" })
        }
        Step::Equal => "equal".into(),
        Step::Vector => "asks for the vector".into(),
        Step::Touched { .. } => "says what is on its way".into(),
        Step::Total { total, .. } => format!("{} registers beside what is on its way", total.count()),
        Step::Groups(_) => "differs; its groups of shards".into(),
        Step::Shards(groups) => format!("the shards of {} groups", groups.len()),
        Step::Leaves(shards) => format!("the leaves of {} shards", shards.len()),
        Step::Items(leaves) => format!("{} leaves, register by register", leaves.len()),
        Step::Wanted(keys) => format!("{} are wanted", keys.len()),
        Step::Busy => "another time".into(),
    }
}

fn part(Part { subscription, number, delta }: &Part, items_max: usize) -> String {
    let Delta { origin, after, upto, items } = delta;
    let end = upto.map_or_else(|| "…".into(), |upto| upto.to_string());
    let mut told = format!("part {subscription}/{number} of {origin:?} ({after}, {end}]");
    for item in items.iter().take(items_max) {
        let stands = item.stands.iter().map(|(_, register)| format!("{:?}", register.stamp));
        let stands = stands.collect::<Vec<_>>().join(" ");
        write!(told, " · {} {} = {stands}", item.position, model::name(&item.key))
            .expect("a string takes all");
    }
    if items.len() > items_max {
        write!(told, " · and {} more", items.len() - items_max).expect("a string takes all");
    }
    told
}

pub(crate) fn vector(vector: &VersionVector) -> String {
    let held = vector.iter().map(|(origin, version)| format!("{origin:?}:{version}"));
    list(held)
}

fn list(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<_> = texts.collect();
    if texts.is_empty() { "nothing".into() } else { texts.join(" ") }
}
