//! Who is listened to: this machine, and of pages the console's own.
//!
//! A browser lets any page send requests to this machine's ports. It says by `Host` under which name it found the port,
//! and a name of somebody else's that leads here is how a page reads what is not its own (DNS rebinding); it says by `Origin`
//! whose page sends. Content that is declared to be JSON is never sent across origins without asking first, and who asks
//! is not answered.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

/// The names of this machine for itself.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// What every answer says to a browser: no page shows the console as a part of itself, and a file is what it says it is.
const TO_BROWSERS: [(HeaderName, HeaderValue); 2] = [
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Turns away whoever came by a name that is not this machine's own.
pub(super) async fn stand(request: Request, next: Next) -> Response {
    let mut response = match host(request.headers()) {
        Ok(_) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    response.headers_mut().extend(TO_BROWSERS);
    response
}

/// A status, and a line that says why.
pub(super) type Refusal = (StatusCode, &'static str);

/// Says whether an order is to be taken from whoever sent these headers.
pub(super) fn may_order(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an order comes as Content-Type: application/json\n",
        ));
    }
    let own = format!("http://{}", host(headers)?);
    if headers.get_all(header::ORIGIN).iter().any(|origin| origin.as_bytes() != own.as_bytes()) {
        return Err((StatusCode::FORBIDDEN, "of pages, only the console's own gives orders\n"));
    }
    Ok(())
}

/// The name and port by which this machine was found.
fn host(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next().filter(|_| hosts.next().is_none()).and_then(|host| host.to_str().ok());
    let own = |host: &&str| host.parse().is_ok_and(|host: Authority| LOOPBACK.contains(&host.host()));
    host.filter(own).ok_or((
        StatusCode::MISDIRECTED_REQUEST,
        "the console is found at 127.0.0.1 or localhost and under no other name\n",
    ))
}
