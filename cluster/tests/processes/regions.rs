//! Regions that are cut off, killed and started again.

use cluster::{
    lab::{Lab, Ways},
    topology::Topology,
};

use crate::world::{
    REGIONS, assert_alike, close_together, place, place_after, report, title, until_all_hold_all,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_that_begins_dark_is_let_in_by_a_heal() {
    let topology = Topology::load("one-region-dark").expect("it is part of the tool");
    let lab = Lab::start_scratch(topology).await.expect("three nodes start");
    assert_eq!(lab.wan().cuts().len(), 4, "both lines of ap, both ways");
    let film = title("film");
    let dot = report(&lab, "eu", &film, 61_000).await;
    assert_eq!(place(&lab, "ap", &film).await, None, "it is dark");
    lab.heal_all().expect("a relay heals");
    assert_eq!(place_after(&lab, "ap", &film, &dot).await, 61_000);
    lab.end().await;
}

#[tokio::test]
async fn three_regions_come_to_the_same_answers() {
    let lab = close_together().await;
    let titles = REGIONS.map(title);
    for (region, title) in REGIONS.iter().zip(&titles) {
        report(&lab, region, title, 61_000).await;
    }
    assert_alike(&lab, &titles).await;
    for region in REGIONS {
        for title in &titles {
            assert_eq!(place(&lab, region, title).await, Some(61_000), "{title} in {region}");
        }
    }
}

#[tokio::test]
async fn the_last_activity_wins_in_every_region() {
    let lab = close_together().await;
    let film = title("film");
    for (region, position) in REGIONS.iter().zip([3_000_000, 2_000_000, 1_000_000]) {
        let dot = report(&lab, region, &film, position).await;
        // The next device reads before it plays on, as players do.
        for other in REGIONS {
            assert_eq!(place_after(&lab, other, &film, &dot).await, position, "as read in {other}");
        }
    }
}

#[tokio::test]
async fn what_two_regions_cannot_tell_each_other_goes_through_the_third() {
    let lab = close_together().await;
    lab.cut("eu", "us", Ways::Both).expect("two regions of the lab");
    let film = title("film");
    let dot = report(&lab, "eu", &film, 61_000).await;
    assert_eq!(place_after(&lab, "us", &film, &dot).await, 61_000);
    let dot = report(&lab, "us", &film, 99_000).await;
    assert_eq!(place_after(&lab, "eu", &film, &dot).await, 99_000);
    assert_eq!(lab.wan().cuts().len(), 2, "the direct way is cut all along");
}

#[tokio::test]
async fn a_region_cut_off_on_all_sides_serves_and_agrees_after_the_heal() {
    let lab = close_together().await;
    let (begun, inside, outside) = (title("begun"), title("inside"), title("outside"));
    report(&lab, "us", &begun, 10_000).await;
    until_all_hold_all(&lab).await;

    for other in ["us", "ap"] {
        lab.cut("eu", other, Ways::Both).expect("two regions of the lab");
    }
    report(&lab, "us", &begun, 20_000).await;
    report(&lab, "ap", &outside, 40_000).await;
    report(&lab, "eu", &inside, 50_000).await;
    // The later activity, made by somebody who could not know of the earlier one.
    report(&lab, "eu", &begun, 30_000).await;
    assert_eq!(place(&lab, "eu", &outside).await, None);
    assert_eq!(place(&lab, "us", &inside).await, None);

    lab.heal_all().expect("a relay heals");
    assert_alike(&lab, &[begun.clone(), inside.clone(), outside.clone()]).await;
    for region in REGIONS {
        assert_eq!(place(&lab, region, &begun).await, Some(30_000), "in {region}");
        assert_eq!(place(&lab, region, &inside).await, Some(50_000), "in {region}");
        assert_eq!(place(&lab, region, &outside).await, Some(40_000), "in {region}");
    }
}

#[tokio::test]
async fn a_line_cut_one_way_is_enough_to_converge_after_the_heal() {
    let lab = close_together().await;
    for other in ["us", "ap"] {
        lab.cut("eu", other, Ways::OneWay).expect("two regions of the lab");
    }
    let titles = [title("inside"), title("outside")];
    report(&lab, "eu", &titles[0], 50_000).await;
    report(&lab, "us", &titles[1], 40_000).await;
    lab.heal_all().expect("a relay heals");
    assert_alike(&lab, &titles).await;
}

#[tokio::test]
async fn what_a_killed_region_had_passed_on_is_read_elsewhere() {
    let lab = close_together().await;
    let film = title("film");
    report(&lab, "eu", &film, 61_000).await;
    until_all_hold_all(&lab).await;
    lab.kill("eu").await.expect("a region of the lab");
    assert_eq!(place(&lab, "us", &film).await, Some(61_000));

    report(&lab, "us", &film, 99_000).await;
    lab.start_again("eu").await.expect("it starts again");
    assert_alike(&lab, std::slice::from_ref(&film)).await;
    assert_eq!(place(&lab, "eu", &film).await, Some(99_000));
}

#[tokio::test]
async fn a_killed_region_comes_back_with_all_that_it_had_acknowledged() {
    let lab = close_together().await;
    // Cut off first, so that nobody else can give it back what it lost.
    for other in ["us", "ap"] {
        lab.cut("eu", other, Ways::Both).expect("two regions of the lab");
    }
    let titles: Vec<_> = (0..20).map(|number| title(&format!("film-{number}"))).collect();
    for (position, title) in (0..).zip(&titles) {
        report(&lab, "eu", title, 60_000 + position).await;
    }
    lab.kill("eu").await.expect("a region of the lab");
    lab.start_again("eu").await.expect("it starts again");
    for (position, title) in (0..).zip(&titles) {
        assert_eq!(place(&lab, "eu", title).await, Some(60_000 + position), "{title}");
    }
    lab.heal_all().expect("a relay heals");
    assert_alike(&lab, &titles).await;
    assert_eq!(place(&lab, "ap", &titles[19]).await, Some(60_019));
}
