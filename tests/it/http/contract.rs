//! The contract, held against the node that serves it.
//!
//! That a body is read as it is described is tried member by member: what the description forbids is refused,
//! and the refusal names the member, so that it was read.

use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::{
    patience::within,
    serving::{Node, problem},
};

#[tokio::test]
async fn a_node_serves_the_contract_that_its_command_prints() {
    let (_home, node) = Node::alone().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_playmark"));
    let output = within(command.arg("openapi").output()).await.expect("it can be started");
    let answer = node.get("/openapi.json").await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let tag = answer.headers()["etag"].to_str().expect("it is ASCII").to_owned();
    assert!(answer.bytes().await.expect("it is read") == output.stdout, "they differ");
    let again = node.get_with("/openapi.json", "if-none-match", &tag).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn the_page_has_every_operation_and_asks_no_other_host_for_anything() {
    let (_home, node) = Node::alone().await;
    let document = document(&node).await;
    let answer = node.get("/docs").await;
    let policy = answer.headers()["content-security-policy"].to_str().expect("it is ASCII").to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = answer.text().await.expect("it is text");
    for operation in operations(&document) {
        let name = operation.said["operationId"].as_str().expect("it has a name");
        assert!(page.contains(&format!("<article id=\"{name}\">")), "{name}");
    }
    for word in ["<script", "src=", "@import", "url(", "href=\"http"] {
        assert!(!page.contains(word), "{word}");
    }
    let links = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "#{link} leads nowhere");
    }
}

