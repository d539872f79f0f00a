//! The types of problems, and what each of them means (RFC 9457).
//!
//! The problem: whoever gets a refusal, a program or the person who wrote it, must know what to do next, and
//! must find that where the refusal came from. The mechanism: one table ([`types`]) from which the answers,
//! the pages at `/problems/…`, `docs/PROBLEMS.md` and the answers of every operation in the contract are
//! made, with examples that are the real refusals of this build.
//!
//! A type is the path of its page, as RFC 9457, 3.1.1, wants a relative one: whole, so that it says the same
//! under every path. What was refused: the address of a page elsewhere, for a type would then change or
//! fall silent with a host that no operator of a node has in hand; and `about:blank`, which tells a program
//! nothing beside the status.

mod examples;
pub(super) mod page;
pub(super) mod types;

use std::fmt::Write;

use axum::http::StatusCode;
use serde_json::Value;

/// What every type begins with; its name is the rest.
pub const PROBLEMS: &str = "/problems/";

/// One type of problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Type {
    /// By which programs tell it from others; never given to another.
    pub(super) name: &'static str,
    pub(super) status: u16,
    pub(super) title: &'static str,
    /// What its document has beside the members of every problem, where there is anything to say in them.
    pub(super) members: &'static [&'static str],
    pub(super) means: &'static str,
    /// What a client does about it.
    pub(super) remedy: &'static str,
}

impl Type {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        types::ALL.iter().find(|kind| kind.name == name)
    }

    pub(super) fn uri(&self) -> String {
        format!("{PROBLEMS}{}", self.name)
    }

    pub(super) fn code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("the table has statuses only")
    }

    /// A whole document of it.
    pub(super) fn example(&self) -> Value {
        let example = examples::all().into_iter().find(|it| it.kind() == self);
        example.expect("each type has an example").document()
    }
}

/// The page `docs/PROBLEMS.md`.
///
/// # Panics
/// Never: a test makes it.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for kind in types::ALL {
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} | {2} |", kind.name, kind.status, kind.title);
    }
    for kind in types::ALL {
        let Type { name, status, title, means, remedy, .. } = kind;
        let _ = writeln!(text, "\n## {name}\n\n`{}`, {status}: *{title}*\n\n{means}\n", kind.uri());
        let _ = writeln!(text, "**What to do:** {remedy}\n");
        let example = serde_json::to_string_pretty(&kind.example()).expect("it is JSON");
        let _ = writeln!(text, "```json\n{example}\n```");
    }
    text
}

const HEAD: &str = "# Problems

Every refusal is a document of the type `application/problem+json` (RFC 9457): `type`, `title`, `status` and `detail`, and the
members that its type adds. A program goes by `type` and by `status` where it does not know the type; `detail` is for people,
and its wording may change. `type` is the path of its page at the node that answered: what stands here is at
`http://127.0.0.1:7080/problems` too.

429 and 503 come with `Retry-After`, 401 with `WWW-Authenticate`, 405 with `Allow`. A refusal of one item among many stands in the answer's
`results`, as `problem`, and looks the same. What is no HTTP (400) or has a head beyond its bounds (431) is answered without a document.

*Made by `playmark problems` from the table in `src/http/problems`; a test compares them.*

| type | status | title |
|---|---|---|
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_type_has_a_name_of_its_own_that_is_part_of_a_path() {
        let names: BTreeSet<_> = types::ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), types::ALL.len());
        for name in names {
            assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-'));
        }
    }

    #[test]
    fn each_type_has_one_example_with_the_members_that_it_names() {
        for kind in types::ALL {
            let of_it = examples::all().into_iter().filter(|it| it.kind() == kind).count();
            assert_eq!(of_it, 1, "{}", kind.name);
            let document = kind.example();
            let members: Vec<_> =
                document.as_object().expect("it is one").keys().map(String::as_str).collect();
            let common = ["type", "title", "status", "detail"];
            let expected: BTreeSet<_> = common.iter().chain(kind.members).copied().collect();
            assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), expected, "{}", kind.name);
        }
        assert_eq!(examples::all().len(), types::ALL.len());
    }

    #[test]
    fn the_page_in_the_repository_is_the_one_that_the_table_makes() {
        let found = include_str!("../../../docs/PROBLEMS.md");
        let fix = "cargo run -p playmark -- problems > docs/PROBLEMS.md";
        assert!(found == markdown(), "docs/PROBLEMS.md is not what the table makes; write it with: {fix}");
    }
}
