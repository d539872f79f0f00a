//! The tour of docs/TOUR.md, as it is written: each experiment shows what its page says, and leaves the picture that it has there.

use crate::world::Story;

/// As `cluster/up` starts it, at whatever ports are free.
fn three_regions() -> String {
    let text = include_str!("../../topologies/three-regions.toml");
    text.lines().filter(|line| !line.starts_with("http_port")).collect::<Vec<_>>().join("\n")
}

impl Story {
    /// What a figure of the viewers says.
    fn figure(name: &str) -> String {
        format!(
            "[...document.querySelectorAll('#viewers div')].find((it) => it.querySelector('dt').textContent === '{name}')?.querySelector('dd').textContent"
        )
    }

    async fn nobody_is_told_wrong(&self) {
        let told = self.browser.look(&Self::figure("told wrong")).await;
        assert_eq!(told, "0");
    }

    /// How far apart replicas are, in seconds.
    async fn until_apart(&self, condition: &str) {
        let seconds = "(([value, unit]) => Number(value) * ({ ms: 0.001, s: 1, min: 60 })[unit])(document.querySelector('#divergence').textContent.split(' '))";
        self.browser.until(&format!("{seconds} {condition}")).await;
    }

    /// Presses Play on a side and waits until it is told where it goes on; the place, in seconds.
    async fn goes_on(&self, side: &str) -> f64 {
        let told = format!("document.querySelector('[data-side={side}] .told')");
        self.browser.look(&format!("void delete {told}.dataset.ms")).await;
        self.press(&format!("[data-side={side}] .play")).await;
        self.browser.until(&format!("{told}.dataset.ms")).await;
        self.browser.look(&format!("Number({told}.dataset.ms)")).await.as_f64().expect("a place") / 1e3
    }

    async fn until_node_is(&self, name: &str, state: &str) {
        let row = format!("document.querySelector('#nodes [data-row=\"{name}\"]')?.children[2].textContent");
        self.browser.until(&format!("{row} === '{state}'")).await;
    }
}

#[tokio::test]
async fn five_experiments_show_what_their_page_says() {
    let story = Story::begin(("three-regions", &three_regions()), &["--viewers", "200"]).await;
    story.browser.resize(1_280, 1_760).await;
    story.browser.until(&format!("Number({}) > 5", Story::figure("went on elsewhere"))).await;

    cut_the_ocean(&story).await;
    make_an_island(&story).await;
    kill_a_region(&story).await;
    take_a_disk_away(&story).await;
    let_clocks_lie(&story).await;
    assert_eq!(story.browser.complaints().await, Vec::<String>::new());
    story.end().await;
}

async fn cut_the_ocean(story: &Story) {
    story.press("[data-side=left] .play").await;
    story.until_film_is_at("left", 5.0).await;
    story.press("[data-line=\"eu us\"]").await;
    story.until_line_is("eu us", "cut").await;
    story.until_film_is_at("left", 12.0).await;
    story.until_apart("< 4").await;
    let (left, right) = (story.film("left").await, story.goes_on("right").await);
    assert!((left - right).abs() <= 2.5, "left at {left}, right goes on at {right}");
    story.keep_tour("1-cut").await;
}

async fn make_an_island(story: &Story) {
    story.press("[data-side=right] .stop").await;
    story.press("[data-line=\"eu ap\"]").await;
    story.until_line_is("eu ap", "cut").await;
    story.until_apart("> 10").await;
    let (left, right) = (story.film("left").await, story.goes_on("right").await);
    assert!(left - right > 5.0, "left at {left}, right goes on at {right}: it cannot know better");
    story.keep_tour("2-island").await;
    story.press("[data-side=right] .stop").await;
    let left = story.film("left").await;
    story.press("[data-side=left] .stop").await;
    story.press("#heal").await;
    story.until_says("#log", "all regions answer alike").await;
    story.until_apart("< 4").await;
    let right = story.goes_on("right").await;
    assert!((left - right).abs() <= 1.5, "left at {left}, right goes on at {right}");
    story.keep_tour("2-healed").await;
    story.press("[data-side=right] .stop").await;
    story.nobody_is_told_wrong().await;
}

async fn kill_a_region(story: &Story) {
    story.order(&["kill", "eu"]).await;
    story.until_node_is("eu-1", "down").await;
    story
        .browser
        .until(&format!("Number({}.replace(',', '')) > 100", Story::figure("took another region")))
        .await;
    story.nobody_is_told_wrong().await;
    story.keep_tour("3-killed").await;
    story.order(&["start", "eu"]).await;
    story.until_node_is("eu-1", "up").await;
}

async fn take_a_disk_away(story: &Story) {
    story.order(&["wipe", "us"]).await;
    story.until_node_is("us-1", "up").await;
    story.until_apart("< 4").await;
    story.nobody_is_told_wrong().await;
    story.keep_tour("4-wiped").await;
}

async fn let_clocks_lie(story: &Story) {
    story.order(&["skew", "ap", "90000"]).await;
    story.until_node_is("ap-1", "up").await;
    story
        .browser
        .until("document.querySelector('#nodes [data-row=\"ap-1\"]').children[6].classList.contains('bad')")
        .await;
    story.nobody_is_told_wrong().await;
    story.keep_tour("5-skewed").await;
    story.order(&["skew", "ap", "0"]).await;
    story.nobody_is_told_wrong().await;
}
