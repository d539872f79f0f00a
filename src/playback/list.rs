//! Lists of a profile's titles, the latest activity first, and where the next page goes on.
//!
//! A cursor names the last title of a page by what orders it, and not by its number: what is played while
//! somebody pages moves to the front, past what has been shown already, and pushes nothing from one page
//! to the next. So nothing is shown twice, and the only title that a walk to the end can miss is one that
//! was played meanwhile: it stands at the front of a fresh list.

use std::cmp::Reverse;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::crdt::{ContentId, Stamp, decode, encode};

/// The format of cursors written by this build.
const FORMAT: u8 = 1;

/// How many titles a page has where nobody says.
pub const PAGE_DEFAULT: usize = 20;
/// How many titles a page may have: more than any screen shows.
pub const PAGE_MAX: usize = 100;

/// Where a title stands in a list: by its latest activity, then by its content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Cursor {
    /// The stamp of the latest activity.
    pub latest: Stamp,
    /// Tells apart what was done under one stamp.
    pub content: ContentId,
}

impl Cursor {
    /// Reads a cursor as a page gave it.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, NotACursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        decode(FORMAT, &bytes).map_err(|_| NotACursor)
    }

    /// The text that a client gives back.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(encode(FORMAT, self))
    }
}

/// Says that a text is no cursor; the caller's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a cursor: send `next` of a page as it came")]
pub struct NotACursor;

/// What stands in a list.
pub trait Listed {
    /// Where it stands.
    fn cursor(&self) -> Cursor;
}

/// Some of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The latest activity first.
    pub items: Vec<T>,
    /// After which the next page begins; `None` where nothing follows.
    pub next: Option<Cursor>,
}

/// Orders a list, and cuts out the page of at most `limit` that follows a cursor.
pub fn page<T: Listed>(mut items: Vec<T>, after: Option<&Cursor>, limit: usize) -> Page<T> {
    items.retain(|item| after.is_none_or(|after| item.cursor() < *after));
    items.sort_by_cached_key(|item| Reverse(item.cursor()));
    let is_cut = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| is_cut).map(Listed::cursor);
    Page { items, next }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::crdt::WallTime;

    impl Listed for Cursor {
        fn cursor(&self) -> Cursor {
            self.clone()
        }
    }

    fn title(ms: u64, content: u8) -> Cursor {
        let content = ContentId::parse(&format!("film/{content}")).expect("an id");
        Cursor { latest: Stamp { time: WallTime::from_ms(ms), counter: 1, writer: [7; 16] }, content }
    }

    /// All pages one after the other; `between` happens after the first.
    fn walk(mut titles: Vec<Cursor>, limit: usize, between: impl FnOnce(&mut Vec<Cursor>)) -> Vec<Cursor> {
        let mut between = Some(between);
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = page(titles.clone(), after.as_ref(), limit);
            assert!(page.items.len() <= limit);
            walked.extend(page.items);
            let Some(next) = page.next else { return walked };
            after = Some(Cursor::parse(&next.to_text()).expect("it was just made"));
            if let Some(between) = between.take() {
                between(&mut titles);
            }
        }
    }

    proptest! {
        #[test]
        fn pages_of_any_size_show_everything_once_and_in_order(
            times in vec(0..9_u64, 0..30), limit in 1..12_usize,
        ) {
            let titles: Vec<_> = (0..).zip(times).map(|(content, ms)| title(ms, content)).collect();
            let mut expected = titles.clone();
            expected.sort_unstable_by(|one, other| other.cmp(one));
            prop_assert_eq!(walk(titles, limit, |_| {}), expected);
        }

        #[test]
        fn what_is_played_or_added_meanwhile_shifts_nothing(
            times in vec(0..9_u64, 1..30), limit in 1..12_usize, played in any::<prop::sample::Index>(),
        ) {
            let titles: Vec<_> = (0..).zip(times).map(|(content, ms)| title(ms, content)).collect();
            let played = played.get(&titles).content.clone();
            let walked = walk(titles.clone(), limit, |titles| {
                for title in titles.iter_mut().filter(|title| title.content == played) {
                    title.latest.time = WallTime::from_ms(99);
                }
                titles.push(title(100, 200));
            });
            for title in &titles {
                let shown = walked.iter().filter(|shown| shown.content == title.content).count();
                prop_assert!(shown == 1 || shown == 0 && title.content == played, "{title:?}: {shown}");
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,60}") {
            let _ = Cursor::parse(&text);
        }
    }

    #[test]
    fn the_text_of_a_cursor_is_the_one_that_clients_hold() {
        let cursor = title(1_700_000_000_000, 1);
        assert_eq!(cursor.to_text(), GOLDEN);
        assert_eq!(Cursor::parse(GOLDEN), Ok(cursor));
        assert_eq!(Cursor::parse(&GOLDEN[1..]), Err(NotACursor));
        assert_eq!(Cursor::parse(""), Err(NotACursor));
    }

    const GOLDEN: &str = "AZKTzwAAAYvP5WgAAcQQBwcHBwcHBwcHBwcHBwcHB6ZmaWxtLzE";
}
