//! What holds of every operation by rule.

use axum::http::Method;
use utoipa::openapi::{
    Header, OpenApi, PathItem, Ref, RefOr, SecurityRequirement,
    path::Operation,
    response::Response,
    schema::{AnyOfBuilder, ObjectBuilder, Schema, Type},
};

use super::{SCHEMES, nulls, refusals};
use crate::http::auth::{Need, Scope};

/// Finishes the document.
pub(super) fn finish(document: &mut OpenApi) {
    let mut refused = refusals::Components::default();
    let paths = std::mem::take(&mut document.paths.paths);
    for (pattern, mut item) in paths {
        for (method, operation) in operations(&mut item) {
            let need = Need::of(&method, &pattern);
            operation.security = security(need);
            refusals::add(operation, need, &mut refused);
            operation.responses.responses.values_mut().for_each(describe_headers);
        }
        // A path's last part may have slashes, of which the document knows nothing.
        document.paths.paths.insert(pattern.replace("{*", "{"), item);
    }
    let components = document.components.get_or_insert_default();
    components.responses.extend(refused.into_responses());
    components.responses.values_mut().for_each(describe_headers);
    for schema in components.schemas.values_mut() {
        let RefOr::T(Schema::OneOf(of)) = schema else { continue };
        if of.items.iter().any(is_empty) {
            let any = of.items.drain(..).fold(AnyOfBuilder::new(), AnyOfBuilder::item);
            *schema = any.description(of.description.take()).into();
        }
    }
    nulls::leave_out(document);
}

/// Whether a schema is that of nothing but an object: all other objects are of it too, so that it can be one of
/// several, and not the only one.
fn is_empty(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.properties.is_empty()
        && object.schema_type == Type::Object.into())
}

/// The operations of a path, and their methods.
pub(in crate::http) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let all = [(Method::GET, get), (Method::PUT, put), (Method::POST, post), (Method::DELETE, delete)];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Who may ask, in either form of credential; nobody is asked on the loopback, which is the empty form.
fn security(need: Need) -> Option<Vec<SecurityRequirement>> {
    let scopes: &[Scope] = match need {
        Need::Nothing => return None,
        Need::Handlers => &[Scope::Play],
        Need::Scope(scopes) | Need::Profile(scopes) | Need::Everybody(scopes) => scopes,
    };
    let scopes = scopes.iter().map(|scope| scope.as_str());
    let named = SCHEMES.map(|scheme| SecurityRequirement::new(scheme, scopes.clone()));
    Some(named.into_iter().chain([SecurityRequirement::default()]).collect())
}

/// What each header of an answer says, and as which kind of value.
const HEADERS: &[(&str, Option<&str>, &str)] = &[
    ("Allow", None, "The methods that the path takes."),
    ("Cursor", Some("Cursor"), "Where the next page goes on."),
    ("Dot", Some("Dot"), "The write that stands there now."),
    ("Durability", Some("Durability"), "What the acknowledgement has survived."),
    ("ETag", None, "The tag of what stands, for `If-Match` and `If-None-Match`."),
    ("Heartbeat-Interval-Ms", None, "How often the player is asked to report."),
    ("Location", None, "Where to ask who has confirmed."),
    ("Preference-Applied", None, "That the answer has waited as `Prefer` says."),
    ("RateLimit", None, "None left, and in how many seconds one more."),
    ("RateLimit-Policy", None, "How many requests in how many seconds."),
    ("Retry-After", None, "In how many seconds to send the same again."),
    ("Stale", None, "That this node does not know yet all that the cursor covers."),
    ("Token", Some("Token"), "A token to report under."),
    ("WWW-Authenticate", None, "What is wanted instead."),
];

fn describe_headers(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    for (name, header) in &mut response.headers {
        let found = HEADERS.iter().find(|(known, ..)| known == name);
        let &(_, kind, said) = found.unwrap_or_else(|| panic!("nothing is said of the header {name}"));
        *header = RefOr::T(Header::new(schema(name, kind)));
        if let RefOr::T(header) = header {
            header.description = Some(said.into());
        }
    }
}

fn schema(name: &str, kind: Option<&str>) -> RefOr<Schema> {
    match kind {
        Some(kind) => Ref::from_schema_name(kind).into(),
        None if ["Heartbeat-Interval-Ms", "Retry-After"].contains(&name) => {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).into()
        }
        None => ObjectBuilder::new().schema_type(Type::String).into(),
    }
}
