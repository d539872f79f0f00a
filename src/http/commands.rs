//! What a viewer orders by hand: watched or not, out of the row, this place, forget.
//!
//! A command is dated by the node that takes it (R11), so the same request sent again is another command,
//! and a later one. Whoever repeats it blindly says so with `If-Match`, or gives a place a name: then
//! what came in between is not overruled. What was refused is a store of keys by which repetitions are
//! recognised: it would have to be replicated before the first answer to be worth anything.

use axum::{
    Extension, Json,
    body::Body,
    extract::{FromRequestParts, Path, Query, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::{Dot, TitleId},
    http::{
        App, Problem,
        auth::{Scope, Visitor},
        body, condition,
        contract::{
            params::{OfTitle, OnlyIf},
            requests,
        },
        durability::{self, Asked},
        sessions,
        view::ResumeView,
    },
    node::{Assurance, identity},
    playback::{Bookmark, ResumePoint, SessionId, Title, Vantage, Write, slot::FENCE},
};

pub(super) type TitlePath = Result<Path<(String, String)>, PathRejection>;

/// What a command says beside its body: for which title, under which conditions, and what it must survive.
pub(super) struct Given {
    pub(super) title: TitleId,
    pub(super) asked: Assurance,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<App> for Given {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let title = title(Path::from_request_parts(parts, app).await)?;
        let asked = durability::assurance(Query::from_request_parts(parts, app).await)?;
        Ok(Self { title, asked, headers: parts.headers.clone() })
    }
}

impl Given {
    /// Judges the conditions by what was found of the title.
    pub(super) fn check(&self, app: &App, found: &Found) -> Result<(), Problem> {
        condition::check(&self.headers, found.etag(app, &self.title).as_ref())
    }
}

/// `PUT …/watched/{content}`
#[utoipa::path(
    put,
    path = "/v1/profiles/{profile}/watched/{*content}",
    tag = "commands",
    operation_id = "markWatched",
    summary = "Mark a title as watched, or not",
    description = "The last word stands, whatever was played before it.",
    params(OfTitle, Asked, OnlyIf),
    request_body = requests::MarkWatched,
    responses((status = 204, description = "It is done, and synced.", headers(("Dot"), ("Durability")))),
    extensions(("x-problems" = json!(["precondition-failed", "too-many-contents"]))),
)]
pub(super) async fn watched(State(app): State<App>, given: Given, body: Body) -> Result<Response, Problem> {
    let said = body::object(&given.headers, body).await?;
    let said = said.get("watched").and_then(Value::as_bool);
    let said =
        said.ok_or_else(|| Problem::Invalid { field: "watched", fix: "must be true or false".into() })?;
    mark(&app, &given, |from| from.watched(said)).await
}

/// `PUT …/dismissed/{content}`
#[utoipa::path(
    put,
    path = "/v1/profiles/{profile}/dismissed/{*content}",
    tag = "commands",
    operation_id = "dismiss",
    summary = "Take a title out of the row",
    description = "It is back when it is played again. The body may be left out.",
    params(OfTitle, Asked, OnlyIf),
    request_body = Option<requests::Nothing>,
    responses((status = 204, description = "It is done, and synced.", headers(("Dot"), ("Durability")))),
    extensions(("x-problems" = json!(["precondition-failed", "too-many-contents"]))),
)]
pub(super) async fn dismissed(State(app): State<App>, given: Given, body: Body) -> Result<Response, Problem> {
    body::nothing(&given.headers, body).await?;
    mark(&app, &given, |from| from.dismissed()).await
}

/// Gives a command that sets no place, where the request's conditions hold.
async fn mark(
    app: &App,
    given: &Given,
    command: impl FnOnce(Vantage<'_>) -> Write,
) -> Result<Response, Problem> {
    let found = Found::with_room(app, &given.title)?;
    given.check(app, &found)?;
    let done = give(app, command(found.vantage(app, &given.title)), given.asked).await?;
    Ok((StatusCode::NO_CONTENT, done.headers()).into_response())
}

/// `PUT …/resume-points/{content}`
///
/// A bookmark that was taken before under its name passes whatever the conditions say: what they were to
/// guard has been done already (RFC 9110, 13.1.1).
#[utoipa::path(
    put,
    path = "/v1/profiles/{profile}/resume-points/{*content}",
    tag = "commands",
    operation_id = "setResumePoint",
    summary = "Set a place by hand",
    description = "The place is above all that this node has shown of the title, and one of its own: what was there \
        remains among the alternatives. Under a name in `session` the same place may be sent again.",
    params(OfTitle, Asked, OnlyIf),
    request_body = requests::SetPlace,
    responses(
        (status = 200, description = "The resume point, without a token.",
            body = ResumeView, headers(("Dot"), ("Durability"), ("ETag"))),
        (status = 204, description = "It is done, for whoever may write and not read.",
            headers(("Dot"), ("Durability"))),
    ),
    extensions(("x-problems" = json!(["precondition-failed", "too-many-contents"]))),
)]
pub(super) async fn place(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    given: Given,
    body: Body,
) -> Result<Response, Problem> {
    let said = body::object(&given.headers, body).await?;
    let bookmark = Bookmark::from_value(&said)?;
    let name = sessions::text(&said, "session")?.map(SessionId::parse).transpose();
    let name = name.map_err(|why| Problem::id("session", why))?;
    let session = name.unwrap_or_else(|| SessionId::from_random(identity::random()));

    let found = Found::with_room(&app, &given.title)?;
    let from = found.vantage(&app, &given.title);
    let write = if let Some(stands) = from.repeated(session, &bookmark) {
        stands
    } else {
        given.check(&app, &found)?;
        from.place(session, bookmark)
    };
    let done = give(&app, write, given.asked).await?;
    show(&app, &visitor, &given.title, &done)
}

