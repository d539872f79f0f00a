//! The worked examples of `docs/SEMANTICS.md`, in every order of delivery, thrice, across a partition.

use playmark::playback::{Began, Clock, InRow, Policy, ResumePoint, Shown, TimeQuality, resume};

use crate::{
    nodes::Node,
    players::{Player, Report, World, seconds, story_time},
    stories::{Story, check},
};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn anything(_: &Node) {}

/// Looks at a node that knows a place, and finds one of `positions`.
fn only(positions: &[u64]) -> impl Fn(&Node) {
    move |node| {
        let found = node.resume().expect("a place was stored before").place.sample.position_ms;
        assert!(positions.contains(&found), "{found} and not one of {positions:?}");
    }
}

fn is_at(position_ms: u64) -> impl Fn(&ResumePoint) {
    move |point| assert_eq!(point.place.sample.position_ms, position_ms)
}

/// The positions of a resume point and of its alternatives.
fn places(point: &ResumePoint) -> Vec<u64> {
    let others = point.alternatives.iter().map(|other| other.place.sample.position_ms);
    std::iter::once(point.place.sample.position_ms).chain(others).collect()
}

fn is_in_row(point: &ResumePoint) -> bool {
    InRow::of(point, &Policy::default()) == InRow::Shown
}

/// A story of which nobody has heard anything before.
fn story(reports: Vec<Report>) -> Story {
    Story { before: Vec::new(), reports }
}

/// A session that has left the title at 3180 s.
fn stored_3180(world: &World) -> Vec<Report> {
    let tv = world.opens("tv", 0, &[]);
    vec![tv.plays(seconds(3_180), seconds(3_180))]
}

#[test]
fn sixty_heartbeats_in_any_order_end_at_the_last() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        story((1..=60).map(|n| tv.plays(seconds(10 * n), seconds(10 * n))).collect())
    };
    check(told, anything, is_at(seconds(600)));
}

fn tenth_and_eleventh(tv: &Player) -> [Report; 2] {
    let says = |seq, at| {
        let members = format!(r#""event":"playing","played_ms":{}"#, seconds(at));
        tv.says_as(seq, seconds(at), seconds(at), &members)
    };
    [says(10, 100), says(11, 110)]
}

#[test]
fn an_earlier_heartbeat_that_comes_later_through_another_region_changes_nothing() {
    let told = |world: &World| {
        let [tenth, eleventh] = tenth_and_eleventh(&world.opens("tv", 0, &[]));
        story(vec![eleventh, tenth])
    };
    check(told, anything, is_at(seconds(110)));
}

#[test]
fn a_retry_does_not_beat_the_phone_that_has_read_it() {
    let told = |world: &World| {
        let [_, eleventh] = tenth_and_eleventh(&world.opens("tv", 0, &[]));
        let phone = world.opens("phone", seconds(115), std::slice::from_ref(&eleventh));
        let on_phone = (1..=3).map(|n| phone.plays(seconds(60 * n), seconds(120 + 60 * n)));
        story([eleventh].into_iter().chain(on_phone).collect())
    };
    check(told, anything, |point| {
        assert_eq!(places(point), [seconds(300), seconds(110)]);
        assert!(!point.alternatives[0].concurrent, "the phone had read it");
    });
}

#[test]
fn a_rewind_is_not_undone_by_a_late_copy_from_before_it() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let far = tv.plays(seconds(1_200), seconds(1_200));
        let sought = r#""event":"seeked","played_ms":1200000,"deliberate":true"#;
        let sought = tv.says(seconds(1_201), seconds(300), sought);
        let after = r#""event":"playing","played_ms":1201000,"deliberate":true"#;
        let after = tv.says(seconds(1_202), seconds(301), after);
        story(vec![far.clone(), sought, after, far])
    };
    check(told, anything, is_at(seconds(301)));
}

