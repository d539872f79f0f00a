//! Everybody who has been met.

use std::{collections::BTreeMap, time::Duration};

use foca::State;
use serde::{Deserialize, Serialize};

use super::Member;
use crate::{
    crdt::{DecodeError, ReplicaId, Timestamp, WallTime, decode, encode_named},
    zoo::{Bug, planted},
};

/// The format in which the list outlives a process.
const VERSION: u8 = 1;

/// How many members are known: far more full copies than anyone keeps. When full, the one that has been down
/// for longest is forgotten.
pub const MEMBERS_MAX: usize = 256;

/// How long a member that is down is known and dialled. Longer costs a dial every few seconds; shorter loses the other
/// half of a set that was cut in two for so long.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(60 * 24);

/// Whether a member answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// It does.
    Alive,
    /// It has not, when it was last asked, and has time to object.
    Suspect,
    /// It does not, or has left.
    Down,
}

/// A replica that has been met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// Its latest life.
    pub member: Member,
    /// Whether it answers.
    pub reach: Reach,
    /// Since when it does or does not, by the clock of this node.
    pub since: WallTime,
}

/// Everybody who has been met, this replica excepted; a replica and a name are here once each.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Members {
    known: BTreeMap<ReplicaId, Known>,
}

/// What one life keeps for the next.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Kept {
    /// When it began; the next one counts as later, whatever the clock says then.
    pub life: Timestamp,
    /// Whom it knew.
    pub members: Members,
}

#[derive(Serialize, Deserialize)]
struct KeptBody {
    #[serde(rename = "1")]
    life: Timestamp,
    #[serde(rename = "2")]
    members: Vec<KeptMember>,
}

#[derive(Serialize, Deserialize)]
struct KeptMember {
    #[serde(rename = "1")]
    member: Member,
    #[serde(rename = "2")]
    since: WallTime,
}

impl Members {
    /// Everybody, ordered by replica.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }

    /// Finds one by its replica.
    pub fn get(&self, replica: ReplicaId) -> Option<&Known> {
        self.known.get(&replica)
    }

    /// Whether nobody has been met.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whom to have a link with: everybody who says where it is, the lost ones too.
    pub fn to_dial(&self) -> impl Iterator<Item = &Member> {
        let is_wanted = |known: &&Known| known.reach != Reach::Down || !planted(Bug::LostAreNotDialled);
        self.known.values().filter(is_wanted).map(|known| &known.member).filter(|it| it.address.is_some())
    }

    /// Takes over what the protocol has found out. Whom it has forgotten is known on as down.
    pub(super) fn look<'a>(
        &mut self,
        own: ReplicaId,
        found: impl Iterator<Item = &'a foca::Member<Member>>,
        now: WallTime,
    ) {
        for update in found.filter(|update| update.id().replica != own) {
            self.note(update.id(), reach(update.state()), now);
        }
        let forgotten = u64::try_from(FORGOTTEN_AFTER.as_millis()).unwrap_or(u64::MAX);
        self.known.retain(|_, it| it.reach != Reach::Down || now.ms_since(it.since) < forgotten);
        while self.known.len() > MEMBERS_MAX {
            self.forget_one();
        }
    }

    fn note(&mut self, member: &Member, reach: Reach, now: WallTime) {
        let Some(known) = self.known.get_mut(&member.replica) else {
            if reach != Reach::Down {
                self.make_way(member);
            }
            self.known.insert(member.replica, Known { member: member.clone(), reach, since: now });
            return;
        };
        if (known.reach == Reach::Down) != (reach == Reach::Down) {
            known.since = now;
        }
        known.reach = reach;
        known.member = member.clone();
        if reach != Reach::Down {
            self.make_way(member);
        }
    }

    /// A name belongs to one replica: whoever bore it before, and is down, has been replaced.
    fn make_way(&mut self, member: &Member) {
        let is_replaced = |known: &Known| {
            let same_name = (&known.member.name, &known.member.region) == (&member.name, &member.region);
            same_name && known.member.replica != member.replica && known.reach == Reach::Down
        };
        self.known.retain(|_, known| !is_replaced(known));
    }

    fn forget_one(&mut self) {
        let lost = self.known.values().filter(|known| known.reach == Reach::Down);
        let oldest = lost.min_by_key(|known| known.since).or_else(|| self.known.values().next());
        if let Some(replica) = oldest.map(|known| known.member.replica) {
            self.known.remove(&replica);
        }
    }
}

impl Kept {
    /// The beginning of a life that begins now, by the replica's clock: later than the last one's in any case.
    pub fn next_life(&self, now: Timestamp) -> Timestamp {
        now.max(Timestamp::from_u64(self.life.as_u64().saturating_add(1)))
    }