/// The resume point after a command that sets it.
///
/// Nothing but headers for whoever may write and not read, and where somebody has erased the title since.
pub(super) fn show(app: &App, visitor: &Visitor, title: &TitleId, done: &Done) -> Result<Response, Problem> {
    let may_read = visitor.may(&[Scope::Play, Scope::Read], &title.profile).is_ok();
    let view = if may_read { Found::read(app, title)?.view(app, title) } else { None };
    Ok(match view {
        Some(view) => (done.headers(), [(header::ETAG, condition::etag(&view))], Json(view)).into_response(),
        None => (StatusCode::NO_CONTENT, done.headers()).into_response(),
    })
}

/// What erasing something is answered with.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Erasure)]
pub(super) struct Erasing {
    /// By which its progress is asked for.
    erasure: String,
}

/// `DELETE …/titles/{content}`
///
/// 202, for other replicas have still to hear of it: [`erasures`](super::erasures) says who has.
#[utoipa::path(
    delete,
    path = "/v1/profiles/{profile}/titles/{*content}",
    tag = "commands",
    operation_id = "eraseTitle",
    summary = "Erase all that is known of a title",
    description = "For ever. Other replicas have still to hear of it: the answer says where to ask who has.",
    params(OfTitle, Asked, OnlyIf),
    responses((status = 202, description = "It is erased here, and will be everywhere.",
        body = Erasing, headers(("Dot"), ("Durability"), ("Location")))),
    extensions(("x-problems" = json!(["precondition-failed"]))),
)]
pub(super) async fn erase(State(app): State<App>, given: Given) -> Result<Response, Problem> {
    let Given { title, asked, .. } = &given;
    let found = Found::read(&app, title)?;
    given.check(&app, &found)?;
    let mut done = give(&app, found.vantage(&app, title).fence(), *asked).await?;
    if done.dot.is_none() {
        // Pruned at once: its profile has been erased in between, by a greater fence.
        let greater = app.node().register(&title.profile.scope().key(FENCE))?;
        done.dot = greater.map(|register| register.dot);
    }
    let dot = done.dot.expect("a fence is pruned only under its profile's, which stays");
    Ok(Erasing::answer(dot, done.survived))
}

impl Erasing {
    pub(super) fn answer(dot: Dot, survived: Assurance) -> Response {
        let erasure = dot.to_string();
        let location = HeaderValue::from_str(&format!("/v1/erasures/{erasure}")).expect("digits and a colon");
        let headers = (durability::headers(Some(dot), survived), [(header::LOCATION, location)]);
        (StatusCode::ACCEPTED, headers.0, headers.1, Json(Self { erasure })).into_response()
    }
}

pub(super) fn title(path: TitlePath) -> Result<TitleId, Problem> {
    let Path((profile, content)) =
        path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    sessions::parse_title(&profile, &content)
}

/// What a title shows to whoever gives a command.
pub(super) struct Found(Title);

impl Found {
    pub(super) fn read(app: &App, title: &TitleId) -> Result<Self, Problem> {
        Ok(Self(app.node().title(title)?))
    }

    /// Reads a title that a command may be the first to write: the profile must have room for it.
    pub(super) fn with_room(app: &App, title: &TitleId) -> Result<Self, Problem> {
        let found = Self::read(app, title)?;
        if found.0.registers.is_empty() {
            app.check_room(&title.profile)?;
        }
        Ok(found)
    }

    pub(super) fn title(&self) -> &Title {
        &self.0
    }

    pub(super) fn vantage<'a>(&'a self, app: &App, title: &'a TitleId) -> Vantage<'a> {
        vantage(app, title, &self.0)
    }

    pub(super) fn point(&self, app: &App) -> Option<ResumePoint> {
        self.0.resume(app.policy())
    }

    pub(super) fn view(&self, app: &App, title: &TitleId) -> Option<ResumeView> {
        self.point(app).map(|point| ResumeView::new(title, &point))
    }

    pub(super) fn etag(&self, app: &App, title: &TitleId) -> Option<HeaderValue> {
        self.view(app, title).as_ref().map(condition::etag)
    }
}

/// From where a command is given to a title, as it was found.
pub(super) fn vantage<'a>(app: &App, title: &'a TitleId, found: &'a Title) -> Vantage<'a> {
    let (origin, now) = (app.node().origin(), app.node().now().wall);
    Vantage { title, registers: &found.registers, profile_fence: found.scope.fence, origin, now }
}

/// A command that was taken.
pub(super) struct Done {
    /// What stands in its place, which may be a later one.
    dot: Option<Dot>,
    survived: Assurance,
}

impl Done {
    /// There was nothing to write, and this stands.
    pub(super) fn nothing(dot: Option<Dot>) -> Self {
        Self { dot, survived: Assurance::Process }
    }

    /// There was nothing to do: it stands, and has survived what it was acknowledged with.
    pub(super) fn already(dot: Dot) -> Self {
        Self::nothing(Some(dot))
    }

    pub(super) fn headers(&self) -> HeaderMap {
        durability::headers(self.dot, self.survived)
    }
}

/// Writes what a command asks for, and syncs it: nothing comes after a command that would heal its loss.
pub(super) async fn give(app: &App, write: Write, asked: Assurance) -> Result<Done, Problem> {
    let written = app.node().write(vec![write], asked.max(Assurance::Synced)).await?;
    let dot = written.outcomes.first().and_then(|outcome| outcome.standing);
    Ok(Done { dot, survived: written.assurance })
}
