//! `GET /docs`: the contract, for people.

use std::{collections::BTreeMap, fmt::Write, sync::LazyLock};

use axum::{http::Method, response::Response};
use serde_json::Value;
use utoipa::openapi::{
    Components, Content, OpenApi, RefOr,
    path::{Operation, Parameter, ParameterIn},
    schema::{Object, Schema},
};

use super::{
    escape, inline, prose,
    schemas::{Schemas, brief, meaning, members, named, row, table, types},
};
use crate::http::contract::{self, finish::operations};

/// The contract.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "about",
    operation_id = "readDocs",
    summary = "Read the contract as a page",
    responses((status = 200, description = "The page.", content_type = "text/html", body = String)),
)]
pub(in crate::http) async fn read() -> Response {
    static PAGE: LazyLock<String> = LazyLock::new(|| page(contract::document()));
    super::answer(PAGE.clone())
}

/// An operation, where it stands.
struct Entry {
    method: Method,
    path: String,
    operation: Operation,
}

fn page(mut document: OpenApi) -> String {
    let mut entries = Vec::new();
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            entries.push(Entry { method, path: path.clone(), operation: operation.clone() });
        }
    }
    let components = document.components.take().unwrap_or_default();
    let (mut aside, mut main) = (String::new(), String::new());
    for tag in document.tags.iter().flatten() {
        let said = tag.description.as_deref().unwrap_or_default();
        let _ = writeln!(aside, "<h2>{}</h2>\n<ul>", escape(&tag.name));
        let _ = writeln!(main, "<section><h2>{}</h2>\n{}", escape(&tag.name), prose(said));
        for entry in entries.iter().filter(|it| it.operation.tags.iter().flatten().any(|it| *it == tag.name))
        {
            let (id, summary) = entry.names();
            let _ = writeln!(aside, "<li><a href=\"#{id}\">{}</a>", escape(summary));
            main += &entry.show(&components);
        }
        aside += "</ul>\n";
        main += "</section>\n";
    }
    aside += "<h2>values and types</h2>\n<ul><li><a href=\"#values\">Values</a><li><a href=\"#types\">Types</a></ul>\n";
    let schemas = types(&components.schemas);
    let title = format!("{} {}", document.info.title, document.info.version);
    let said = prose(document.info.description.as_deref().unwrap_or_default());
    let main = format!("<h1>{}</h1>\n{said}{main}{schemas}", escape(&title));
    super::page(
        "Playmark's interface",
        &format!(
            "<nav class=\"contents\" aria-label=\"Contents\"><details><summary>Contents</summary>\n{aside}</details></nav>\n"
        ),
        &main,
    )
}

impl Entry {
    /// By what it is linked, and what it is for.
    fn names(&self) -> (&str, &str) {
        let Operation { operation_id, summary, .. } = &self.operation;
        (operation_id.as_deref().unwrap_or_default(), summary.as_deref().unwrap_or_default())
    }

    fn show(&self, components: &Components) -> String {
        let (id, summary) = self.names();
        let method = self.method.as_str();
        let path = escape(&self.path).replace('/', "<wbr>/");
        let said = self.operation.description.as_deref().map(prose).unwrap_or_default();
        format!(
            "<article id=\"{id}\">\n<h3><a href=\"#{id}\">{}</a></h3>\n\
             <p class=\"request\"><span class=\"method {}\">{method}</span> <code>{path}</code></p>\n{said}{}{}{}{}</article>\n",
            escape(summary),
            method.to_ascii_lowercase(),
            self.scopes(),
            self.parameters(&components.schemas),
            self.body(&components.schemas),
            self.answers(&components.responses),
        )
    }

    /// What the caller must be allowed.
    fn scopes(&self) -> String {
        let asked =
            self.operation.security.iter().flatten().next().and_then(|it| serde_json::to_value(it).ok());
        let asked = asked.as_ref().and_then(|it| it.as_object()?.values().next()?.as_array());
        let names = asked.into_iter().flatten().filter_map(|it| it.as_str());
        let names: Vec<_> = names.map(|name| format!("<code>{name}</code>")).collect();
        if names.is_empty() {
            String::new()
        } else {
            format!("<p class=\"scopes\">Scope: {}</p>\n", names.join(" or "))
        }
    }

    fn parameters(&self, schemas: &Schemas) -> String {
        let all = self.operation.parameters.iter().flatten();
        let rows = all.filter_map(|it| if let RefOr::T(parameter) = it { Some(parameter) } else { None });
        let rows: String = rows.map(|it| parameter(it, schemas)).collect();
        if rows.is_empty() { rows } else { format!("<h4>Parameters</h4>\n{}", table(&rows)) }
    }