/// A television stops at 1000 s, and a phone that has read that seeks to 500 s and plays on; `words` of
/// what the phone says have been sent.
fn phone_through_a_slow_region(world: &World, words: usize) -> Story {
    let tv = world.opens("tv", 0, &[]);
    let stop = tv.says(seconds(1_000), seconds(1_000), r#""event":"stopped","played_ms":1000000"#);
    // The American node's clock is two seconds behind the television's line, and the stop has just happened.
    let slow = tv.claims.anchor.plus_ms(seconds(998));
    let phone = Player::opens("phone", slow, std::slice::from_ref(&stop));
    let said = [
        phone.says(0, seconds(500), r#""event":"seeked","deliberate":true"#),
        phone.says(seconds(10), seconds(510), r#""event":"playing","played_ms":10000,"deliberate":true"#),
        phone.says(seconds(10), seconds(510), r#""event":"stopped","played_ms":10000,"deliberate":true"#),
    ];
    story([stop].into_iter().chain(said.into_iter().take(words)).collect())
}

#[test]
fn a_phone_beats_what_it_has_read_through_a_region_whose_clock_is_slow() {
    // From its first word on, although that is spoken before the stop by the node's clock.
    check(|world| phone_through_a_slow_region(world, 1), anything, is_at(seconds(500)));
    check(|world| phone_through_a_slow_region(world, 3), anything, is_at(seconds(510)));
}

/// A television paused at 1200 s for three hours and closed the next morning, and what it says when.
fn television_left_paused(world: &World) -> (Vec<Report>, Report) {
    let tv = world.opens("tv", 0, &[]);
    let mut said = vec![tv.plays(seconds(1_199), seconds(1_199))];
    let still = |event| format!(r#""event":"{event}","played_ms":1200000"#);
    // Whatever stands still repeats the elapsed time of the last movement.
    said.extend((0..30).map(|_| tv.says(seconds(1_200), seconds(1_200), &still("paused"))));
    let closed = tv.says(seconds(1_200), seconds(1_200), &still("stopped"));
    (said, closed)
}

#[test]
fn a_television_left_paused_does_not_beat_the_phone() {
    let phone_first = |world: &World| {
        let (paused, closed) = television_left_paused(world);
        let end = world.opens("phone", HOUR, &paused[..5]).plays(seconds(1_200), seconds(2_400));
        Story { before: vec![paused[1].clone(), end], reports: [paused, vec![closed]].concat() }
    };
    check(phone_first, only(&[seconds(2_400)]), is_at(seconds(2_400)));
    let in_any_order = |world: &World| {
        let Story { before, reports } = phone_first(world);
        story([before, reports].concat())
    };
    check(in_any_order, anything, |point| assert_eq!(places(point), [seconds(2_400), seconds(1_200)]));
}

#[test]
fn a_film_finished_on_the_phone_stays_finished_when_the_television_closes() {
    let told = |world: &World| {
        let (paused, closed) = television_left_paused(world);
        let phone = world.opens("phone", HOUR, &paused[..5]);
        let ended = r#""event":"ended","played_ms":4800000,"duration_ms":6000000"#;
        let end = phone.says(seconds(4_800), seconds(6_000), ended);
        story([paused, vec![closed, end]].concat())
    };
    check(told, anything, |point| {
        assert!(point.completed && point.watched);
        assert!(!is_in_row(point));
        assert_eq!(point.resume_position_ms(), 0);
        assert_eq!(point.place.sample.position_ms, seconds(6_000));
    });
}

#[test]
fn eight_failed_starts_do_not_lose_the_place() {
    let told = |world: &World| {
        let before = stored_3180(world);
        let mut reports = Vec::new();
        for n in 0..8 {
            let start = world.opens(&format!("start {n}"), HOUR + seconds(10 * n), &before);
            reports.push(start.says(0, 0, r#""event":"playing""#));
            reports.push(start.says(500, 0, r#""event":"failed""#));
            reports.push(start.says(500, 0, r#""event":"stopped""#));
        }
        Story { before, reports }
    };
    check(told, only(&[seconds(3_180)]), is_at(seconds(3_180)));
}

#[test]
fn a_resumed_session_is_never_seen_before_the_place_it_resumes() {
    let told = |world: &World| {
        let before = stored_3180(world);
        let again = world.opens("again", HOUR, &before);
        let reports = vec![again.plays(0, 0), again.plays(1_588, 1_588), again.plays(3_600, seconds(3_182))];
        Story { before, reports }
    };
    check(told, only(&[seconds(3_180), seconds(3_182)]), is_at(seconds(3_182)));
}

/// A session that begins at 0 on purpose, where 3180 s was stored; `words` of what it says have been sent.
fn restarted(world: &World, words: usize) -> Story {
    let before = stored_3180(world);
    let again = world.opens("again", HOUR, &before);
    let played = r#""event":"playing","played_ms":20000,"deliberate":true"#;
    let said = [again.says(0, 0, r#""event":"restarted""#), again.says(seconds(20), seconds(20), played)];
    Story { before, reports: said.into_iter().take(words).collect() }
}

#[test]
fn a_restart_on_purpose_wins_at_once_and_keeps_the_old_place_as_an_alternative() {
    check(|world| restarted(world, 1), only(&[seconds(3_180), 0]), is_at(0));
    check(
        |world| restarted(world, 2),
        only(&[seconds(3_180), 0, seconds(20)]),
        |point| {
            assert_eq!(places(point), [seconds(20), seconds(3_180)]);
            assert!(!point.alternatives[0].concurrent);
        },
    );
}

#[test]
fn what_was_watched_offline_later_wins_when_it_is_uploaded() {
    let told = |world: &World| {
        // Story time 0 is seven o'clock.
        let on_tv = world.opens("tv", 0, &[]).plays(seconds(400), seconds(400));
        // Opened offline at eight, and dated at noon by a clock that counts sleep.
        let phone = world.comes_back(
            "phone",
            5 * HOUR,
            &Began {
                clock: Clock::Boot,
                latest_elapsed_ms: HOUR,
                sent_elapsed_ms: Some(4 * HOUR),
                last_server_time: Some(story_time(0)),
                ..Began::default()
            },
        );
        let offline = (1..=60).map(|n| phone.plays(seconds(60 * n), seconds(60 * n)));
        story([on_tv].into_iter().chain(offline).collect())
    };
    check(told, anything, |point| {
        assert_eq!(places(point), [seconds(3_600), seconds(400)]);
        assert_eq!(point.place.sample.quality, TimeQuality::Mono);
    });
}

/// A phone whose queue is drained at noon, and a television that played at ten. The queue is sent under the
/// token it was taken under or, where a player has not heard of that rule, under the newest.
fn queue_drained_at_noon(world: &World, newest: bool) -> Story {
    // Story time 0 is ten to eight.
    let phone = world.opens("phone", 0, &[]);
    let (eight, ten, noon) = (10 * MINUTE, 130 * MINUTE, 250 * MINUTE);
    // The first answer at noon brings a fresh line of the same session.
    let fresh = phone.claims.renewed(noon, &Shown::default(), story_time(noon)).expect("authorised");
    assert_eq!(fresh.session, phone.claims.session);
    let phone = if newest { Player::with(fresh, story_time(noon)) } else { phone };
    let queue = (1..=60).map(|n| phone.plays(eight + seconds(60 * n), seconds(60 * n)));
    let tv = world.opens("tv", ten, &[]);
    let on_tv = (1..=5).map(|n| tv.plays(seconds(60 * n), seconds(100 + 60 * n)));
    story(queue.chain(on_tv).collect())
}

#[test]
fn a_queue_drained_at_noon_does_not_beat_what_was_played_at_ten() {
    check(
        |world| queue_drained_at_noon(world, false),
        anything,
        |point| {
            assert_eq!(places(point), [seconds(400), seconds(3_600)]);
            assert!(point.alternatives[0].concurrent, "neither had seen the other");
        },
    );
}

#[test]
fn a_queue_moved_to_the_newest_token_would_beat_what_was_played_since() {
    // It is why samples keep the line they were taken on.
    check(|world| queue_drained_at_noon(world, true), anything, is_at(seconds(3_600)));
}

#[test]
fn a_title_marked_watched_stays_watched_when_it_is_played_again() {
    let told = |world: &World| {
        // Story time 0 is half past nine.
        let late = world.opens("tv", 0, &[]).plays(29 * MINUTE, seconds(1_700));
        let marked = world.orders(30 * MINUTE, &[], |vantage| vantage.watched(true));
        let again = world.opens("again", 40 * MINUTE, &[late.clone(), marked.clone()]);
        Story { before: vec![marked], reports: vec![late, again.plays(seconds(30), seconds(30))] }
    };
    let always = |node: &Node| {
        let Some(point) = node.resume() else { return };
        assert!(point.watched, "it was marked before either was heard of");
        let played_since = point.place.sample.position_ms == seconds(30);
        assert_eq!(
            is_in_row(&point),
            played_since,
            "what was played before the mark is no reason: {point:?}"
        );
    };
    check(told, always, |point| assert_eq!(places(point), [seconds(30), seconds(1_700)]));
}

#[test]
fn a_beacon_overtakes_the_request_in_flight() {
    let told = |world: &World| {
        let page = world.opens("page", 0, &[]);
        let says = |seq, position, event| {
            let members = format!(r#""event":"{event}","played_ms":500000"#);
            page.says_as(seq, seconds(500), position, &members)
        };
        story(vec![says(51, seconds(501), "paused"), says(50, seconds(500), "playing")])
    };
    check(told, anything, is_at(seconds(501)));
}

#[test]
fn an_end_told_fifteen_times_is_one_completion() {
    let told = |world: &World| {
        let ended = r#""event":"ended","played_ms":100000,"duration_ms":100000"#;
        let ended = world.opens("tv", 0, &[]).says(seconds(100), seconds(100), ended);
        story(std::iter::repeat_n(ended, 5).collect())
    };
    check(told, |node| assert!(node.completions() <= 1), |point| assert!(point.watched));
}

#[test]
fn a_player_torn_down_does_not_lose_the_place() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let played = tv.plays(seconds(3_200), seconds(3_200));
        story(vec![played, tv.says(seconds(3_201), 0, r#""event":"stopped","played_ms":3200000"#)])
    };
    check(told, anything, is_at(seconds(3_200)));
}

#[test]
fn the_threshold_applies_backwards_when_the_policy_changes() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let credits = r#""event":"playing","played_ms":920000,"duration_ms":1000000"#;
        story(vec![tv.says(seconds(920), seconds(920), credits)])
    };
    let completed = |node: &Node, percent| {
        let policy = Policy::default().with_completed_percent(percent).expect("a percentage");
        resume(&node.registers(), None, &policy).is_some_and(|point| point.completed)
    };
    let judged = |node: &Node| {
        if node.resume().is_some() {
            assert!(completed(node, 90) && !completed(node, 95));
        }
    };
    check(told, judged, is_at(seconds(920)));
}

#[test]
fn a_player_that_says_two_things_under_one_stamp_converges() {
    let told = |world: &World| {
        let tv = world.opens("tv", 0, &[]);
        let plays = |position| tv.says_as(1, seconds(10), position, r#""event":"playing","played_ms":10000"#);
        story(vec![plays(10_000), plays(20_000), plays(15_000)])
    };
    check(told, anything, is_at(20_000));
}
