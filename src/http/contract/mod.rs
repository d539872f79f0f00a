//! The contract: what a request may be and what answers it, as an `OpenAPI` document.
//!
//! The problem: whoever writes a client reads a document, and a document that is written beside the code says
//! soon what the code did once. The mechanism: each handler carries what is said of it, a route cannot be
//! registered without ([`routes`](super::routes)); answers are described by the types that are sent
//! ([`answers`]), values by the constants that bound them ([`kinds`]), and what holds by rule is added by rule:
//! who may ask, by the table that the gate asks, and the refusals, by the table of problems ([`refusals`]). The
//! document is checked in, so that a change of the interface is seen as one, and a client that makes up
//! requests from it tries every operation.
//!
//! What was refused: one `default` answer for everything that can go wrong, which tells a client nothing.

pub(super) mod answers;
pub(super) mod finish;
mod glossary;
pub(super) mod kinds;
mod nulls;
pub(super) mod params;
mod refusals;
pub(super) mod requests;

use std::sync::LazyLock;

use axum::{http::HeaderMap, response::Response};
use utoipa::{
    ToSchema,
    openapi::{
        ComponentsBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, RefOr, Schema,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
        tag::TagBuilder,
    },
};

use self::answers::ProblemDocument;
use crate::http::{auth::KEY_PREFIX, condition};

/// The names of the two forms of credentials.
const SCHEMES: [&str; 2] = ["token", "key"];

/// What the document says before any route is in it.
pub(super) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Playmark")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(INTRODUCTION))
        .license(Some(License::new("MIT OR Apache-2.0")));
    let bearer = |format: &str, said: &str| {
        let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(http.description(Some(said)).build())
    };
    let components = ComponentsBuilder::new()
        .security_scheme(SCHEMES[0], bearer("JWT", "A token of the operator's issuer."))
        .security_scheme(
            SCHEMES[1],
            bearer(&format!("{KEY_PREFIX}…"), "A static key, for gateways and scripts."),
        )
        .schemas_from_iter(kinds::all())
        .schemas_from_iter(with_parts::<ProblemDocument>())
        .schemas_from_iter(with_parts::<requests::OfflineSession>())
        .schemas_from_iter(with_parts::<requests::Command>());
    let tags = TAGS.iter().map(|&(name, said)| TagBuilder::new().name(name).description(Some(said)).build());
    OpenApiBuilder::new().info(info).components(Some(components.build())).tags(Some(tags)).build()
}

/// A type that is named where none of its routes brings it, with the types that it is made of.
fn with_parts<T: ToSchema>() -> Vec<(String, RefOr<Schema>)> {
    let mut all = vec![(T::name().into(), T::schema())];
    T::schemas(&mut all);
    all
}

const INTRODUCTION: &str = "Remembers where a viewer stopped. Positions and times are whole milliseconds, points in time since \
1970. Members that are not described are passed over, and one that is `null` is absent.

Any node takes any request. On its own machine a node without a section `auth` asks nobody who they are; elsewhere a request \
carries `Authorization: Bearer` with a token of the operator's issuer or a key. A session's token, in a report, is by itself the \
right to report for that session.";

/// What the routes are about, in the order in which they are read.
const TAGS: &[(&str, &str)] = &[
    ("playing", "What a player does."),
    ("places", "Where to go on, and where the viewer has been."),
    ("commands", "What viewers order by hand."),
    ("profiles", "What is held of a profile as a whole."),
    ("following", "What changes, as it changes."),
    ("operating", "What operators and machines ask of a node."),
    ("about", "What the node says of its interface. It asks for nothing."),
];

/// The whole document.
pub(super) fn document() -> OpenApi {
    let (_, mut document) = super::routes().split_for_parts();
    finish::finish(&mut document);
    document
}

/// The document as it is checked in and served.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let json = document().to_pretty_json().expect("a document is texts, numbers and flags");
        json + "\n"
    });
    &TEXT
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "about",
    operation_id = "readContract",
    summary = "Read this document",
    params(params::Known),
    responses(
        (status = 200, description = "An OpenAPI 3.1 document.", content_type = "application/json", body = Object, headers(("ETag"))),
        (status = 304, description = "The document is the one that the caller has.", headers(("ETag"))),
    ),
)]
pub(super) async fn serve(headers: HeaderMap) -> Response {
    condition::file(&headers, "application/json", text())
}

#[cfg(test)]
mod tests;
