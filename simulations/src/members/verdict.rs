//! Whether the members are of one mind.

use playmark::membership::{MEMBERS_MAX, Reach};

use super::{World, machine::Machine};
use crate::Violation;

/// How many datagrams each member may send a second, over a world's life: signs of life, one change for each of the others,
/// and no answer that brings about another.
const DATAGRAMS_PER_S: u64 = 50;

/// What they may have sent before, when all meet at once.
const ALLOWANCE_S: u64 = 20;

impl World {
    /// Whether each member takes all that live for alive, in their present lives, and nobody else, and has links with them.
    pub(super) fn is_of_one_mind(&self) -> bool {
        (0..self.machines.len()).all(|member| self.difference(member).is_none())
    }

    pub(super) fn disagreement(&self) -> Violation {
        let found = (0..self.machines.len()).find_map(|member| self.difference(member));
        Violation::new("members_agree", found.unwrap_or_else(|| "they do after all".into()))
    }

    pub(super) fn check_bounds(&self) -> Result<(), Violation> {
        let seconds = self.now.as_ms() / 1_000 + ALLOWANCE_S;
        let allowed = seconds * self.machines.len() as u64 * DATAGRAMS_PER_S;
        if self.stats.frames > allowed {
            let what = format!("{} datagrams, and {allowed} are many", self.stats.frames);
            return Err(Violation::new("members_bounded", what));
        }
        for lives in self.machines.iter().filter_map(|machine| machine.lives.as_ref()) {
            let known = lives.membership.members().iter().count();
            if known > MEMBERS_MAX {
                let what = format!("{} knows {known} members", lives.hello.name);
                return Err(Violation::new("members_bounded", what));
            }
        }
        Ok(())
    }

    fn difference(&self, member: usize) -> Option<String> {
        let Some(lives) = &self.machines[member].lives else {
            return Some(format!("m{member} is not there"));
        };
        let members = lives.membership.members();
        let others = self.machines.iter().enumerate().filter(|&(index, _)| index != member);
        for (index, other) in others {
            let seen = members.get(other.replica);
            let is_right = seen.is_some_and(|it| it.reach != Reach::Down && is_present(other, it));
            if !is_right || !self.machines[member].links.contains(&index) {
                return Some(format!("m{member} takes m{index} for {seen:?}"));
            }
        }
        let stranger = members.iter().find(|known| {
            known.reach != Reach::Down && !self.machines.iter().any(|it| it.replica == known.member.replica)
        });
        stranger.map(|known| format!("m{member} takes {:?} for alive, who is no more", known.member))
    }
}

fn is_present(machine: &Machine, known: &playmark::membership::Known) -> bool {
    machine.lives.as_ref().is_some_and(|lives| lives.hello.origin == known.member.origin)
}
