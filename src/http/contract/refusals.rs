//! The refusals of an operation: those that its handler names, and those that follow from what it takes.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::Value;
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr,
    path::{Operation, ParameterIn},
    response::{Response, ResponseBuilder},
    schema::{AllOfBuilder, ObjectBuilder, Schema, Type as Kind},
};

use crate::http::{
    HEAD_BYTES_MAX, HEADERS_MAX,
    auth::{Need, writes},
    problems::{Type, types as t},
};

/// Under this extension a handler names refusals that are its own.
const NAMED: &str = "x-problems";

/// The status of the one refusal that has no document: the server gives it before there is a request.
const HEAD: &str = "431";

fn head_too_long() -> Response {
    let said = format!(
        "Path, query and headers have more than {HEAD_BYTES_MAX} bytes, or there are more than {HEADERS_MAX} headers. \
         It has no body."
    );
    ResponseBuilder::new().description(said).build()
}

/// Answers that several operations have in common, each by the status and the types that it can have.
#[derive(Default)]
pub(super) struct Components(BTreeMap<String, (u16, Vec<&'static Type>)>);

impl Components {
    pub(super) fn into_responses(self) -> impl Iterator<Item = (String, RefOr<Response>)> {
        let refusals = self.0.into_iter();
        let refusals = refusals.map(|(name, (status, kinds))| (name, RefOr::T(response(status, &kinds))));
        refusals.chain([(HEAD.into(), RefOr::T(head_too_long()))])
    }
}

/// Adds an answer for each status that a refusal of the operation can have.
pub(super) fn add(operation: &mut Operation, method: &Method, pattern: &str, components: &mut Components) {
    let mut by_status = BTreeMap::<u16, Vec<&'static Type>>::new();
    let all = by_rule(operation, method, pattern).into_iter().chain(named(operation));
    for kind in t::ALL.iter().filter(|kind| all.clone().any(|it| it == **kind)) {
        by_status.entry(kind.status).or_default().push(kind);
    }
    operation.responses.responses.insert(HEAD.into(), Ref::from_response_name(HEAD).into());
    for (status, kinds) in by_status {
        let names: Vec<_> = kinds.iter().map(|kind| kind.name).collect();
        let name = format!("{status}.{}", names.join("."));
        operation.responses.responses.insert(status.to_string(), Ref::from_response_name(&name).into());
        components.0.insert(name, (status, kinds));
    }
}

fn named(operation: &mut Operation) -> Vec<Type> {
    let extensions = operation.extensions.take();
    let named = extensions.and_then(|mut it| it.remove(NAMED)).unwrap_or_default();
    let all = named.as_array().into_iter().flatten().filter_map(Value::as_str);
    all.map(|name| *Type::find(name).unwrap_or_else(|| panic!("no type of problem is named {name}")))
        .collect()
}

/// What follows from what an operation takes, and from whom.
fn by_rule(operation: &Operation, method: &Method, pattern: &str) -> Vec<Type> {
    let need = Need::of(method, pattern);
    let mut kinds = vec![t::TOO_MANY_REQUESTS, t::UNKNOWN];
    if need != Need::Nothing {
        kinds.extend([t::MISDIRECTED, t::FOREIGN_ORIGIN, t::UNAUTHENTICATED, t::BAD_CREDENTIAL]);
        kinds.extend([t::CREDENTIAL_EXPIRED, t::KEYS_UNKNOWN, t::NO_SCOPE, t::NOT_READY, t::STORE]);
    }
    if matches!(need, Need::Handlers | Need::Profile(_) | Need::Everybody(_)) {
        kinds.push(t::NOT_YOUR_PROFILE);
    }
    if need.is_of_players() {
        kinds.push(t::CATCHING_UP);
    }
    if writes(method, pattern) {
        kinds.push(t::CLOCK_UNSYNCED);
        // Erasures are taken all the same.
        kinds.extend((method != Method::DELETE).then_some(t::DISK_FULL));
    }
    let parameters = || {
        let all = operation.parameters.iter().flatten();
        all.filter_map(|it| if let RefOr::T(parameter) = it { Some(parameter) } else { None })
    };
    if parameters().any(|it| it.parameter_in != ParameterIn::Header) {
        kinds.push(t::INVALID);
    }
    if parameters().any(|it| it.name == "durability") || need == Need::Handlers {
        kinds.extend([t::FULL, t::INTERNAL]);
    }
    if operation.request_body.is_some() {
        kinds.extend([t::BODY_TOO_LARGE, t::BODY_TOO_SLOW, t::BODY_UNREADABLE]);
        kinds.extend([t::NOT_JSON, t::MEDIA_TYPE, t::INVALID]);
    }
    kinds
}

fn response(status: u16, kinds: &[&Type]) -> Response {
    let uris = kinds.iter().map(|kind| kind.uri());
    let kind = ObjectBuilder::new().schema_type(Kind::String).enum_values(Some(uris));
    let of_these = ObjectBuilder::new().property("type", kind);
    let schema = AllOfBuilder::new().item(Ref::from_schema_name("Problem")).item(of_these);
    let content = ContentBuilder::new().schema(Some(Schema::from(schema))).build();
    let said: Vec<_> = kinds.iter().map(|kind| kind.title).collect();
    let mut response = ResponseBuilder::new()
        .description(format!("{}.", said.join("; ")))
        .content("application/problem+json", content);
    for name in headers(status) {
        response = response.header(*name, utoipa::openapi::Header::default());
    }
    response.build()
}

/// The headers that come with a status.
fn headers(status: u16) -> &'static [&'static str] {
    match status {
        412 => &["ETag"],
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        401 => &["WWW-Authenticate"],
        _ => &[],
    }
}
