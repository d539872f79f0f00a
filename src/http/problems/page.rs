//! `GET /problems` and `GET /problems/{name}`: what a type of problem means, where it came from.

use std::fmt::Write;

use axum::{
    extract::{Path, rejection::PathRejection},
    response::Response,
};

use super::{PROBLEMS, Type, types};
use crate::http::{
    Problem,
    pages::{self, escape, inline, prose},
};

/// Every type.
#[utoipa::path(
    get,
    path = "/problems",
    tag = "about",
    operation_id = "listProblems",
    summary = "List the types of problems",
    description = "A page for people, with every type that a refusal can have.",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String)),
)]
pub(in crate::http) async fn index() -> Response {
    let rows = types::ALL.iter().fold(String::new(), |mut rows, kind| {
        let (uri, Type { name, status, title, .. }) = (kind.uri(), kind);
        let link = format!("<a href=\"{uri}\"><code>{name}</code></a>");
        let _ = writeln!(rows, "<tr><td>{link}<td>{status}<td>{}", escape(title));
        rows
    });
    let main = format!(
        "<h1>Problems</h1>\n{}<div class=\"wide\"><table><thead><tr><th>Type<th>Status<th>Title<tbody>\n{rows}</table></div>\n",
        prose(
            "A refusal is a document of the type `application/problem+json` (RFC 9457). Its `type` is the path of one \
             of these pages. A program goes by `type`, and by `status` where it does not know the type."
        )
    );
    pages::answer(pages::page("Problems · Playmark", "", &main))
}

/// One of them.
#[utoipa::path(
    get,
    path = "/problems/{name}",
    tag = "about",
    operation_id = "readProblem",
    summary = "Read what a type of problem means",
    description = "A page for people. The `type` of every refusal is the path of its page.",
    params(("name" = String, Path, description = "The type's name, the last part of its path.")),
    responses((status = 200, description = "The page.", content_type = "text/html", body = String)),
    extensions(("x-problems" = json!(["no-such-path"]))),
)]
pub(in crate::http) async fn read(path: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let Path(name) = path.map_err(|why| Problem::Invalid { field: "path", fix: why.body_text() })?;
    let kind = Type::find(&name).ok_or(Problem::NoSuchPath)?;
    let Type { status, title, means, remedy, .. } = kind;
    let example = serde_json::to_string_pretty(&kind.example()).expect("it is JSON");
    let main = format!(
        "<h1>{title}</h1>\n<p><code>{PROBLEMS}{name}</code> · status {status}</p>\n{means}\
         <h2>What to do</h2>\n{remedy}<h2>Example</h2>\n<pre tabindex=\"0\"><code>{example}</code></pre>\n",
        title = escape(title),
        means = prose(means),
        remedy = format_args!("<p>{}</p>\n", inline(remedy)),
        example = escape(&example),
    );
    Ok(pages::answer(pages::page(&format!("{title} · Playmark"), "", &main)))
}
