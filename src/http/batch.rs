//! `POST /v1/profiles/{profile}/resume-points:batchGet`: where, of many titles at once.

use std::collections::BTreeSet;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    crdt::{ContentId, TitleId},
    http::{
        App, Problem,
        auth::Visitor,
        body,
        contract::{params::OfProfile, requests},
        lists, sessions,
        view::ResumeView,
    },
};

/// How many contents one request may name: more than a screen shows.
pub const BATCH_CONTENTS_MAX: usize = 100;

/// What stands of the titles asked for.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = BatchOfResumePoints)]
pub(super) struct Found {
    /// In the order of the request.
    resume_points: Vec<ResumeView>,
    /// The contents of which nothing is known, in the order of the request.
    missing: Vec<String>,
}

#[utoipa::path(
    post,
    path = "/v1/profiles/{profile}/resume-points:batchGet",
    tag = "places",
    operation_id = "batchGetResumePoints",
    summary = "Ask where to go on, of many titles at once",
    description = "In the order of the request. A content that is named twice is answered once.",
    params(OfProfile),
    request_body = requests::Batch,
    responses((status = 200, description = "What stands of each.", body = Found)),
)]
pub(super) async fn read(
    State(app): State<App>,
    Extension(visitor): Extension<Visitor>,
    path: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Found>, Problem> {
    let profile = lists::profile(path)?;
    let asked = body::object(&headers, body).await?;
    let contents = contents(&asked)?;
    let with_tokens = sessions::flag(&asked, "tokens")?;

    let rights = visitor.rights(&profile);
    let scope = app.node().scope(&profile)?;
    let mut found = Found { resume_points: Vec::new(), missing: Vec::new() };
    for content in contents {
        let title = TitleId { profile: profile.clone(), content };
        let known = app.node().title_in(&title, &scope)?;
        let Some(point) = known.resume(app.policy()) else {
            found.missing.push(title.content.into());
            continue;
        };
        let mut view = ResumeView::new(&title, &point);
        if with_tokens {
            let claims = sessions::claims(&app, title, None, rights, &known);
            (view.token, view.anchor_ms) = (Some(app.sign(&claims)), Some(claims.anchor.as_ms()));
        }
        found.resume_points.push(view);
    }
    Ok(Json(found))
}

/// The contents that a request names; one that is named twice is answered once.
fn contents(asked: &Value) -> Result<Vec<ContentId>, Problem> {
    let invalid = |fix: String| Problem::Invalid { field: "contents", fix };
    let listed = asked.get("contents").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| invalid("must be a list of content ids".into()))?;
    if listed.len() > BATCH_CONTENTS_MAX {
        return Err(invalid(format!("must name at most {BATCH_CONTENTS_MAX}, and names {}", listed.len())));
    }
    let mut named = BTreeSet::new();
    let mut contents = Vec::with_capacity(listed.len());
    for content in listed {
        let text = content.as_str().ok_or_else(|| invalid("must be a list of texts".into()))?;
        let content = ContentId::parse(text).map_err(|why| Problem::id("contents", why))?;
        if named.insert(content.clone()) {
            contents.push(content);
        }
    }
    Ok(contents)
}
