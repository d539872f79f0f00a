use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::http::problems::types;

fn json() -> Value {
    serde_json::from_str(text()).expect("it is JSON")
}

#[test]
fn the_document_in_the_repository_is_the_one_that_the_code_makes() {
    let found = include_str!("../../../docs/openapi.json");
    let fix = "cargo run -p playmark -- openapi > docs/openapi.json";
    assert!(found == text(), "docs/openapi.json is not what the code says; write it with: {fix}");
}

#[test]
fn whatever_is_referred_to_is_there() {
    let document = json();
    let mut referred = BTreeSet::new();
    references(&document, &mut referred);
    assert!(referred.len() > 50, "{referred:?}");
    for reference in referred {
        let pointer = reference.strip_prefix('#').expect("it is within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn references<'a>(value: &'a Value, referred: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            referred.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|it| references(it, referred));
        }
        Value::Array(items) => items.iter().for_each(|it| references(it, referred)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_is_for() {
    let document = json();
    let mut names = BTreeSet::new();
    let paths = document["paths"].as_object().expect("there are paths");
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("a path has operations") {
            let text = |member: &str| operation[member].as_str().unwrap_or_default();
            assert!(names.insert(text("operationId").to_owned()), "{method} {path}");
            assert!(!text("operationId").is_empty() && !text("summary").is_empty(), "{method} {path}");
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            assert!(TAGS.iter().any(|(known, _)| *known == tag), "{method} {path}: {tag}");
            let asks = path.starts_with("/v1/") || path == "/metrics";
            assert_eq!(operation["security"].is_array(), asks, "{method} {path}");
        }
    }
    assert!(names.len() > 25, "{names:?}");
}

#[test]
fn a_problems_members_are_those_of_its_types() {
    let document = json();
    let problem = &document["components"]["schemas"]["Problem"];
    let described: BTreeSet<_> = problem["properties"].as_object().expect("it has some").keys().collect();
    let common = ["type", "title", "status", "detail"].map(str::to_owned);
    let of_types = types::ALL.iter().flat_map(|kind| kind.members).map(|&it| it.to_owned());
    let expected: BTreeSet<_> = common.iter().cloned().chain(of_types).collect();
    assert_eq!(described, expected.iter().collect());
    assert_eq!(problem["required"], serde_json::json!(common));
}

#[test]
fn every_type_of_problem_is_an_answer_to_something_or_to_an_item() {
    let elsewhere = ["no-such-method", "counts-wrongly", "token-expired"];
    for kind in types::ALL.iter().filter(|kind| !elsewhere.contains(&kind.name)) {
        assert!(text().contains(&format!("\"{}\"", kind.uri())), "no operation answers {}", kind.name);
    }
}

#[test]
fn every_type_and_every_member_says_what_it_is() {
    let document = json();
    let schemas = document["components"]["schemas"].as_object().expect("there are some");
    let mut silent = Vec::new();
    for (name, schema) in schemas {
        if !schema["description"].is_string() {
            silent.push(name.clone());
        }
        let parts =
            ["allOf", "oneOf", "anyOf"].iter().flat_map(|of| schema[of].as_array().into_iter().flatten());
        for part in parts.chain([schema]) {
            let members = part["properties"].as_object().into_iter().flatten();
            silent.extend(members.filter(|(_, it)| !says(it)).map(|(member, _)| format!("{name}.{member}")));
        }
    }
    assert!(silent.is_empty(), "{silent:?}");
}

/// Whether something is said of a member; of one that is named by its type, the type says it.
fn says(member: &Value) -> bool {
    let of_types = ["oneOf", "allOf"].iter().flat_map(|of| member[of].as_array().into_iter().flatten());
    member["description"].is_string() || member["$ref"].is_string() || of_types.clone().any(says)
}
