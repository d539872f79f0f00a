//! `GET /v1/profiles/{profile}/resume-points/{content}`: where?

use axum::{
    Extension,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use serde::Deserialize;

use crate::{
    crdt::{Dot, TitleId},
    http::{
        App, Problem,
        auth::{Lease, Visitor},
        condition,
        contract::{
            kinds,
            params::{Known, OfTitle, Patience},
        },
        explain::{self, ExplanationView},
        sessions,
        view::ResumeView,
        wait::{self, Wait},
    },
    playback::{explain, is_watched, plays},
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// A write that the answer must know of.
    #[param(value_type = Option<kinds::Dot>)]
    after: Option<String>,
    /// `1` adds what the answer was made from.
    #[param(value_type = Option<kinds::Flag>)]
    explain: Option<String>,
}

#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/resume-points/{*content}",
    tag = "places",
    operation_id = "readResumePoint",
    summary = "Ask where to go on",
    description = "With `If-None-Match` and `Prefer: wait=N` the answer comes when the place is another than the tagged \
        one, or after N seconds.",
    params(OfTitle, Asked, Known, Patience),
    responses(
        (status = 200, description = "The place.", body = ResumeView, headers(("ETag"))),
        (status = 304, description = "The place is the one that the caller knows.",
            headers(("ETag"), ("Token"), ("Preference-Applied"))),
    ),
    extensions(("x-problems" = json!(["no-resume-point"]))),
)]
pub(super) async fn read(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    path: Result<Path<(String, String)>, PathRejection>,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path((profile, content)) =
        path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    let Query(Asked { after, explain }) =
        query.map_err(|why| Problem::Invalid { field: "query", fix: why.body_text() })?;
    let title = sessions::parse_title(&profile, &content)?;
    let explained = if explain::is_asked(explain.as_deref())? { Explained::Fully } else { Explained::Not };
    let stale = match after {
        Some(text) => !app.node().covers(parse_dot(&text)?).await,
        None => false,
    };

    let knows = headers.contains_key(header::IF_NONE_MATCH);
    let lease = || Lease::of(&app, &visitor, &headers, Some(&title.profile));
    let mut wait = knows.then(|| Wait::begin(&app, &headers, lease)).flatten();
    loop {
        match answer(&app, &visitor, &title, &headers, stale, explained)? {
            Answer::Place(response) => return Ok(response),
            Answer::Same(mut unchanged) => {
                let Some(wait) = &mut wait else { return Ok(unchanged) };
                if !wait.for_news().await? {
                    unchanged.headers_mut().insert(wait::APPLIED, header_of(&wait.applied()));
                    return Ok(unchanged);
                }
            }
        }
    }
}

/// What a question would be answered with now; `None` where nothing is known of the title.
pub(super) fn stands(app: &App, visitor: &Visitor, title: &TitleId) -> Result<Option<Response>, Problem> {
    match answer(app, visitor, title, &HeaderMap::new(), false, Explained::Not) {
        Ok(Answer::Place(response) | Answer::Same(response)) => Ok(Some(response)),
        Err(Problem::NoResumePoint { .. }) => Ok(None),
        Err(why) => Err(why),
    }
}

/// Whether an answer comes with its reasons.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explained {
    Not,
    Fully,
}

/// What a look at a title comes to.
enum Answer {
    /// Another place than the one that the request knows.
    Place(Response),
    /// The place that the request knows.
    Same(Response),
}

fn answer(
    app: &App,
    visitor: &Visitor,
    title: &TitleId,
    headers: &HeaderMap,
    stale: bool,
    explained: Explained,
) -> Result<Answer, Problem> {
    let found = app.node().title(title)?;
    let (registers, fence) = (&found.registers, found.scope.fence);
    let explanation = (explained == Explained::Fully).then(|| {
        let policy = found.policy(app.policy());
        ExplanationView::new(&explain(registers, fence, &policy), &policy)
    });
    let mut rights = visitor.rights(&title.profile);
    // A question is answered all the same, and what comes with it begins nothing that there is no room for.
    rights.write &= !registers.is_empty() || app.check_room(&title.profile).is_ok();
    let claims = sessions::claims(app, title.clone(), None, rights, &found);
    let (token, anchor_ms) = (app.sign(&claims), claims.anchor.as_ms());
    let Some(point) = found.resume(app.policy()) else {
        let explanation = explanation.map(ExplanationView::into_value);
        let (watched, plays) = (is_watched(registers, fence), plays(registers, fence));
        return Err(Problem::NoResumePoint { token, anchor_ms, stale, watched, plays, explanation });
    };
    let mut view = ResumeView::new(title, &point);
    (view.stale, view.explanation) = (stale, explanation);
    let etag = condition::etag(&view);
    if condition::is_known(headers, &etag) {
        let mut same = condition::same(etag);
        same.headers_mut().insert(TOKEN, header_of(&token));
        return Ok(Answer::Same(same));
    }
    (view.token, view.anchor_ms) = (Some(token), Some(anchor_ms));
    Ok(Answer::Place(condition::tagged(etag, &view)))
}

const TOKEN: header::HeaderName = header::HeaderName::from_static("token");

fn parse_dot(text: &str) -> Result<Dot, Problem> {
    let fix = "must be a dot as an acknowledgement gave it: 32 hexadecimal digits, a colon, a number";
    text.parse().map_err(|_| Problem::Invalid { field: "after", fix: fix.into() })
}

fn header_of(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("tokens and numbers are visible ASCII")
}
