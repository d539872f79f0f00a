//! `PUT /v1/profiles/{profile}/progress/{content}`: how far a client has come that has neither clock nor count.

use axum::{
    Extension,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use crate::{
    crdt::Register,
    http::{
        App, Problem,
        auth::{Scope, Visitor},
        body,
        commands::{Done, Found, TitlePath, give, title},
        contract::{params::OfTitle, requests},
        durability::{self, Asked},
        resume_points,
        view::ResumeView,
    },
    playback::{Known, Outcome, Progress, Sample, SessionId, Title},
};

#[utoipa::path(
    put,
    path = "/v1/profiles/{profile}/progress/{*content}",
    tag = "playing",
    operation_id = "putProgress",
    summary = "Say how far, without a clock or a count",
    description = "For readers of books and the like. `read` is the token that came with the answer that the client had \
        read last: what it had read, it beats. Without it, and against what came after its reading, it stands only where \
        it is further along. The answer is what stands now, with the token to send next time.",
    params(OfTitle, Asked),
    request_body = requests::PutProgress,
    responses(
        (status = 200, description = "The resume point, with a token.",
            body = ResumeView, headers(("Dot"), ("Durability"), ("ETag"))),
        (status = 204, description = "It is taken, for whoever may not read.", headers(("Dot"), ("Durability"))),
    ),
    extensions(("x-problems" = json!([
        "too-many-contents", "bad-token", "unknown-epoch", "not-the-tokens", "erased", "too-old",
    ]))),
)]
pub(super) async fn put(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    path: TitlePath,
    query: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (title, asked) = (title(path)?, durability::assurance(query)?);
    let progress = Progress::from_value(&body::object(&headers, body).await?)?;
    let now = app.node().now().wall;
    let read = progress.read.as_deref().map(|token| app.tokens().verify(token, now)).transpose()?;

    let found = Found::with_room(&app, &title)?;
    let current = own(found.title(), progress.session());
    let known = Known {
        fence: found.title().fence(),
        current: current.as_ref().map(|(register, sample)| (register.stamp, sample)),
        paused: found.title().scope.settings.paused,
    };
    let accepted = progress.accept(&title, read.as_deref(), known, now, app.policy());
    let done = match accepted.map_err(|why| Problem::Refused { why, fresh: None })?.outcome {
        Outcome::Write { place, .. } => give(&app, place, asked).await?,
        Outcome::Acknowledge(_) => Done::nothing(current.map(|(register, _)| register.dot)),
    };
    let answer = match visitor.may(&[Scope::Play, Scope::Read], &title.profile) {
        Ok(_) => resume_points::stands(&app, &visitor, &title)?,
        Err(_) => None,
    };
    let answer = answer.unwrap_or_else(|| StatusCode::NO_CONTENT.into_response());
    Ok((done.headers(), answer).into_response())
}

/// The greater register of a session, as far as this build can read it.
fn own(title: &Title, session: SessionId) -> Option<(Register, Sample)> {
    let own = title.of_session(session)?;
    Some((own.clone(), Sample::decode(&own.value).ok()?))
}
