//! `POST /v1/sessions`: a token to report under, and where to begin.

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::TitleId,
    http::{
        App, Problem,
        auth::{Scope, Visitor},
        body,
        contract::requests,
        view::ResumeView,
    },
    node::identity,
    playback::{Claims, Device, Rights, Series, SessionId, Title},
};

/// A session, opened. Nothing is stored: the token carries all of it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OpenedSession)]
pub(super) struct Opened {
    session: String,
    /// To report under.
    token: String,
    /// The moment from which the player's `elapsed_ms` counts.
    anchor_ms: u64,
    /// The last moment whose samples are taken under the token.
    expires_ms: u64,
    /// How often the player is asked to report.
    heartbeat_interval_ms: u64,
    /// Where to go on, where there is a place.
    #[schema(required)]
    resume: Option<ResumeView>,
}

#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "playing",
    operation_id = "openSession",
    summary = "Open a session",
    description = "A session is one load of one title on one screen. Its answer carries the token to report under, \
        and where to go on. Nothing is stored.",
    request_body = requests::OpenSession,
    responses((status = 201, description = "The session is open.", body = Opened)),
    extensions(("x-problems" = json!(["too-many-contents"]))),
)]
pub(super) async fn open(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let asked = body::object(&headers, body).await?;
    let profile = text(&asked, "profile")?.ok_or_else(|| missing("profile", "who watches"))?;
    let content = text(&asked, "content")?.ok_or_else(|| missing("content", "what is watched"))?;
    let title = parse_title(profile, content)?;
    let caller = visitor.may(&[Scope::Play], &title.profile)?;
    app.gate().limits().session(caller, &title.profile)?;
    let device = text(&asked, "device")?.map(Device::parse).transpose();
    let device = device.map_err(|why| Problem::id("device", why))?;
    let series = text(&asked, "series")?.map(Series::parse).transpose();
    let series = series.map_err(|why| Problem::id("series", why))?;

    let incognito = flag(&asked, "incognito")?;

    let found = app.node().title(&title)?;
    if found.registers.is_empty() {
        app.check_room(&title.profile)?;
    }
    let claims = Claims { series, incognito, ..claims(&app, title, device, Rights::ALL, &found) };
    let point = found.resume(app.policy());
    Ok((
        StatusCode::CREATED,
        Json(Opened {
            session: claims.session.to_string(),
            token: app.sign(&claims),
            anchor_ms: claims.anchor.as_ms(),
            expires_ms: claims.expires.as_ms(),
            heartbeat_interval_ms: app.heartbeat_interval_ms(),
            resume: point.map(|point| ResumeView::new(&claims.title, &point)),
        }),
    ))
}

/// Opens a session for whoever has been shown what was found of a title.
pub(super) fn claims(
    app: &App,
    title: TitleId,
    device: Option<Device>,
    rights: Rights,
    found: &Title,
) -> Claims {
    let session = SessionId::from_random(identity::random());
    let shown = found.shown_to(session);
    Claims::open(title, session, device, rights, &shown, app.node().now().wall, app.policy())
}

/// Takes two texts as a title.
pub(super) fn parse_title(profile: &str, content: &str) -> Result<TitleId, Problem> {
    let profile = profile.to_owned().try_into().map_err(|why| Problem::id("profile", why))?;
    let content = content.to_owned().try_into().map_err(|why| Problem::id("content", why))?;
    Ok(TitleId { profile, content })
}

pub(super) fn text<'a>(asked: &'a Value, field: &'static str) -> Result<Option<&'a str>, Problem> {
    match asked.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Problem::Invalid { field, fix: "must be a text".into() }),
    }
}

pub(super) fn flag(asked: &Value, field: &'static str) -> Result<bool, Problem> {
    match asked.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Problem::Invalid { field, fix: "must be true or false".into() }),
    }
}

fn missing(field: &'static str, what: &str) -> Problem {
    Problem::Invalid { field, fix: format!("is missing: send {what}") }
}
