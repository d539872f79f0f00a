//! A refusal, read as a program reads it.

use playmark::http::PROBLEMS;
use reqwest::{Response, header};
use serde_json::Value;

/// The page that explains every type of problem.
const PAGE: &str = include_str!("../../../docs/PROBLEMS.md");

/// Reads an answer that must be this problem, in every way that the documentation promises.
pub(crate) async fn problem(answer: Response, status: u16, kind: &str, of: &str) -> Value {
    let found = answer.status().as_u16();
    let headers = answer.headers().clone();
    let text = answer.text().await.expect("it is text");
    assert_eq!(found, status, "{of}: {text}");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json", "{of}");
    assert_eq!(headers.contains_key(header::RETRY_AFTER), [429, 503].contains(&status), "{of}: {headers:?}");
    let document = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(kind_of(&document), (status, kind), "{of}: {text}");
    document
}

/// The status and the name of a problem's document, once it is found to be whole and documented.
pub(crate) fn kind_of(document: &Value) -> (u16, &str) {
    let kind = document["type"].as_str().and_then(|it| it.strip_prefix(PROBLEMS)).expect("a type");
    let status = document["status"].as_u64().and_then(|it| u16::try_from(it).ok()).expect("a status");
    assert!(document["title"].is_string() && document["detail"].is_string(), "{document}");
    let row = format!("| [`{kind}`](#{kind}) | {status} |");
    assert!(PAGE.contains(&row), "docs/PROBLEMS.md has no row {row}");
    (status, kind)
}
