//! The heartbeats of one request, seen together.
//!
//! Some things can only be said of the whole request: that its samples are in order, and what stands
//! for members that simple clients do not send.

use std::collections::BTreeMap;

use crate::{
    crdt::{ContentId, ProfileId},
    playback::{Device, Heartbeat, SessionId},
};

/// Checks the order of a request's heartbeats, and fills in what their neighbours tell.
///
/// Heartbeats belong together that carry the same token or, without one, name the same title, session
/// and device. Among them
/// * neither `seq` nor `elapsed_ms` may fall: a batch is sent in the order in which it was taken;
/// * the greatest `elapsed_ms` stands for an absent `sent_elapsed_ms`: the last sample is as good as new;
/// * the time since the first of them stands for an absent `played_ms`;
/// * the place among them stands for an absent `seq`.
///
/// # Errors
/// A fall is the player's fault, and the whole request is refused: which of the two samples is wrong
/// cannot be known.
pub fn settle<'a>(heartbeats: impl IntoIterator<Item = &'a mut Heartbeat>) -> Result<(), OutOfOrder> {
    let mut heartbeats: Vec<_> = heartbeats.into_iter().collect();
    let mut companies = BTreeMap::<Name, Company>::new();
    for (index, heartbeat) in heartbeats.iter().enumerate() {
        let company = companies.entry(Name::of(heartbeat)).or_default();
        company.admit(heartbeat).map_err(|field| OutOfOrder { index, field })?;
    }
    for heartbeat in &mut heartbeats {
        companies.entry(Name::of(heartbeat)).or_default().tell(heartbeat);
    }
    Ok(())
}

/// What heartbeats that belong together have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Token(String),
    Unsigned(Option<ProfileId>, Option<ContentId>, Option<SessionId>, Option<Device>),
}

impl Name {
    fn of(heartbeat: &Heartbeat) -> Self {
        let Heartbeat { token, profile, content, session, device, .. } = heartbeat;
        token.clone().map_or_else(
            || Self::Unsigned(profile.clone(), content.clone(), *session, device.clone()),
            Self::Token,
        )
    }
}

/// Heartbeats that belong together.
#[derive(Default)]
struct Company {
    seq: Option<u32>,
    first_ms: Option<u64>,
    latest_ms: Option<u64>,
    sent_ms: Option<u64>,
    told: u32,
}

impl Company {
    fn admit(&mut self, heartbeat: &Heartbeat) -> Result<(), &'static str> {
        let Heartbeat { seq, elapsed_ms, sent_elapsed_ms, .. } = *heartbeat;
        if seq.is_some() && seq < self.seq {
            return Err("seq");
        }
        if elapsed_ms.is_some() && elapsed_ms < self.latest_ms {
            return Err("elapsed_ms");
        }
        self.seq = seq.or(self.seq);
        self.first_ms = self.first_ms.or(elapsed_ms);
        self.latest_ms = elapsed_ms.or(self.latest_ms);
        self.sent_ms = self.sent_ms.max(sent_elapsed_ms).max(elapsed_ms);
        Ok(())
    }

    fn tell(&mut self, heartbeat: &mut Heartbeat) {
        heartbeat.sent_elapsed_ms = heartbeat.sent_elapsed_ms.or(self.sent_ms);
        let since_first = heartbeat.elapsed_ms.zip(self.first_ms).map(|(elapsed, first)| elapsed - first);
        heartbeat.played_ms = heartbeat.played_ms.or(since_first);
        heartbeat.seq.get_or_insert(self.told);
        self.told += 1;
    }
}

/// Says that a request's samples are not in the order in which they were taken; the player's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{field}` of heartbeat {index} is below that of the one before it under the same token")]
pub struct OutOfOrder {
    /// Which of the heartbeats, from 0.
    pub index: usize,
    /// Which member fell.
    pub field: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(items: &[&str]) -> Vec<Heartbeat> {
        let parse = |members: &&str| {
            let json = format!(r#"{{"position_ms":1,"event":"playing",{members}}}"#);
            Heartbeat::from_json(json.as_bytes()).expect("a heartbeat")
        };
        items.iter().map(parse).collect()
    }

    #[test]
    fn neither_seq_nor_elapsed_may_fall_under_one_token() {
        let check = |items: &[&str], expected: Option<(usize, &'static str)>| {
            let found = settle(&mut batch(items)).err().map(|fall| (fall.index, fall.field));
            assert_eq!(found, expected, "{items:?}");
        };
        let first = r#""token":"a","seq":5,"elapsed_ms":500"#;
        check(&[first, first], None);
        check(&[first, r#""token":"a","seq":6,"elapsed_ms":500"#], None);
        check(&[first, r#""token":"a","seq":4,"elapsed_ms":500"#], Some((1, "seq")));
        check(&[first, r#""token":"a","seq":6,"elapsed_ms":499"#], Some((1, "elapsed_ms")));
        check(&[first, r#""token":"b","seq":1,"elapsed_ms":1"#, first], None);
        let between = r#""token":"a","seq":6"#;
        check(&[first, between, r#""token":"a","seq":7,"elapsed_ms":4"#], Some((2, "elapsed_ms")));
    }

    #[test]
    fn neighbours_tell_what_a_simple_client_leaves_out() {
        let mut items = batch(&[
            r#""token":"a","seq":1,"elapsed_ms":1000"#,
            r#""token":"b","seq":1,"elapsed_ms":50,"sent_elapsed_ms":60"#,
            r#""token":"a","seq":2,"elapsed_ms":5000,"played_ms":7"#,
            r#""token":"a","seq":3,"elapsed_ms":9000"#,
            r#""session":"s""#,
            r#""session":"s""#,
        ]);
        settle(&mut items).expect("in order");
        let told: Vec<_> =
            items.iter().map(|item| (item.seq, item.sent_elapsed_ms, item.played_ms)).collect();
        let expected = [
            (Some(1), Some(9_000), Some(0)),
            (Some(1), Some(60), Some(0)),
            (Some(2), Some(9_000), Some(7)),
            (Some(3), Some(9_000), Some(8_000)),
            (Some(0), None, None),
            (Some(1), None, None),
        ];
        assert_eq!(told, expected);
    }
}
