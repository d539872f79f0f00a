//! Pages that a node makes for people who read about its interface.
//!
//! They are made of what the code says of itself (the contract, the table of problems), once, and need nothing
//! from elsewhere: no script, no font, no request but for the page. So they open where there is no network,
//! and there is nothing in them that could turn on whoever reads them. What was refused is a ready-made viewer
//! of such documents: megabytes of script, most of which are loaded from somebody else's server.

pub(super) mod console;
pub(super) mod docs;
mod schemas;

use std::fmt::Write;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("style.css");

/// Nothing is loaded, nothing runs, and no other page shows this one in a frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const CONTENT_SECURITY_POLICY: HeaderName = header::CONTENT_SECURITY_POLICY;

/// A whole page; `aside` is what stands beside its text.
pub(super) fn page(title: &str, aside: &str, main: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
         <a class=\"skip\" href=\"#main\">Skip to the text</a>\n\
         <header><a class=\"name\" href=\"/docs\">Playmark</a>\
         <nav aria-label=\"Pages\"><a href=\"/docs\">Interface</a><a href=\"/problems\">Problems</a>\
         <a href=\"/openapi.json\">openapi.json</a></nav></header>\n\
         <div class=\"columns\">{aside}<main id=\"main\">\n{main}</main></div>\n</html>\n"
    )
}

/// Sends a page.
pub(super) fn answer(page: String) -> Response {
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (head, page).into_response()
}

/// Takes from a text whatever a browser would take for markup.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text with its paragraphs, and what stands between backticks as code.
pub(super) fn prose(text: &str) -> String {
    text.split("\n\n").fold(String::new(), |mut html, paragraph| {
        let _ = writeln!(html, "<p>{}</p>", inline(paragraph));
        html
    })
}

/// One line of such a text.
pub(super) fn inline(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    let html = pieces.map(|(n, piece)| match n % 2 {
        0 => escape(piece),
        _ => format!("<code>{}</code>", escape(piece)),
    });
    html.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_text() {
        assert_eq!(
            prose("a `<b>` & \"c\"\n\nd"),
            "<p>a <code>&lt;b&gt;</code> &amp; &quot;c&quot;</p>\n<p>d</p>\n"
        );
        assert!(page("<script>", "", "").contains("<title>&lt;script&gt;</title>"));
    }

    #[test]
    fn a_page_asks_nobody_for_anything() {
        let page = page("a page", "", "");
        for word in ["http://", "https://", "src=", "@import", "url(", "<script", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}
