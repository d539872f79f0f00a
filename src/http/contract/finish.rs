//! What holds of every operation by rule.

use axum::http::Method;
use utoipa::openapi::{
    OpenApi, PathItem, RefOr, SecurityRequirement,
    path::Operation,
    schema::{AnyOfBuilder, Schema, Type},
};

use super::{
    SCHEMES,
    glossary::{explain_headers, explain_members},
    nulls, refusals,
};
use crate::http::auth::{Need, Scope};

/// Finishes the document.
pub(super) fn finish(document: &mut OpenApi) {
    let mut refused = refusals::Components::default();
    let paths = std::mem::take(&mut document.paths.paths);
    for (pattern, mut item) in paths {
        for (method, operation) in operations(&mut item) {
            let need = Need::of(&method, &pattern);
            operation.security = security(need);
            refusals::add(operation, &method, &pattern, &mut refused);
            operation.responses.responses.values_mut().for_each(explain_headers);
        }
        // A path's last part may have slashes, of which the document knows nothing.
        document.paths.paths.insert(pattern.replace("{*", "{"), item);
    }
    let components = document.components.get_or_insert_default();
    components.responses.extend(refused.into_responses());
    components.responses.values_mut().for_each(explain_headers);
    for schema in components.schemas.values_mut() {
        explain_members(schema);
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
