//! Worked examples in which the viewer orders something by hand: watched, dismissed, a place, forget.

use playmark::playback::{Bookmark, ResumePoint, SessionId, Vantage, What, Write};

use crate::{
    nodes::Node,
    players::{Player, Report, World, seconds},
    stories::{Story, check},
};

const MINUTE: u64 = 60_000;

fn anything(_: &Node) {}

fn position(point: &ResumePoint) -> u64 {
    point.place.sample.position_ms
}

fn story(reports: Vec<Report>) -> Story {
    Story { before: Vec::new(), reports }
}

fn ended(player: &Player, elapsed_ms: u64) -> Report {
    let members = format!(r#""event":"ended","played_ms":{elapsed_ms},"duration_ms":3600000"#);
    player.says(elapsed_ms, 3_600_000, &members)
}

/// The credits roll when the viewer takes the mark back.
fn taken_back(world: &World) -> Vec<Report> {
    let tv = world.opens("tv", 0, &[]);
    let credits =
        tv.says(50 * MINUTE, 3_500_000, r#""event":"playing","played_ms":3000000,"duration_ms":3600000"#);
    let unmarked = world.orders(51 * MINUTE, std::slice::from_ref(&credits), |from| from.watched(false));
    vec![credits, unmarked, ended(&tv, 55 * MINUTE)]
}

#[test]
fn taking_the_mark_back_beats_the_credits_that_roll() {
    check(
        |world| story(taken_back(world)),
        anything,
        |point| {
            assert!(point.completed && !point.watched, "the session was open when the mark was taken back");
            assert_eq!(point.plays, 1);
        },
    );
}

#[test]
fn the_next_end_marks_again_what_was_unmarked_and_is_another_play() {
    let told = |world: &World| {
        let before = taken_back(world);
        let again = world.opens("again", 60 * MINUTE, &before);
        story([&before[..], &[ended(&again, 58 * MINUTE)]].concat())
    };
    check(told, anything, |point| assert_eq!((point.watched, point.plays), (true, 2)));
}

fn out_of_the_row(from: &Vantage<'_>) -> Write {
    from.dismissed()
}

/// The television stops at 1000 s, and its title is taken out of the row.
fn dismissed(world: &World) -> Vec<Report> {
    let tv = world.opens("tv", 0, &[]);
    let (late, stopped) = (tv.plays(seconds(990), seconds(990)), tv.plays(seconds(1_000), seconds(1_000)));
    let dismissed = world.orders(20 * MINUTE, std::slice::from_ref(&stopped), out_of_the_row);
    vec![stopped, dismissed, late]
}

#[test]
fn a_dismissed_title_does_not_come_back_with_a_late_report() {
    check(
        |world| story(dismissed(world)),
        anything,
        |point| {
            assert_eq!((position(point), point.dismissed), (seconds(1_000), true));
        },
    );
}

#[test]
fn a_dismissed_title_comes_back_when_it_is_played_on() {
    let told = |world: &World| {
        let before = dismissed(world);
        let phone = world.opens("phone", 30 * MINUTE, &before);
        story([&before[..], &[phone.plays(seconds(10), seconds(1_010))]].concat())
    };
    check(told, anything, |point| {
        assert_eq!((position(point), point.dismissed), (seconds(1_010), false));
    });
}

fn forgotten(from: &Vantage<'_>) -> Write {
    from.fence()
}

#[test]
fn what_was_erased_stays_erased_whatever_comes_late() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let played = [tv.plays(seconds(1_000), seconds(1_000)), ended(&tv, seconds(3_600))];
        let erased = world.orders(70 * MINUTE, &played, forgotten);
        let all = [&played[..], &[erased]].concat();
        let phone = world.opens("phone", 80 * MINUTE, &all);
        story([&all[..], &[phone.plays(seconds(30), seconds(30))]].concat())
    };
    check(told, anything, |point| {
        assert_eq!((position(point), point.alternatives.len()), (seconds(30), 0));
        assert_eq!((point.watched, point.plays), (false, 0));
    });
}

fn set_to_300(from: &Vantage<'_>) -> Write {
    let bookmark =
        Bookmark { position_ms: 300_000, duration_ms: None, credits_ms: None, device: None, series: None };
    from.place(SessionId::parse("bookmark").expect("a text"), bookmark)
}

#[test]
fn a_place_that_was_set_wins_over_what_its_viewer_had_seen() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let (late, stop) = (tv.plays(seconds(990), seconds(990)), tv.plays(seconds(1_000), seconds(1_000)));
        // By the clock of the node that is asked, it is a second before the stop that it shows.
        let set = world.orders(seconds(999), std::slice::from_ref(&stop), set_to_300);
        story(vec![stop, set, late])
    };
    check(told, anything, |point| {
        assert_eq!((position(point), point.completed), (300_000, false));
        let others =
            point.alternatives.iter().map(|other| (other.place.sample.position_ms, other.concurrent));
        assert_eq!(others.collect::<Vec<_>>(), [(seconds(1_000), false)]);
    });
}

/// A phone without a network plays to 600 s, and its viewer orders something; the television plays in the evening.
fn ordered_offline(what: What, evening: impl Fn(&World, &[Report]) -> Report) -> impl Fn(&World) -> Story {
    move |world| {
        let phone = world.opens("phone", 0, &[]);
        let played = phone.plays(seconds(600), seconds(600));
        let ordered = phone.orders(seconds(610), what);
        // Nobody has heard of the phone by then.
        let later = evening(world, &[]);
        story(vec![later, played, ordered])
    }
}

fn television(world: &World, shown: &[Report]) -> Report {
    world.opens("tv", 60 * MINUTE, shown).plays(seconds(400), seconds(400))
}

#[test]
fn what_a_device_has_dated_loses_to_what_was_done_after_it_whenever_it_comes() {
    check(ordered_offline(What::Dismissed, television), anything, |point| {
        assert_eq!((position(point), point.dismissed), (seconds(400), false));
    });
    let unmarked =
        |world: &World, shown: &[Report]| world.orders(60 * MINUTE, shown, |from| from.watched(false));
    check(ordered_offline(What::Watched(true), unmarked), anything, |point| {
        assert_eq!((position(point), point.watched), (seconds(600), false));
    });
}

#[test]
fn what_a_device_has_dated_beats_what_its_viewer_had_done_before() {
    let nothing =
        |world: &World, shown: &[Report]| world.orders(5 * MINUTE, shown, |from| from.watched(false));
    check(ordered_offline(What::Watched(true), nothing), anything, |point| assert!(point.watched));
    let told = |world: &World| {
        let phone = world.opens("phone", 0, &[]);
        story(vec![phone.plays(seconds(600), seconds(600)), phone.orders(seconds(610), What::Dismissed)])
    };
    check(told, anything, |point| assert!(point.dismissed));
}
