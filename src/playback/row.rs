//! The row of titles to go on with: started, not at their end, and not put away since (R9).

use std::collections::BTreeMap;

use crate::{
    crdt::ContentId,
    playback::{Cursor, Listed, Page, Place, Policy, ResumePoint, Series, list},
};

/// Whether a title stands in the row, and why it does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InRow {
    /// It does.
    Shown,
    /// Nobody has got anywhere in it: no session is engaged, and none stands beyond where one would be.
    NotStarted,
    /// Its last place is past its end.
    Completed,
    /// The viewer marked it as watched, and has not played it since.
    MarkedWatched,
    /// The viewer took it out, and has not played it since.
    Dismissed,
}

impl InRow {
    /// Judges a title by its resume point.
    ///
    /// A title whose players never say how long they played has no engaged session. It counts as started
    /// from the position on that a session reaches while it becomes engaged.
    pub fn of(point: &ResumePoint, policy: &Policy) -> Self {
        if !point.place.engaged && !policy.is_beyond_start(&point.place.sample) {
            Self::NotStarted
        } else if point.completed {
            Self::Completed
        } else if point.marked_watched {
            Self::MarkedWatched
        } else if point.dismissed {
            Self::Dismissed
        } else {
            Self::Shown
        }
    }
}

/// A title of the row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    /// What is watched.
    pub content: ContentId,
    /// Where to go on.
    pub place: Place,
    /// Whether the title has been watched before.
    pub watched: bool,
    /// To what it belongs.
    pub series: Option<Series>,
}

impl Started {
    /// Takes a title into the row, where it belongs there.
    pub fn of(content: ContentId, point: ResumePoint, policy: &Policy) -> Option<Self> {
        let is_shown = InRow::of(&point, policy) == InRow::Shown;
        let series = point.series().cloned();
        is_shown.then_some(Self { content, place: point.place, watched: point.watched, series })
    }
}

impl Listed for Started {
    fn cursor(&self) -> Cursor {
        Cursor { latest: self.place.stamp, content: self.content.clone() }
    }
}

/// What stands in the row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Grouping {
    /// Every title by itself.
    #[default]
    Titles,
    /// Of the titles of one series the latest; those of no series by themselves.
    Series,
}

/// Makes a page of the row.
///
/// Series are put together before the page is cut, so that no page shows a series which another shows too.
pub fn row(started: Vec<Started>, grouping: Grouping, after: Option<&Cursor>, limit: usize) -> Page<Started> {
    let items = match grouping {
        Grouping::Titles => started,
        Grouping::Series => latest_of_each_series(started),
    };
    list::page(items, after, limit)
}