    /// The bytes from which the next life begins. Whether anybody answers is not among them.
    pub fn encode(&self) -> Vec<u8> {
        let kept = |known: &Known| KeptMember { member: known.member.clone(), since: known.since };
        let members = self.members.known.values().map(kept).collect();
        encode_named(VERSION, &KeptBody { life: self.life, members })
    }

    /// Reads what an earlier life has kept; all are down until they have answered.
    ///
    /// # Errors
    /// Bytes that are none of it.
    pub fn decode(bytes: &[u8]) -> Result<Self, KeptError> {
        let KeptBody { life, members } = decode(VERSION, bytes)?;
        let known =
            |KeptMember { member, since }| (member.replica, Known { member, reach: Reach::Down, since });
        let known = members.into_iter().take(MEMBERS_MAX).map(known).collect();
        Ok(Self { life, members: Members { known } })
    }
}

fn reach(state: State) -> Reach {
    match state {
        State::Alive => Reach::Alive,
        State::Suspect => Reach::Suspect,
        State::Down => Reach::Down,
    }
}

impl Reach {
    /// The name that operators see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Down => "down",
        }
    }
}

/// Says why bytes are not what a life has kept; they only spare a new life the first dials, and can be thrown away.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeptError(#[from] DecodeError);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crdt::Origin;

    fn member(replica: u128, name: &str) -> Member {
        Member {
            replica: ReplicaId::from_random(replica),
            life: Timestamp::from_u64(7),
            origin: Origin::from_random(replica),
            name: name.to_owned(),
            region: "eu".parse().expect("a region"),
            address: Some("h:1".to_owned()),
            wire_min: 1,
            wire_max: 1,
        }
    }

    fn looked(members: &mut Members, found: &[foca::Member<Member>], now: u64) {
        members.look(ReplicaId::from_random(99_999), found.iter(), WallTime::from_ms(now));
    }

    #[test]
    fn what_a_life_keeps_has_these_bytes_and_all_of_it_is_down_when_it_is_read() {
        let mut members = Members::default();
        looked(&mut members, &[foca::Member::alive(member(1, "eu-1"))], 5);
        let kept = Kept { life: Timestamp::from_u64(9), members };
        let golden = b"\x01\x82\xa11\x09\xa12\x91\x82\xa11\x88\xa11\xc4\x10\0\0\0\0\0\0\x40\0\x80\0\0\0\0\0\0\x01\xa12\x07\
            \xa13\xc4\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xa14\xa4eu-1\xa15\xa2eu\xa16\xa3h:1\xa17\x01\xa18\x01\xa12\x05";
        assert_eq!(kept.encode().escape_ascii().to_string(), golden.escape_ascii().to_string());
        let read = Kept::decode(golden).expect("it is whole");
        assert_eq!(read.life, kept.life);
        assert!(
            read.members
                .iter()
                .all(|known| known.reach == Reach::Down && known.since == WallTime::from_ms(5))
        );
        assert_eq!(
            read.next_life(Timestamp::from_u64(3)),
            Timestamp::from_u64(10),
            "later than the last, whatever the clock"
        );
    }

    #[test]
    fn who_is_down_is_dialled_until_he_is_forgotten_or_another_has_his_name() {
        let mut members = Members::default();
        let gone = foca::Member::down(member(1, "eu-1"));
        looked(&mut members, &[foca::Member::alive(member(1, "eu-1"))], 0);
        looked(&mut members, std::slice::from_ref(&gone), 10);
        assert_eq!(members.to_dial().count(), 1);
        let mut replaced = members.clone();
        looked(&mut replaced, &[gone.clone(), foca::Member::alive(member(2, "eu-1"))], 20);
        looked(&mut replaced, &[foca::Member::alive(member(2, "eu-1"))], 30);
        assert_eq!(replaced.to_dial().map(|it| it.replica).collect::<Vec<_>>(), [ReplicaId::from_random(2)]);
        let forgotten = 10 + u64::try_from(FORGOTTEN_AFTER.as_millis()).expect("it is short");
        looked(&mut members, &[], forgotten - 1);
        assert_eq!(members.to_dial().count(), 1);
        looked(&mut members, &[], forgotten);
        assert!(members.is_empty());
    }

    #[test]
    fn when_full_who_has_been_down_longest_is_forgotten_first() {
        let mut members = Members::default();
        for number in 0..MEMBERS_MAX as u64 {
            let found = foca::Member::down(member(number.into(), &format!("n-{number}")));
            looked(&mut members, &[found], 1_000 - number);
        }
        looked(&mut members, &[foca::Member::alive(member(5_000, "new"))], 2_000);
        assert_eq!(members.iter().count(), MEMBERS_MAX);
        assert!(
            members.get(ReplicaId::from_random(MEMBERS_MAX as u128 - 1)).is_none(),
            "down since the earliest"
        );
    }
}
