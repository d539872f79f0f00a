//! Messages in words.

use std::fmt::Write;

use playmark::{
    crdt::VersionVector,
    replica::{Ack, Delta, Message, Part, Status, Subscribe},
};

use crate::model;

/// One line about a message.
pub(crate) fn message(message: &Message) -> String {
    match message {
        Message::Status(Status { origin, vector: held, .. }) => {
            format!("status of {origin:?}: holds {}", vector(held))
        }
        Message::Subscribe(Subscribe { subscription, after }) => {
            let after = after.iter().map(|(&origin, &version)| format!("{origin:?}>{version}"));
            format!("subscribe {subscription}: {}", after.collect::<Vec<_>>().join(" "))
        }
        Message::Part(part) => self::part(part),
        Message::Ack(Ack { subscription, parts, synced }) => {
            format!("ack {subscription}: {parts} parts, synced {}", vector(synced))
        }
    }
}

fn part(Part { subscription, number, delta }: &Part) -> String {
    let Delta { origin, after, upto, items } = delta;
    let end = upto.map_or_else(|| "…".into(), |upto| upto.to_string());
    let mut told = format!("part {subscription}/{number} of {origin:?} ({after}, {end}]");
    for item in items {
        let stands = item.stands.iter().map(|(_, register)| format!("{:?}", register.stamp));
        let stands = stands.collect::<Vec<_>>().join(" ");
        write!(told, " · {} {} = {stands}", item.position, model::name(&item.key))
            .expect("a string takes all");
    }
    told
}

fn vector(vector: &VersionVector) -> String {
    let held = vector.iter().map(|(origin, version)| format!("{origin:?}:{version}"));
    held.collect::<Vec<_>>().join(" ")
}
