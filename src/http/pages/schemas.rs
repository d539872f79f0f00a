//! Schemas, as a page shows them: in a word where they are used, and member by member where they are explained.

use std::{collections::BTreeMap, fmt::Write};

use utoipa::{
    Number,
    openapi::{
        RefOr,
        schema::{Array, ArrayItems, Object, Schema, SchemaType, Type},
    },
};

use super::{escape, inline};

/// The document's schemas, by name.
pub(super) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Every type: those with members one by one, the others in one table.
pub(super) fn types(schemas: &Schemas) -> String {
    let (mut values, mut objects) = (String::new(), String::new());
    for (name, schema) in schemas {
        let RefOr::T(schema) = schema else { continue };
        let rows = members(schema, schemas);
        if rows.is_empty() {
            let said = description(schema).map(inline).unwrap_or_default();
            let _ = writeln!(
                values,
                "<tr id=\"type-{name}\"><th scope=\"row\">{name}<td>{}<td>{said}",
                form(schema)
            );
        } else {
            let said = description(schema).map(super::prose).unwrap_or_default();
            let _ = writeln!(
                objects,
                "<section id=\"type-{name}\"><h3>{name}</h3>\n{said}{}</section>",
                table(&rows)
            );
        }
    }
    format!(
        "<section id=\"values\"><h2>Values</h2>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th>Name<th>Form<th>Meaning\
         <tbody>\n{values}</table></div></section>\n<section id=\"types\"><h2>Types</h2>\n{objects}</section>\n"
    )
}

/// A table of members or parameters.
pub(super) fn table(rows: &str) -> String {
    format!(
        "<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th>Name<th>Value<th>Meaning<tbody>\n{rows}</table></div>\n"
    )
}

/// A row of such a table. What is not required may be `null`, as it may be absent, and needs no word of it.
pub(super) fn row(name: &str, is_required: bool, value: &str, said: &str) -> String {
    let value = if is_required { value } else { value.trim_end_matches(" or null").trim_end_matches(',') };
    let required = if is_required { " <span class=\"required\">required</span>" } else { "" };
    format!("<tr><th scope=\"row\"><code>{}</code>{required}<td>{value}<td>{}\n", escape(name), inline(said))
}

pub(super) fn members(schema: &Schema, schemas: &Schemas) -> String {
    match schema {
        Schema::Object(Object { properties, required, .. }) => {
            let rows = properties.iter().map(|(name, member)| {
                row(name, required.contains(name), &brief(member), meaning(member, schemas))
            });
            rows.collect()
        }
        Schema::AllOf(all) => {
            let parts = all.items.iter().map(|item| match item {
                RefOr::Ref(_) => format!("<tr><td colspan=\"3\">the members of {}\n", brief(item)),
                RefOr::T(schema) => members(schema, schemas),
            });
            parts.collect()
        }
        Schema::Array(_) | Schema::OneOf(_) | Schema::AnyOf(_) | _ => String::new(),
    }
}

/// What is said of a member; where nothing is, what is said of its type.
pub(super) fn meaning<'a>(member: &'a RefOr<Schema>, schemas: &'a Schemas) -> &'a str {
    let said = match member {
        RefOr::Ref(to) if !to.description.is_empty() => return &to.description,
        RefOr::Ref(to) => return named(&to.ref_location, schemas).and_then(description).unwrap_or_default(),
        RefOr::T(schema) => description(schema),
    };
    match (said, member) {
        (Some(said), _) => said,
        (None, RefOr::T(Schema::OneOf(of))) => {
            of.items.iter().map(|it| meaning(it, schemas)).find(|it| !it.is_empty()).unwrap_or_default()
        }
        (None, _) => "",
    }
}

/// The schema that a reference means.
pub(super) fn named<'a>(reference: &str, schemas: &'a Schemas) -> Option<&'a Schema> {
    let found = schemas.get(reference.rsplit('/').next()?)?;
    if let RefOr::T(schema) = found { Some(schema) } else { None }
}

