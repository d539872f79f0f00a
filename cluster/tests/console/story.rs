//! One watches on the left, cuts the ocean, watches on the right, heals, and sees the answer.

use serde_json::json;

use crate::world::Story;

/// Close together, so that the story takes no longer than it must; nobody watches but the page.
const TWO_REGIONS: &str = r#"
cluster = "demo"
[[regions]]
name = "eu"
[[regions]]
name = "us"
[[lines]]
from = "eu"
to = "us"
delay_ms = 20
"#;

#[tokio::test]
async fn one_watches_on_the_left_cuts_the_ocean_watches_on_heals_and_goes_on_on_the_right() {
    let story = Story::begin(("two-regions", TWO_REGIONS), &[]).await;
    story.until_line_is("eu us", "up").await;
    let where_buttons_are = "JSON.stringify([...document.querySelectorAll('button')].filter((it) => it.offsetParent).map((it) => \
        [it.getBoundingClientRect().x, it.getBoundingClientRect().y + scrollY].map(String)).slice(0, 6))";
    let before = story.browser.look(where_buttons_are).await;

    story.press("[data-side=left] .play").await;
    story.until_film_is_at("left", 4.5).await;
    story.until_says("[data-side=left] .told", "began at 0:00 at eu-1").await;
    story.press("[data-line=\"eu us\"]").await;
    story.until_line_is("eu us", "cut").await;
    story.until_says("#log", "cut eu→us, us→eu").await;
    story.until_film_is_at("left", 9.0).await;

    // The other side of the ocean cannot know; it answers all the same, with what it had heard.
    story.press("[data-side=right] .play").await;
    story.browser.until("document.querySelector('[data-side=right] .told').dataset.ms || document.querySelector('[data-side=right] .told').textContent.includes('began')").await;
    let told = "Number(document.querySelector('[data-side=right] .told').dataset.ms ?? 0)";
    assert!(story.browser.look(told).await.as_f64().expect("a number") < 8_000.0, "it cannot know");
    story.press("[data-side=right] .stop").await;
    story.browser.until("Number.parseFloat(document.querySelector('#divergence').textContent) > 0").await;
    story.keep_picture("cut").await;

    let left = story.film("left").await;
    story.press("[data-side=left] .stop").await;
    story.press("#heal").await;
    story.until_says("#log", "all regions answer alike").await;
    story.until_line_is("eu us", "up").await;
    story.until_says("#divergence", "0 ms").await;
    story.browser.look("void delete document.querySelector('[data-side=right] .told').dataset.ms").await;
    story.press("[data-side=right] .play").await;
    story.browser.until("document.querySelector('[data-side=right] .told').dataset.ms").await;
    let right = story.browser.look(told).await.as_f64().expect("a place") / 1e3;
    assert!((right - left).abs() <= 1.5, "left at {left}, right goes on at {right}");

    story.browser.look("void (document.querySelector('#inspect-profile').value = 'console')").await;
    story.press("#inspect").await;
    story.until_says("[data-replica=us-1]", "won").await;
    story.until_says("[data-replica=eu-1]", "won").await;
    // From here on each replica's answers are seen to rise together with the film.
    let rows = "document.querySelectorAll('.timeline tbody tr').length";
    let rises = |name: &str| {
        format!(
            "[...document.querySelectorAll('.timeline tbody tr')].filter((it) => it.textContent.includes('{name}')).length >= 3"
        )
    };
    story.browser.until(&rises("eu-1")).await;
    story.browser.until(&rises("us-1")).await;
    assert!(story.browser.look(rows).await.as_f64().expect("a number") <= 30.0, "the oldest go");
    story.browser.look("void document.querySelector('#inspector-title').scrollIntoView()").await;
    story.keep_picture("healed").await;
    assert_eq!(story.barriers().await, json!([]), "with a viewer looked at");
    assert_eq!(story.browser.look(where_buttons_are).await, before, "buttons stay where they are");
    assert_eq!(story.browser.complaints().await, Vec::<String>::new());
    story.end().await;
}

#[tokio::test]
async fn a_checker_of_accessibility_finds_nothing_serious_in_light_dark_and_on_a_phone() {
    let story = Story::begin(("two-regions", TWO_REGIONS), &[]).await;
    story.until_line_is("eu us", "up").await;
    for (name, width, height) in [("light", 1_280, 1_400), ("dark", 1_280, 1_400), ("phone", 360, 800)] {
        if name == "dark" {
            story.press("#theme").await;
        }
        story.browser.resize(width, height).await;
        story.keep_picture(name).await;
        assert_eq!(story.barriers().await, json!([]), "{name}");
        let wide =
            story.browser.look("document.documentElement.scrollWidth - document.documentElement.clientWidth");
        assert_eq!(wide.await, json!(0), "{name}: the page itself does not scroll sideways");
    }
    story.end().await;
}