    /// What the body may be; an object is explained at once.
    fn body(&self, schemas: &Schemas) -> String {
        let Some(RefOr::T(body)) = &self.operation.request_body else { return String::new() };
        let rows = body.content.iter().map(|(kind, content)| {
            format!("<li><code>{}</code>: {}\n", escape(kind), schema(content).map(brief).unwrap_or_default())
        });
        let mut html = format!("<h4>Body</h4>\n<ul>{}</ul>\n", rows.collect::<String>());
        let explained = body.content.values().find_map(schema).and_then(|it| object(it, schemas));
        if let Some((schema, example)) = explained {
            html += &table(&members(schema, schemas));
            if let Some(example) = example {
                let example = serde_json::to_string_pretty(example).expect("it is JSON");
                let _ = writeln!(html, "<pre tabindex=\"0\"><code>{}</code></pre>", escape(&example));
            }
        }
        html
    }

    fn answers(&self, shared: &BTreeMap<String, RefOr<utoipa::openapi::Response>>) -> String {
        let rows = self.operation.responses.responses.iter().map(|(status, response)| {
            let response = match response {
                RefOr::T(response) => return own(status, response),
                RefOr::Ref(to) => to.ref_location.rsplit('/').next().unwrap_or_default(),
            };
            let links = response.split('.').skip(1);
            let links: Vec<_> =
                links.map(|name| format!("<a href=\"/problems/{name}\">{name}</a>")).collect();
            let said = match shared.get(response) {
                Some(RefOr::T(response)) if links.is_empty() => inline(&response.description),
                _ => links.join(" · "),
            };
            format!("<tr><th scope=\"row\">{status}<td colspan=\"2\">{said}\n")
        });
        format!(
            "<h4>Answers</h4>\n<div class=\"wide\" tabindex=\"0\"><table><thead><tr><th>Status<th>Value<th>Meaning<tbody>\n{}</table></div>\n",
            rows.collect::<String>()
        )
    }
}

/// The object that a body is, or the first of those that it may be, and an example of it.
fn object<'a>(schema: &'a RefOr<Schema>, schemas: &'a Schemas) -> Option<(&'a Schema, &'a Option<Value>)> {
    let schema = match schema {
        RefOr::Ref(to) => named(&to.ref_location, schemas)?,
        RefOr::T(schema) => schema,
    };
    match schema {
        Schema::Object(Object { properties, example, .. }) => {
            (!properties.is_empty()).then_some((schema, example))
        }
        Schema::OneOf(of) => object(of.items.first()?, schemas),
        Schema::Array(_) | Schema::AllOf(_) | Schema::AnyOf(_) | _ => None,
    }
}

fn own(status: &str, response: &utoipa::openapi::Response) -> String {
    let values = response.content.iter().map(|(kind, content)| {
        let value = schema(content).map(brief).unwrap_or_default();
        if kind == "application/json" { value } else { format!("{value}<br><code>{}</code>", escape(kind)) }
    });
    let values = values.collect::<Vec<_>>().join("<br>");
    let headers: Vec<_> =
        response.headers.keys().map(|name| format!("<code>{}</code>", escape(name))).collect();
    let headers =
        if headers.is_empty() { String::new() } else { format!("<br>Headers: {}", headers.join(" ")) };
    format!(
        "<tr class=\"own\"><th scope=\"row\">{status}<td>{values}<td>{}{headers}\n",
        inline(&response.description)
    )
}

fn parameter(parameter: &Parameter, schemas: &Schemas) -> String {
    let place = match parameter.parameter_in {
        ParameterIn::Path => "path",
        ParameterIn::Header => "header",
        ParameterIn::Query | ParameterIn::Cookie | ParameterIn::QueryString => "query",
    };
    let Parameter { name, description, schema, .. } = parameter;
    let value = schema.as_ref().map(brief).unwrap_or_default();
    let said = schema.as_ref().map(|it| meaning(it, schemas)).unwrap_or_default();
    let value = format!("{value} <span class=\"place\">{place}</span>");
    row(name, parameter.parameter_in == ParameterIn::Path, &value, description.as_deref().unwrap_or(said))
}

fn schema(content: &RefOr<Content>) -> Option<&RefOr<Schema>> {
    if let RefOr::T(content) = content { content.schema.as_ref() } else { None }
}