#[tokio::test]
async fn the_type_of_every_problem_leads_to_its_page() {
    let (_home, node) = Node::alone().await;
    let document = document(&node).await;
    let index = node.get("/problems").await.text().await.expect("it is text");
    let mut found = 0;
    for response in document["components"]["responses"].as_object().expect("there are some").values() {
        let kinds =
            &response["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["type"];
        for kind in kinds["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let page = node.get(kind).await;
            assert_eq!(page.status(), StatusCode::OK, "{kind}");
            let page = page.text().await.expect("it is text");
            assert!(page.contains(&format!("&quot;type&quot;: &quot;{kind}&quot;")), "{kind}: {page}");
            assert!(index.contains(&format!("href=\"{kind}\"")), "{kind}");
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
    problem(node.get("/problems/no-such-problem").await, 404, "no-such-path", "no such problem").await;
}

#[tokio::test]
async fn a_body_is_taken_as_it_is_described_and_whatever_is_wrong_in_it_is_named() {
    let (_home, node) = Node::alone().await;
    let document = document(&node).await;
    let with_body = operations(&document).into_iter().filter(|it| it.said["requestBody"].is_object());
    let mut tried = 0;
    for operation in with_body {
        let mut schema = operation.body(&document);
        if schema["oneOf"].is_array() {
            schema = named(&document, &schema["oneOf"][0]);
        }
        let example = schema["example"].as_object().expect("a body has an example").clone();
        // The example goes back to a place that nobody has left.
        let expected = if operation.said["operationId"] == "restorePlace" { 404 } else { 0 };
        let answer = operation.send(&node, &Value::Object(example.clone())).await;
        let status = answer.status().as_u16();
        assert!(answer.status().is_success() || status == expected, "{}: {status}", operation.path);
        for (member, wrong) in mutants(&document, schema, &example) {
            let of = format!("{} {member} {wrong:?}", operation.path);
            let answer = operation.send(&node, &with(&example, &member, wrong)).await;
            let refused = problem(answer, 422, "invalid", &of).await;
            assert_eq!(refused["field"], json!(member), "{of}");
            tried += 1;
        }
        for no_object in [json!(null), json!(7), json!("text")] {
            problem(operation.send(&node, &no_object).await, 400, "not-json", operation.path).await;
        }
    }
    assert!(tried > 80, "{tried}");
}

#[tokio::test]
async fn an_item_of_a_sync_is_taken_as_it_is_described_and_whatever_is_wrong_in_it_is_named() {
    let (_home, node) = Node::alone().await;
    let document = document(&node).await;
    for (part, answered, schema) in
        [("sessions", "tokens", "OfflineSession"), ("commands", "commands", "Command")]
    {
        let schema = &document["components"]["schemas"][schema];
        let mut example = schema["example"].as_object().expect("an item has an example").clone();
        if part == "commands" {
            example.insert("token".into(), node.open("metropolis").await["token"].clone());
            example.insert("elapsed_ms".into(), json!(5));
            example.insert("sent_elapsed_ms".into(), json!(5));
        }
        let send = async |item: &Value| {
            let body = json!({"profile": "ada", part: [item]});
            let answer = node.post("/v1/sync", "application/json", body.to_string()).await;
            assert_eq!(answer.status(), StatusCode::OK, "{body}");
            answer.json::<Value>().await.expect("it is JSON")[answered][0].clone()
        };
        let taken = send(&Value::Object(example.clone())).await;
        assert_eq!(taken["problem"], Value::Null, "{taken}");
        for (member, wrong) in mutants(&document, schema, &example) {
            let mut item = example.clone();
            if ["dismissed", "place"].contains(&member.as_str()) {
                item.remove("watched");
            }
            let refused = send(&with(&item, &member, wrong.clone())).await;
            assert_eq!(refused["problem"]["field"], json!(member), "{part} {member} {wrong:?}: {refused}");
        }
    }
}

/// What the description of an object forbids: for each member another type, and what is beyond its bounds;
/// `None` leaves out one that is required.
fn mutants(document: &Value, schema: &Value, example: &Map<String, Value>) -> Vec<(String, Option<Value>)> {
    let mut mutants = Vec::new();
    for (member, described) in schema["properties"].as_object().into_iter().flatten() {
        let mut one_of = described["oneOf"].as_array().into_iter().flatten();
        let of = one_of.find(|it| it["type"] != "null").unwrap_or(described);
        let of = named(document, of);
        let is_text = of["type"] == "string" || of["type"][0] == "string";
        mutants.push((member.clone(), Some(if is_text { json!(7) } else { json!("text") })));
        if of["enum"].is_array() {
            mutants.push((member.clone(), Some(json!("other"))));
        }
        if let Some(max) = of["maxLength"].as_u64() {
            let long = "x".repeat(usize::try_from(max).expect("it is small") + 1);
            mutants.push((member.clone(), Some(json!(long))));
        }
        if let Some(max) = of["maximum"].as_f64() {
            mutants.push((member.clone(), Some(json!(2.0 * max + 1.0))));
        }
        if let Some(min) = of["minimum"].as_f64() {
            mutants.push((member.clone(), Some(json!(min - 1.0))));
        }
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    mutants.extend(required.map(|member| (member.to_owned(), None)));
    for member in example.keys() {
        assert!(mutants.iter().any(|(tried, _)| tried == member), "{member} is not described");
    }
    mutants
}

fn with(example: &Map<String, Value>, member: &str, value: Option<Value>) -> Value {
    let mut body = example.clone();
    match value {
        Some(value) => body.insert(member.to_owned(), value),
        None => body.remove(member),
    };
    Value::Object(body)
}

/// One operation of the document.
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    said: &'a Value,
}

impl<'a> Operation<'a> {
    /// How its body is described, as JSON.
    fn body(&self, document: &'a Value) -> &'a Value {
        named(document, &self.said["requestBody"]["content"]["application/json"]["schema"])
    }

    /// Sends it for a title of Ada's.
    async fn send(&self, node: &Node, body: &Value) -> Response {
        let path = self.path.replace("{profile}", "ada").replace("{content}", "metropolis");
        match self.method {
            "put" => node.put(&path, &[], body).await,
            "post" => node.post(&path, "application/json", body.to_string()).await,
            other => panic!("{other} has no body"),
        }
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("there are paths").iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().expect("a path has operations").iter();
        methods.map(move |(method, said)| Operation { path, method, said })
    });
    operations.collect()
}

/// The schema that a reference means; one that is none, means itself.
fn named<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let Some(reference) = schema["$ref"].as_str() else { return schema };
    document.pointer(&reference[1..]).expect("it is there")
}

async fn document(node: &Node) -> Value {
    node.get("/openapi.json").await.json().await.expect("it is JSON")
}
