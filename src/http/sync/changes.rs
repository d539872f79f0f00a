//! What has changed in a profile since a cursor, as one page.
//!
//! A cursor is the one of [`events`](crate::http::events) and of `GET /v1/changes`, so that a device may follow
//! one after the other. A page tells the titles in the order of what is first new in them. Where it ends before all
//! are told, its cursor covers what was written before anything new in the first that is left; what has been told
//! beyond that may be told once more.

use serde::Serialize;
use tokio::task::yield_now;

use crate::{
    crdt::{ProfileId, Timestamp, VersionVector},
    http::{
        App, Problem,
        events::RECONNECT_TITLES_MAX,
        news::{News, State, Told},
    },
    node::{Cursor, Found, ReadError},
};

/// How many changed titles one answer brings; it says where there are more.
pub const SYNC_CHANGES_MAX: usize = 256;

/// After how many titles others have their turn.
const TURN_TITLES: usize = 32;

/// From where on changes are told.
pub(super) enum Since {
    /// From the beginning.
    Ever,
    /// From now on; nothing has been missed yet.
    Now,
    Cursor(Box<Cursor>),
}

impl Since {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        match text {
            "" => Ok(Self::Ever),
            "now" => Ok(Self::Now),
            _ => Cursor::decode(text).map(|cursor| Self::Cursor(Box::new(cursor))).ok_or_else(|| {
                let fix = "must be a cursor as it was given, \"\" for the beginning, or \"now\"";
                Problem::Invalid { field: "cursor", fix: fix.into() }
            }),
        }
    }
}

/// What has changed since a cursor, as one page.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Missed {
    /// Where a cursor was sent: what has changed since.
    #[schema(required = false)]
    changes: Vec<What>,
    /// Where a cursor was sent: where to go on.
    #[schema(required = false)]
    cursor: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    /// Whether the node does not know yet all that the cursor covers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stale: bool,
}

/// A title, or something that concerns all of them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = MissedChange)]
#[serde(untagged)]
enum What {
    Title(News),
    /// Something that concerns all titles.
    Profile {
        profile: String,
        whole_profile: bool,
    },
}

/// A title with something that has not been told.
struct Changed {
    /// When the first of it was accepted, wherever.
    first: Timestamp,
    mark: u64,
    news: News,
}

impl Missed {
    pub(super) async fn read(app: &App, profile: &ProfileId, since: Since) -> Result<Self, Problem> {
        let (told, mut told_last, stale) = match since {
            Since::Ever => (Some(VersionVector::default()), Told::default(), false),
            Since::Now => return Ok(Self::page(app, &app.node().vector(), &Told::default(), Vec::new())),
            Since::Cursor(cursor) => {
                let told_last = Told::from_marks(cursor.marks());
                match app.node().find(&cursor).await {
                    Found::Covered(told) => (Some(told), told_last, false),
                    // What comes late may change back what was told: all of it counts as untold.
                    Found::Ahead(told) => (Some(told), Told::default(), true),
                    Found::Gone => (None, told_last, false),
                }
            }
        };
        // Before anything is read: what is written meanwhile may be told once more, and is not lost.
        let upto = app.node().vector();
        let found = match &told {
            Some(told) => look(app, profile, told, &told_last).await?,
            None => None,
        };
        let (Some(told), Some(mut new)) = (told, found) else {
            let profile = profile.as_str().to_owned();
            let anew = vec![What::Profile { profile, whole_profile: true }];
            return Ok(Self::page(app, &upto, &Told::default(), anew));
        };
        let cut = cut(&mut new);
        let upto = cut.map_or(upto.clone(), |cut| before(cut, told, &upto));
        // What was read may be beyond the vector, as the device's own words are that were just committed.
        for it in &new {
            told_last.tell(it.mark, app.node().uptime());
        }
        let changes = new.into_iter().map(|it| What::Title(it.news)).collect();
        Ok(Self { more: cut.is_some(), stale, ..Self::page(app, &upto, &told_last, changes) })
    }

    fn page(app: &App, upto: &VersionVector, told_last: &Told, changes: Vec<What>) -> Self {
        let cursor = app.node().cursor(upto, told_last.marks()).encode();
        Self { changes, cursor, more: false, stale: false }
    }
}

/// Looks through a profile for what has changed; `None` where all of it must be read anew.
async fn look(
    app: &App,
    profile: &ProfileId,
    told: &VersionVector,
    told_last: &Told,
) -> Result<Option<Vec<Changed>>, ReadError> {
    let scope = app.node().title(&profile.scope())?;
    // Whoever has been told nothing yet has nothing that could have been erased.
    let is_new = *told == VersionVector::default();
    if !is_new && scope.registers.iter().any(|(_, register)| !told.covers(register.dot)) {
        return Ok(None);
    }
    let (mut changed, mut looked_at, mut after) = (Vec::new(), 0, None);
    loop {
        let turn = app.look().await;
        let titles = app.node().titles(profile, after.as_ref(), TURN_TITLES)?;
        looked_at += titles.len();
        if looked_at > RECONNECT_TITLES_MAX {
            return Ok(None);
        }
        for title in &titles {
            let state = State::read(app, title)?;
            let dots = state.title.registers.iter().map(|(_, register)| register.dot);
            let first = dots.filter(|dot| !told.covers(*dot)).map(|dot| dot.version).min();
            if let Some(first) = first.filter(|_| !told_last.is_known(state.mark)) {
                changed.push(Changed { first, mark: state.mark, news: state.news });
            }
        }
        drop(turn);
        if titles.len() < TURN_TITLES {
            return Ok(Some(changed));
        }
        after = titles.into_iter().next_back().map(|title| title.content);
        yield_now().await;
    }
}

/// Leaves what one page holds, and says from when on something is left untold.
fn cut(changed: &mut Vec<Changed>) -> Option<Timestamp> {
    changed.sort_by_key(|it| it.first);
    let cut = changed.get(SYNC_CHANGES_MAX).map(|it| it.first);
    changed.truncate(SYNC_CHANGES_MAX);
    cut
}

/// The part of a vector that was written before a moment, and what had been told already.
fn before(moment: Timestamp, mut told: VersionVector, upto: &VersionVector) -> VersionVector {
    let last = Timestamp::from_u64(moment.as_u64().saturating_sub(1));
    for (&origin, &version) in upto {
        told.advance(origin, version.min(last));
    }
    told
}
