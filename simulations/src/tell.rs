//! Messages in words.

use std::fmt::Write;

use playmark::{
    crdt::VersionVector,
    replica::{Ack, Delta, Message, Part, Status, Subscribe},
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
