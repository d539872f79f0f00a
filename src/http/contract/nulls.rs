//! In answers a member that is not required is left out, and never `null`; in requests it may be either.

use std::collections::BTreeSet;

use utoipa::openapi::{
    Components, Content, OpenApi, RefOr,
    path::Parameter,
    schema::{ArrayItems, Object, Schema, SchemaType, Type},
};

use super::finish::operations;

/// Takes `null` from what answers alone are made of, and from parameters and bodies, which are
/// there or are not.
pub(super) fn leave_out(document: &mut OpenApi) {
    let Some(mut components) = document.components.take() else { return };
    let mut asked = BTreeSet::new();
    for (_, operation) in document.paths.paths.values_mut().flat_map(operations) {
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(Parameter { schema: Some(schema), .. }) = parameter {
                strip(schema);
            }
        }
        let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
        for content in body.content.values_mut() {
            let RefOr::T(Content { schema: Some(schema), .. }) = content else { continue };
            strip(schema);
            reach(schema, &components, &mut asked);
        }
    }
    for (name, schema) in &mut components.schemas {
        if !asked.contains(name) {
            strip_members(schema);
        }
    }
    document.components = Some(components);
}

/// Collects the names of all components that a schema is made of.
fn reach(schema: &RefOr<Schema>, components: &Components, reached: &mut BTreeSet<String>) {
    let schema = match schema {
        RefOr::Ref(to) => {
            let name = to.ref_location.rsplit('/').next().unwrap_or_default();
            if let Some(found) = components.schemas.get(name)
                && reached.insert(name.to_owned())
            {
                reach(found, components, reached);
            }
            return;
        }
        RefOr::T(schema) => schema,
    };
    match schema {
        Schema::Object(object) => {
            object.properties.values().for_each(|it| reach(it, components, reached));
            object.content_schema.iter().for_each(|it| reach(it, components, reached));
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &array.items {
                reach(items, components, reached);
            }
        }
        Schema::OneOf(of) => of.items.iter().for_each(|it| reach(it, components, reached)),
        Schema::AllOf(of) => of.items.iter().for_each(|it| reach(it, components, reached)),
        Schema::AnyOf(of) => of.items.iter().for_each(|it| reach(it, components, reached)),
        _ => {}
    }
}

fn strip_members(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(Object { properties, required, .. }) => {
            for (name, member) in properties {
                if !required.contains(name) {
                    strip(member);
                }
            }
        }
        Schema::OneOf(of) => of.items.iter_mut().for_each(strip_members),
        Schema::AllOf(of) => of.items.iter_mut().for_each(strip_members),
        Schema::AnyOf(of) => of.items.iter_mut().for_each(strip_members),
        Schema::Array(_) | _ => {}
    }
}

fn strip(member: &mut RefOr<Schema>) {
    let RefOr::T(schema) = member else { return };
    match schema {
        Schema::Object(Object { schema_type, .. }) => strip_type(schema_type),
        Schema::Array(array) => strip_type(&mut array.schema_type),
        Schema::OneOf(of) => {
            of.items.retain(|item| !is_null(item));
            if let [only] = of.items.as_slice() {
                let (only, said) = (only.clone(), of.description.take());
                *member = only;
                if let (RefOr::Ref(to), Some(said)) = (member, said) {
                    to.description = said;
                }
            }
        }
        Schema::AllOf(_) | Schema::AnyOf(_) | _ => {}
    }
}

fn strip_type(found: &mut SchemaType) {
    if let SchemaType::Array(types) = found {
        types.retain(|kind| *kind != Type::Null);
        if let [only] = types.as_slice() {
            *found = SchemaType::Type(only.clone());
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}