fn description(schema: &Schema) -> Option<&str> {
    match schema {
        Schema::Object(it) => it.description.as_deref(),
        Schema::Array(it) => it.description.as_deref(),
        Schema::OneOf(it) => it.description.as_deref(),
        Schema::AllOf(it) => it.description.as_deref(),
        Schema::AnyOf(it) => it.description.as_deref(),
        _ => None,
    }
}

/// A value in a few words.
pub(super) fn brief(schema: &RefOr<Schema>) -> String {
    match schema {
        RefOr::Ref(to) => {
            let name = escape(to.ref_location.rsplit('/').next().unwrap_or_default());
            format!("<a href=\"#type-{name}\">{name}</a>")
        }
        RefOr::T(schema) => form(schema),
    }
}

fn form(schema: &Schema) -> String {
    match schema {
        Schema::Object(object) => scalar(object),
        Schema::Array(array) => list(array),
        Schema::OneOf(of) => any(&of.items),
        Schema::AnyOf(of) => any(&of.items),
        Schema::AllOf(of) => of.items.iter().map(brief).collect::<Vec<_>>().join(" and "),
        _ => "anything".into(),
    }
}

fn any(items: &[RefOr<Schema>]) -> String {
    items.iter().map(brief).collect::<Vec<_>>().join(" or ")
}

fn list(array: &Array) -> String {
    let items = match &array.items {
        ArrayItems::RefOrSchema(items) => brief(items),
        ArrayItems::False => "nothing".into(),
    };
    let most = array.max_items.map(|max| format!(", {max} at most")).unwrap_or_default();
    let null = if is_nullable(&array.schema_type) { ", or null" } else { "" };
    format!("list of {items}{most}{null}")
}

fn scalar(object: &Object) -> String {
    if !object.properties.is_empty() {
        let names = object.properties.keys().map(|name| format!("<code>{}</code>", escape(name)));
        return format!("an object with {}", names.collect::<Vec<_>>().join(" "));
    }
    if let Some(values) = &object.enum_values {
        let values =
            values.iter().map(|it| format!("<code>{}</code>", escape(it.as_str().unwrap_or_default())));
        return values.collect::<Vec<_>>().join(" ");
    }
    if let Some(item) = &object.content_schema {
        return format!("lines of {}", brief(item));
    }
    let kinds = match &object.schema_type {
        SchemaType::Type(kind) => vec![kind],
        SchemaType::Array(kinds) => kinds.iter().collect(),
        SchemaType::AnyValue => Vec::new(),
    };
    let words: Vec<_> = kinds.into_iter().map(word).collect();
    let mut said = if words.is_empty() { "anything".to_owned() } else { words.join(" or ") };
    let bounds = bounds(object);
    if !bounds.is_empty() {
        let _ = write!(said, ", {bounds}");
    }
    said
}

fn word(kind: &Type) -> &'static str {
    match kind {
        Type::Object => "object",
        Type::String => "text",
        Type::Integer => "whole number",
        Type::Number => "number",
        Type::Boolean => "true or false",
        Type::Array => "list",
        Type::Null => "null",
    }
}

fn bounds(object: &Object) -> String {
    let number = |bound: &Option<Number>| bound.as_ref().map(figure);
    match (number(&object.minimum), number(&object.maximum), object.min_length, object.max_length) {
        (Some(min), Some(max), ..) => format!("{min} to {max}"),
        (Some(min), None, ..) if min != "0" => format!("{min} or more"),
        (.., Some(min), Some(max)) => format!("{min} to {max} long"),
        (.., None, Some(max)) => format!("up to {max} long"),
        _ => String::new(),
    }
}

fn figure(number: &Number) -> String {
    match number {
        Number::Int(it) => it.to_string(),
        Number::UInt(it) => it.to_string(),
        Number::Float(it) => it.to_string(),
    }
}

fn is_nullable(found: &SchemaType) -> bool {
    matches!(found, SchemaType::Array(kinds) if kinds.contains(&Type::Null))
}
