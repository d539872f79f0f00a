//! How often the answer is wrong, in a small population; the large one is `cargo sim workload`.

use playmark::zoo::Bug;
use simulations::workload::{Population, Score, Tally};

/// A street, for a week.
fn watch(bug: Option<Bug>) -> Tally {
    Population { viewers: 20, seed: 1, bug }.watch(|_, _| {})
}

#[test]
fn playmark_is_never_wrong_where_all_is_known_and_the_last_writer_often_is() {
    let tally = watch(None);
    assert!(tally.refused == 0 && tally.wrong.is_empty(), "{:?}", tally.wrong);
    for (scores, asked_min) in [(&tally.at_rest, 90), (&tally.informed, 150)] {
        let [playmark, arrival, device] = &scores.0;
        assert!(playmark.asked > asked_min, "{playmark:?}");
        assert!(playmark.wrong_ms.is_empty(), "{playmark:?}");
        let is_often_wrong = |score: &Score| score.wrong_ms.len() as u64 > score.asked / 50;
        assert!(is_often_wrong(arrival), "{arrival:?}");
        assert!(is_often_wrong(device), "{device:?}");
    }
    assert_eq!(watch(None), tally, "the same seed gives the same figures");
}

#[test]
fn a_planted_bug_makes_answers_wrong() {
    for bug in [Bug::NewestTokenOnOldSamples, Bug::StampWithoutMovement, Bug::StampClampedToNow] {
        assert!(!watch(Some(bug)).at_rest.0[0].wrong_ms.is_empty(), "{bug:?}");
    }
}