fn latest_of_each_series(started: Vec<Started>) -> Vec<Started> {
    let mut latest = BTreeMap::<Series, Started>::new();
    let mut alone = Vec::new();
    for title in started {
        let Some(series) = title.series.clone() else {
            alone.push(title);
            continue;
        };
        if latest.get(&series).is_none_or(|other| other.cursor() < title.cursor()) {
            latest.insert(series, title);
        }
    }
    alone.extend(latest.into_values());
    alone
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        crdt::{Dot, Register, Slot, Stamp, TitleId, WallTime},
        playback::{Sample, SessionId, Watched, resume, sample::tests::playing, slot},
    };

    fn register(content: &str, slot: Slot, ms: u64, value: Arc<[u8]>) -> (Slot, Register) {
        let key = TitleId::parse("ann", content).expect("both are ids").key(slot);
        let stamp = Stamp { time: WallTime::from_ms(ms), counter: 0, writer: slot.id };
        (slot, Register::seal(&key, stamp, Dot::default(), value))
    }

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn engaged(position_ms: u64) -> Sample {
        Sample { played_ms: 60_000, duration_ms: Some(100_000), ..playing(position_ms) }
    }

    fn played(content: &str, n: u8, ms: u64, sample: &Sample) -> (Slot, Register) {
        register(content, slot::session(session(n)), ms, sample.encode())
    }

    fn judged(registers: &[(Slot, Register)]) -> InRow {
        let policy = Policy::default();
        InRow::of(&resume(registers, None, &policy).expect("a place"), &policy)
    }

    #[test]
    fn the_row_has_what_was_started_and_neither_completed_nor_put_away() {
        let place = played("film", 1, 100, &engaged(50_000));
        let put_away = |slot, ms, value| [place.clone(), register("film", slot, ms, value)];
        assert_eq!(judged(std::slice::from_ref(&place)), InRow::Shown);
        assert_eq!(judged(&[played("film", 1, 100, &engaged(95_000))]), InRow::Completed);
        assert_eq!(judged(&put_away(slot::DISMISSED, 101, Arc::default())), InRow::Dismissed);
        assert_eq!(judged(&put_away(slot::DISMISSED, 99, Arc::default())), InRow::Shown);
        assert_eq!(judged(&put_away(slot::WATCHED, 101, Watched(true).encode())), InRow::MarkedWatched);
        assert_eq!(judged(&put_away(slot::WATCHED, 101, Watched(false).encode())), InRow::Shown);
        assert_eq!(judged(&put_away(slot::WATCHED, 99, Watched(true).encode())), InRow::Shown);
    }

    #[test]
    fn a_failed_start_starts_nothing_and_a_simple_players_place_does() {
        let glimpse = |position_ms| {
            judged(&[register("film", slot::glimpse(session(1)), 100, playing(position_ms).encode())])
        };
        assert_eq!(glimpse(0), InRow::NotStarted);
        assert_eq!(glimpse(2_999), InRow::NotStarted);
        assert_eq!(glimpse(3_000), InRow::Shown);
        let restarted = Sample { deliberate: true, ..playing(0) };
        assert_eq!(judged(&[played("film", 1, 100, &restarted)]), InRow::Shown);
    }

    fn started(content: &str, ms: u64, series: Option<&str>) -> Started {
        let series = series.map(|key| Series::parse(key).expect("a key"));
        let registers = [played(content, 1, ms, &Sample { series, ..engaged(5_000) })];
        let point = resume(&registers, None, &Policy::default()).expect("a place");
        let content = ContentId::parse(content).expect("an id");
        Started::of(content, point, &Policy::default()).expect("it is started")
    }

    fn contents(page: &Page<Started>) -> Vec<&str> {
        page.items.iter().map(|title| title.content.as_str()).collect()
    }

    #[test]
    fn of_a_series_the_latest_title_stands_for_all_on_every_page() {
        let titles = [
            started("a/1", 10, Some("a")),
            started("film", 20, None),
            started("a/2", 30, Some("a")),
            started("b/1", 40, Some("b")),
            started("other film", 5, None),
        ];
        let ungrouped = row(titles.to_vec(), Grouping::Titles, None, 100);
        assert_eq!(contents(&ungrouped), ["b/1", "a/2", "film", "a/1", "other film"]);
        let first = row(titles.to_vec(), Grouping::Series, None, 2);
        assert_eq!(contents(&first), ["b/1", "a/2"]);
        let second = row(titles.to_vec(), Grouping::Series, first.next.as_ref(), 2);
        assert_eq!((contents(&second), second.next.as_ref()), (vec!["film", "other film"], None));
    }

    #[test]
    fn a_players_silence_does_not_take_a_title_out_of_its_series() {
        let named = Sample { series: Series::parse("a").ok(), ..engaged(1_000) };
        let registers = [played("a/1", 1, 10, &named), played("a/1", 2, 20, &engaged(5_000))];
        let point = resume(&registers, None, &Policy::default()).expect("a place");
        assert_eq!(point.series().map(Series::as_str), Some("a"));
        let moved = Sample { series: Series::parse("b").ok(), ..engaged(6_000) };
        let registers = [played("a/1", 1, 10, &named), played("a/1", 2, 20, &moved)];
        let point = resume(&registers, None, &Policy::default()).expect("a place");
        assert_eq!(point.series().map(Series::as_str), Some("b"));
    }
}
