//! How often the answer was wrong, and by how much.

use std::fmt::Write;

use super::regions::SYSTEMS;

/// Within how much an answer is right.
const RIGHT_MS: u64 = 1_000;

const NAMES: [&str; SYSTEMS] = ["Playmark", "last arrival wins", "device clock wins"];

/// What one system answered.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Score {
    /// How often it was asked.
    pub asked: u64,
    /// By how many milliseconds its wrong answers were wrong.
    pub wrong_ms: Vec<u64>,
}

impl Score {
    fn count(&mut self, truth_ms: u64, answer_ms: Option<u64>) {
        self.asked += 1;
        let off_ms = answer_ms.unwrap_or_default().abs_diff(truth_ms);
        if off_ms > RIGHT_MS {
            self.wrong_ms.push(off_ms);
        }
    }

    /// Of a hundred answers so many were wrong.
    pub fn percent(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a share to show")]
        let share = |count: u64| count as f64;
        if self.asked == 0 { 0.0 } else { 100.0 * share(self.wrong_ms.len() as u64) / share(self.asked) }
    }

    /// So many seconds the wrong answers were wrong by, at this share of them.
    fn seconds_at(&self, percent: usize) -> u64 {
        let mut wrong = self.wrong_ms.clone();
        wrong.sort_unstable();
        let last = wrong.len().saturating_sub(1);
        wrong.get(last * percent / 100).map_or(0, |ms| ms.div_ceil(1_000))
    }

    fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.wrong_ms.extend(&other.wrong_ms);
    }
}

/// What all systems answered, each in its place.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Scores(pub [Score; SYSTEMS]);

impl Scores {
    pub(super) fn count(&mut self, truth_ms: u64, answers_ms: [Option<u64>; SYSTEMS]) {
        for (score, answer_ms) in self.0.iter_mut().zip(answers_ms) {
            score.count(truth_ms, answer_ms);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(score, other)| score.merge(other));
    }
}

/// What a population came to.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// How many sessions there were, and how many of them began offline.
    pub sessions: u64,
    /// See above.
    pub offline: u64,
    /// How many samples were taken, and how many reports of them arrived.
    pub samples: u64,
    /// See above.
    pub arrivals: u64,
    /// How many reports Playmark turned away.
    pub refused: u64,
    /// At the end, when all has arrived and every node has heard of the others: every title at every node.
    pub at_rest: Scores,
    /// The same for titles of which a session was offline on a device without any clock that went on.
    pub undated: Scores,
    /// When a viewer sat down, and all that they had done had arrived and was known everywhere.
    pub informed: Scores,
    /// Whenever a viewer sat down and could ask.
    pub hand_overs: Scores,
    /// Playmark's wrong answers at rest, and what it turned away, for whoever wants to know why.
    pub wrong: Vec<String>,
}

impl Tally {
    pub(super) fn merge(&mut self, other: &Self) {
        self.sessions += other.sessions;
        self.offline += other.offline;
        self.samples += other.samples;
        self.arrivals += other.arrivals;
        self.refused += other.refused;
        self.at_rest.merge(&other.at_rest);
        self.undated.merge(&other.undated);
        self.informed.merge(&other.informed);
        self.hand_overs.merge(&other.hand_overs);
        self.wrong.extend_from_slice(&other.wrong);
    }

    /// A table, as it stands in the docs.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| | wrong at rest | seconds wrong: p50 / p95 / max | wrong at hand-overs, all known | wrong at hand-overs |\n\
             |---|---|---|---|---|\n",
        );
        for (number, name) in NAMES.into_iter().enumerate() {
            let rest = &self.at_rest.0[number];
            let [p50, p95, max] = [50, 95, 100].map(|percent| rest.seconds_at(percent));
            let (informed, all) = (self.informed.0[number].percent(), self.hand_overs.0[number].percent());
            let percent = rest.percent();
            let _ = writeln!(
                table,
                "| {name} | {percent:.2} % | {p50} / {p95} / {max} | {informed:.2} % | {all:.2} % |"
            );
        }
        table
    }

    /// In one sentence, what was asked.
    pub fn summary(&self) -> String {
        let Self { sessions, offline, samples, arrivals, refused, .. } = self;
        let [rest, informed, all, undated] =
            [&self.at_rest, &self.informed, &self.hand_overs, &self.undated].map(|it| it.0[0].asked);
        let wrong = self.undated.0[0].wrong_ms.len();
        format!(
            "{sessions} sessions ({offline} begun offline), {samples} samples in {arrivals} reports, {refused} turned away; \
             {rest} answers at rest, {all} at hand-overs, {informed} of them when all was known. Left out at rest: {undated} answers \
             about titles with a session that no clock of its device could date, of which Playmark had {wrong} wrong.",
        )
    }
}
