//! The worked examples of `docs/SEMANTICS.md`, in every order of delivery, thrice, across a partition.

use playmark::{
    crdt::Stamp,
    playback::{Claims, Policy, ResumePoint, Shown, SlotKind, TimeQuality, Watched, resume, slot::WATCHED},
};

use crate::nodes::{Node, Player, Report, Story, seconds, story_time};

const HOUR: u64 = 3_600_000;

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

/// A session that has left the title at 3180 s.
fn stored_3180() -> Vec<Report> {
    let tv = Player::opens("tv", 0, &[]);
    vec![tv.plays(seconds(3_180), seconds(3_180))]
}

#[test]
fn sixty_heartbeats_in_any_order_end_at_the_last() {
    let tv = Player::opens("tv", 0, &[]);
    let reports: Vec<_> = (1..=60).map(|n| tv.plays(seconds(10 * n), seconds(10 * n))).collect();
    Story { before: &[], reports: &reports }.check(anything, is_at(seconds(600)));
}

#[test]
fn an_earlier_heartbeat_that_comes_later_through_another_region_changes_nothing() {
    let tv = Player::opens("tv", 0, &[]);
    let tenth = tv.says_as(10, seconds(100), seconds(100), r#""event":"playing","played_ms":100000"#);
    let eleventh = tv.says_as(11, seconds(110), seconds(110), r#""event":"playing","played_ms":110000"#);
    Story { before: &[], reports: &[eleventh, tenth] }.check(anything, is_at(seconds(110)));
}

#[test]
fn a_retry_does_not_beat_the_phone_that_has_read_it() {
    let tv = Player::opens("tv", 0, &[]);
    let eleventh = tv.says_as(11, seconds(110), seconds(110), r#""event":"playing","played_ms":110000"#);
    let phone = Player::opens("phone", seconds(115), std::slice::from_ref(&eleventh));
    let on_phone: Vec<_> = (1..=3).map(|n| phone.plays(seconds(60 * n), seconds(120 + 60 * n))).collect();
    let reports = [&[eleventh][..], &on_phone].concat();
    Story { before: &[], reports: &reports }.check(anything, |point| {
        assert_eq!(places(point), [seconds(300), seconds(110)]);
        assert!(!point.alternatives[0].concurrent, "the phone had read it");
    });
}

#[test]
fn a_rewind_is_not_undone_by_a_late_copy_from_before_it() {
    let tv = Player::opens("tv", 0, &[]);
    let far = tv.plays(seconds(1_200), seconds(1_200));
    let sought =
        tv.says(seconds(1_201), seconds(300), r#""event":"seeked","played_ms":1200000,"deliberate":true"#);
    let after =
        tv.says(seconds(1_202), seconds(301), r#""event":"playing","played_ms":1201000,"deliberate":true"#);
    Story { before: &[], reports: &[far.clone(), sought, after, far] }.check(anything, is_at(seconds(301)));
}

#[test]
fn a_phone_beats_what_it_has_read_through_a_region_whose_clock_is_slow() {
    let tv = Player::opens("tv", 0, &[]);
    let stop = tv.says(seconds(1_000), seconds(1_000), r#""event":"stopped","played_ms":1000000"#);
    // The American node's clock shows a second before the stop, and it has just happened.
    let phone = Player::opens("phone", seconds(999), std::slice::from_ref(&stop));
    let reports = [
        stop,
        phone.says(0, seconds(500), r#""event":"seeked","deliberate":true"#),
        phone.says(seconds(10), seconds(510), r#""event":"playing","played_ms":10000,"deliberate":true"#),
        phone.says(seconds(10), seconds(510), r#""event":"stopped","played_ms":10000,"deliberate":true"#),
    ];
    // From its first word on, although that is spoken a second before the stop by the node's clock.
    Story { before: &[], reports: &reports[..2] }.check(anything, is_at(seconds(500)));
    Story { before: &[], reports: &reports }.check(anything, is_at(seconds(510)));
}

/// A television paused at 1200 s for three hours and closed the next morning, and what it says when.
fn television_left_paused() -> (Vec<Report>, Report) {
    let tv = Player::opens("tv", 0, &[]);
    let mut said = vec![tv.plays(seconds(1_199), seconds(1_199))];
    let still = |event| format!(r#""event":"{event}","played_ms":1200000"#);
    // Whatever stands still repeats the elapsed time of the last movement.
    said.extend((0..30).map(|_| tv.says(seconds(1_200), seconds(1_200), &still("paused"))));
    let closed = tv.says(seconds(1_200), seconds(1_200), &still("stopped"));
    (said, closed)
}

#[test]
fn a_television_left_paused_does_not_beat_the_phone() {
    let (paused, closed) = television_left_paused();
    let phone = Player::opens("phone", HOUR, &paused[..5]);
    let end = phone.plays(seconds(1_200), seconds(2_400));
    let late = [&paused[..], &[closed]].concat();
    Story { before: &[paused[1].clone(), end.clone()], reports: &late }
        .check(only(&[seconds(2_400)]), is_at(seconds(2_400)));
    let all = [&late[..], &[end]].concat();
    Story { before: &[], reports: &all }.check(anything, |point| {
        assert_eq!(places(point), [seconds(2_400), seconds(1_200)]);
    });
}

#[test]
fn a_film_finished_on_the_phone_stays_finished_when_the_television_closes() {
    let (paused, closed) = television_left_paused();
    let phone = Player::opens("phone", HOUR, &paused[..5]);
    let end = phone.says(
        seconds(4_800),
        seconds(6_000),
        r#""event":"ended","played_ms":4800000,"duration_ms":6000000"#,
    );
    let reports = [&paused[..], &[closed, end]].concat();
    Story { before: &[], reports: &reports }.check(anything, |point| {
        assert!(point.completed && point.watched);
        assert_eq!(point.resume_position_ms(), 0);
        assert_eq!(point.place.sample.position_ms, seconds(6_000));
    });
}

#[test]
fn eight_failed_starts_do_not_lose_the_place() {
    let before = stored_3180();
    let mut reports = Vec::new();
    for n in 0..8 {
        let start = Player::opens(&format!("start {n}"), HOUR + seconds(10 * n), &before);
        reports.push(start.says(0, 0, r#""event":"playing""#));
        reports.push(start.says(500, 0, r#""event":"failed""#));
        reports.push(start.says(500, 0, r#""event":"stopped""#));
    }
    Story { before: &before, reports: &reports }.check(only(&[seconds(3_180)]), is_at(seconds(3_180)));
}

#[test]
fn a_resumed_session_is_never_seen_before_the_place_it_resumes() {
    let before = stored_3180();
    let again = Player::opens("again", HOUR, &before);
    let reports = [again.plays(0, 0), again.plays(1_588, 1_588), again.plays(3_600, seconds(3_182))];
    Story { before: &before, reports: &reports }
        .check(only(&[seconds(3_180), seconds(3_182)]), is_at(seconds(3_182)));
}

#[test]
fn a_restart_on_purpose_wins_at_once_and_keeps_the_old_place_as_an_alternative() {
    let before = stored_3180();
    let again = Player::opens("again", HOUR, &before);
    let restarted = again.says(0, 0, r#""event":"restarted""#);
    Story { before: &before, reports: std::slice::from_ref(&restarted) }
        .check(only(&[seconds(3_180), 0]), is_at(0));
    let played =
        again.says(seconds(20), seconds(20), r#""event":"playing","played_ms":20000,"deliberate":true"#);
    Story { before: &before, reports: &[restarted, played] }.check(anything, |point| {
        assert_eq!(places(point), [seconds(20), seconds(3_180)]);
        assert!(!point.alternatives[0].concurrent);
    });
}

#[test]
fn what_was_watched_offline_later_wins_when_it_is_uploaded() {
    // Story time 0 is seven o'clock.
    let tv = Player::opens("tv", 0, &[]);
    let on_tv = tv.plays(seconds(400), seconds(400));
    // The anchor of a session that opened offline at eight, as a node derives it at noon.
    let mut phone = Player::opens("phone", HOUR, &[]);
    phone.claims.quality = TimeQuality::Mono;
    let offline: Vec<_> = (1..=60).map(|n| phone.plays(seconds(60 * n), seconds(60 * n))).collect();
    let reports = [&[on_tv][..], &offline].concat();
    Story { before: &[], reports: &reports }.check(anything, |point| {
        assert_eq!(places(point), [seconds(3_600), seconds(400)]);
        assert_eq!(point.place.sample.quality, TimeQuality::Mono);
    });
}

#[test]
fn a_queue_drained_at_noon_does_not_beat_what_was_played_at_ten() {
    // Story time 0 is ten to eight.
    let phone = Player::opens("phone", 0, &[]);
    let (eight, ten, noon) = (600_000, 7_800_000, 15_000_000);
    let queue: Vec<_> = (1..=60).map(|n| phone.plays(eight + seconds(60 * n), seconds(60 * n))).collect();
    let tv = Player::opens("tv", ten, &[]);
    let on_tv: Vec<_> = (1..=5).map(|n| tv.plays(seconds(60 * n), seconds(100 + 60 * n))).collect();
    let reports = [&queue[..], &on_tv].concat();
    Story { before: &[], reports: &reports }.check(anything, |point| {
        assert_eq!(places(point), [seconds(400), seconds(3_600)]);
        assert!(point.alternatives[0].concurrent, "neither had seen the other");
    });

    // The first answer at noon brings a fresh line. Samples keep the line they were taken on: moved to
    // the fresh one, the queue would beat the television.
    let fresh = phone.claims.renewed(noon, &Shown::default(), story_time(noon)).expect("authorised");
    assert_eq!((fresh.session, fresh.anchor), (phone.claims.session, story_time(noon).plus_ms(1)));
    let moved: Vec<_> = queue.iter().map(|report| under(&fresh, report)).collect();
    let reports = [&moved[..], &on_tv].concat();
    Story { before: &[], reports: &reports }.check(anything, is_at(seconds(3_600)));
}

fn under(claims: &Claims, report: &Report) -> Report {
    let Report::Heartbeat(_, heartbeat) = report else { panic!("{report:?} is no heartbeat") };
    Report::Heartbeat(Box::new(claims.clone()), heartbeat.clone())
}

#[test]
fn a_title_marked_watched_stays_watched_when_it_is_played_again() {
    // Story time 0 is half past nine.
    let minute = 60_000;
    let tv = Player::opens("tv", 0, &[]);
    let late = tv.plays(29 * minute, seconds(1_700));
    let marked_at = Stamp { time: story_time(30 * minute), counter: 0, writer: [1; 16] };
    let marked = Report::Command(WATCHED, marked_at, Watched(true).encode());
    let again = Player::opens("again", 40 * minute, &[late.clone(), marked.clone()]);
    let played = again.plays(seconds(30), seconds(30));
    Story { before: &[], reports: &[late, marked, played] }.check(anything, |point| {
        assert!(point.watched);
        assert_eq!(places(point), [seconds(30), seconds(1_700)]);
    });
}

#[test]
fn a_beacon_overtakes_the_request_in_flight() {
    let page = Player::opens("page", 0, &[]);
    let in_flight = page.says_as(50, seconds(500), seconds(500), r#""event":"playing","played_ms":500000"#);
    let beacon = page.says_as(51, seconds(500), seconds(501), r#""event":"paused","played_ms":500000"#);
    Story { before: &[], reports: &[beacon, in_flight] }.check(anything, is_at(seconds(501)));
}

#[test]
fn an_end_told_fifteen_times_is_one_completion() {
    let tv = Player::opens("tv", 0, &[]);
    let ended =
        tv.says(seconds(100), seconds(100), r#""event":"ended","played_ms":100000,"duration_ms":100000"#);
    let at_most_one = |node: &Node| {
        let kinds = node.registers.keys().map(|&slot| SlotKind::of(slot));
        assert!(kinds.filter(|kind| *kind == Some(SlotKind::Completed)).count() <= 1);
    };
    let reports: Vec<_> = std::iter::repeat_n(ended, 5).collect();
    Story { before: &[], reports: &reports }.check(at_most_one, |point| assert!(point.watched));
}

#[test]
fn a_player_torn_down_does_not_lose_the_place() {
    let tv = Player::opens("tv", 0, &[]);
    let played = tv.plays(seconds(3_200), seconds(3_200));
    let torn_down = tv.says(seconds(3_201), 0, r#""event":"stopped","played_ms":3200000"#);
    Story { before: &[], reports: &[played, torn_down] }.check(anything, is_at(seconds(3_200)));
}

#[test]
fn the_threshold_applies_backwards_when_the_policy_changes() {
    let tv = Player::opens("tv", 0, &[]);
    let credits =
        tv.says(seconds(920), seconds(920), r#""event":"playing","played_ms":920000,"duration_ms":1000000"#);
    let completed = |node: &Node, percent| {
        let registers: Vec<_> = node.registers.iter().map(|(slot, at)| (*slot, at.clone())).collect();
        let policy = Policy::default().with_completed_percent(percent).expect("a percentage");
        resume(&registers, None, &policy).is_some_and(|point| point.completed)
    };
    let judged = |node: &Node| {
        if node.resume().is_some() {
            assert!(completed(node, 90) && !completed(node, 95));
        }
    };
    Story { before: &[], reports: &[credits] }.check(judged, is_at(seconds(920)));
}

#[test]
fn a_player_that_says_two_things_under_one_stamp_converges() {
    let tv = Player::opens("tv", 0, &[]);
    let plays = |position| tv.says_as(1, seconds(10), position, r#""event":"playing","played_ms":10000"#);
    let reports = [plays(10_000), plays(20_000), plays(15_000)];
    let greatest = is_at(20_000);
    Story { before: &[], reports: &reports }.check(anything, greatest);
}
