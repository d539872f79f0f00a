//! `/v1/profiles/{profile}/places/{content}`: everywhere the viewer has been in a title, and back there.

use axum::{Extension, body::Body, extract::State, http::HeaderMap, response::Response};
use serde::Serialize;

use crate::{
    http::{
        App, Problem,
        auth::Visitor,
        body,
        commands::{Done, Found, Given, TitlePath, give, show, title},
        condition,
        contract::{
            params::{Known, OfTitle, OnlyIf},
            requests,
        },
        durability::Asked,
        sessions,
        view::{PlaceView, ResumeView},
    },
    playback::{NoSuchPlace, Place, ResumePoint, SessionId, restore},
};

/// A title's places, the latest first.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Places)]
pub(super) struct PlacesView {
    profile: String,
    content: String,
    places: Vec<LeftView>,
}

/// Where one session left the title.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LeftPlace)]
struct LeftView {
    #[serde(flatten)]
    place: PlaceView,
    /// Whether it is the one that the title's resume point gives.
    resume_point: bool,
    engaged: bool,
    /// Whether neither it nor the resume point had seen the other.
    concurrent: bool,
    dot: String,
}

/// `GET`: a title without places has none.
#[utoipa::path(
    get,
    path = "/v1/profiles/{profile}/places/{*content}",
    tag = "places",
    operation_id = "listPlaces",
    summary = "List everywhere the viewer has been in a title",
    description = "The latest first. A title without places has an empty list.",
    params(OfTitle, Known),
    responses(
        (status = 200, description = "The places.", body = PlacesView, headers(("ETag"))),
        (status = 304, description = "It is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn read(
    State(app): State<App>,
    path: TitlePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let title = title(path)?;
    let places = Found::read(&app, &title)?.point(&app).as_ref().map(left).unwrap_or_default();
    let view = PlacesView { profile: title.profile.into(), content: title.content.into(), places };
    Ok(condition::unless_known(&headers, &view))
}

fn left(point: &ResumePoint) -> Vec<LeftView> {
    let view = |place: &Place, resume_point, concurrent| LeftView {
        place: place.into(),
        resume_point,
        engaged: place.engaged,
        concurrent,
        dot: place.dot.to_string(),
    };
    let mut places = vec![(point.place.stamp, view(&point.place, true, false))];
    places
        .extend(point.alternatives.iter().map(|it| (it.place.stamp, view(&it.place, false, it.concurrent))));
    places.sort_by_key(|(stamp, _)| std::cmp::Reverse(*stamp));
    places.into_iter().map(|(_, view)| view).collect()
}

/// `POST`: makes one of the places the resume point, as setting it by hand does.
#[utoipa::path(
    post,
    path = "/v1/profiles/{profile}/places/{*content}",
    tag = "commands",
    operation_id = "restorePlace",
    summary = "Go back to a place",
    description = "Makes one of the title's places the resume point, as setting it by hand does. Sent again before \
        anything else happens, it changes nothing.",
    params(OfTitle, Asked, OnlyIf),
    request_body = requests::Restore,
    responses(
        (status = 200, description = "The resume point, without a token.",
            body = ResumeView, headers(("Dot"), ("Durability"), ("ETag"))),
        (status = 204, description = "It was done, for whoever may write and not read.",
            headers(("Dot"), ("Durability"))),
    ),
    extensions(("x-problems" = json!(["no-such-place", "precondition-failed"]))),
)]
pub(super) async fn back(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    given: Given,
    body: Body,
) -> Result<Response, Problem> {
    let said = body::object(&given.headers, body).await?;
    let session = sessions::text(&said, "restore")?.ok_or_else(|| Problem::Invalid {
        field: "restore",
        fix: "is missing: send the session of one of the title's places".into(),
    })?;
    let session = SessionId::parse(session).map_err(|why| Problem::id("restore", why))?;

    let Given { title, asked, .. } = &given;
    let found = Found::read(&app, title)?;
    given.check(&app, &found)?;
    let point = found.point(&app).ok_or(NoSuchPlace)?;
    let done = match restore(&found.vantage(&app, title), &point, session)? {
        Some(write) => give(&app, write, *asked).await?,
        None => Done::already(point.place.dot),
    };
    show(&app, &visitor, title, &done)
}
