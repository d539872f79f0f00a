//! The page, as the nodes serve it.
//!
//! Every node has the page and the player's module within it. Whichever answers is asked for each file once, and what it
//! gave is kept, so that the page stays when its nodes are killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use crate::api::{Api, ApiError};

/// Files that are kept, and how long one may be. Beyond, a file is asked for again each time.
const FILES_MAX: usize = 64;
const FILE_BYTES_MAX: usize = 4 << 20;

/// Of what a node says of a file, what counts here too.
const KEPT: [header::HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_SECURITY_POLICY, header::ETAG, header::REFERRER_POLICY];

/// Serves the page.
#[derive(Clone, Debug)]
pub(super) struct Page {
    api: Api,
    nodes: Arc<[String]>,
    files: Arc<Mutex<BTreeMap<String, File>>>,
}

#[derive(Clone, Debug)]
struct File {
    head: HeaderMap,
    body: Bytes,
}

impl Page {
    /// The page that these nodes serve.
    pub(super) fn of(api: Api, nodes: Vec<String>) -> Self {
        Self { api, nodes: nodes.into(), files: Arc::default() }
    }

    async fn file(&self, path: &str) -> Result<File, StatusCode> {
        if let Some(file) = self.kept().get(path) {
            return Ok(file.clone());
        }
        let mut why = StatusCode::SERVICE_UNAVAILABLE;
        for node in self.nodes.iter() {
            match self.fetch(node, path).await {
                Ok(file) => {
                    let mut kept = self.kept();
                    if kept.len() < FILES_MAX && file.body.len() <= FILE_BYTES_MAX {
                        kept.insert(path.to_owned(), file.clone());
                    }
                    return Ok(file);
                }
                Err(ApiError::Refused(problem)) => why = problem.status,
                Err(ApiError::Unreachable(_)) => {}
            }
        }
        Err(why)
    }

    async fn fetch(&self, node: &str, path: &str) -> Result<File, ApiError> {
        let response = self.api.file(node, path).await?;
        let mut head = HeaderMap::new();
        for name in KEPT {
            if let Some(value) = response.headers().get(&name) {
                head.insert(name, value.clone());
            }
        }
        head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        Ok(File { head, body: response.into_body() })
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.files.lock().expect("nothing panics while it holds the files")
    }
}

impl File {
    /// The whole, or the stretch that is asked for: without stretches a browser does not seek in a film.
    fn answer(self, range: Option<&HeaderValue>) -> Response {
        let Self { mut head, body } = self;
        let Some((from, to)) = range.and_then(|range| stretch(range.to_str().ok()?, body.len())) else {
            return (head, body).into_response();
        };
        let said = format!("bytes {from}-{to}/{}", body.len());
        head.insert(header::CONTENT_RANGE, said.parse().expect("numbers are a header's value"));
        (StatusCode::PARTIAL_CONTENT, head, body.slice(from..=to)).into_response()
    }
}

/// The first and the last byte of `bytes=FIRST-LAST`; nothing for any other kind, to which a whole file is an answer as well.
fn stretch(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let to = if to.is_empty() { length } else { to.parse().ok()? }.min(length.checked_sub(1)?);
    (from <= to).then_some((from, to))
}

/// Answers with a file under the path that a node has it under.
pub(super) async fn show(State(page): State<Page>, uri: Uri, headers: HeaderMap) -> Response {
    match page.file(uri.path()).await {
        Ok(file) => file.answer(headers.get(header::RANGE)),
        Err(StatusCode::SERVICE_UNAVAILABLE) => {
            let why = "no node answers, and the page comes from them: start one with cluster/start REGION\n";
            (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
        }
        Err(status) => (status, "no node has such a file\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_ends_where_the_file_does() {
        assert_eq!(stretch("bytes=0-", 10), Some((0, 9)));
        assert_eq!(stretch("bytes=4-6", 10), Some((4, 6)));
        assert_eq!(stretch("bytes=4-99", 10), Some((4, 9)));
        for other in ["bytes=10-", "bytes=6-4", "bytes=-4", "bytes=0-1,4-6", "pages=1-2"] {
            assert_eq!(stretch(other, 10), None, "{other}");
        }
        assert_eq!(stretch("bytes=0-", 0), None);
    }
}
