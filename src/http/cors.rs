//! Pages of other origins: which may ask from a browser, and what they may see.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember that it may ask: as long as most of them do.
pub const PREFLIGHT_LIFETIME: Duration = Duration::from_hours(2);

/// The origins whose pages may ask.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Origins {
    /// None but the node's own.
    #[default]
    None,
    /// Any.
    Any,
    /// These.
    These(Vec<HeaderValue>),
}

impl Origins {
    /// Takes origins, or the single `*`.
    ///
    /// # Errors
    /// The first that is neither, in words.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        if texts == ["*"] {
            return Ok(Self::Any);
        }
        let origins = texts.iter().map(|text| {
            let fix = || format!("\"{text}\" must be an origin, such as https://tv.example, or \"*\" alone");
            let uri: Uri = text.parse().map_err(|_| fix())?;
            let host = uri.authority().map(|it| it.as_str().to_ascii_lowercase());
            let whole = uri.scheme_str().zip(host).map(|(scheme, host)| format!("{scheme}://{host}"));
            // A browser sends exactly this, and anything else would never match.
            let is_whole = whole.is_some_and(|whole| whole == *text && !text.contains(['@', '*']));
            if is_whole { HeaderValue::from_str(text).map_err(|_| fix()) } else { Err(fix()) }
        });
        let origins: Vec<_> = origins.collect::<Result<_, _>>()?;
        Ok(if origins.is_empty() { Self::None } else { Self::These(origins) })
    }

    pub(super) fn include(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::None => false,
            Self::Any => true,
            Self::These(origins) => origins.contains(origin),
        }
    }

    /// Answers browsers that ask before they send, and says what pages may see; nothing where no origin may.
    pub(super) fn layer(&self) -> Option<CorsLayer> {
        let origins = match self {
            Self::None => return None,
            Self::Any => AllowOrigin::any(),
            Self::These(origins) => AllowOrigin::list(origins.iter().cloned()),
        };
        let named = HeaderName::from_static;
        Some(
            CorsLayer::new()
                .allow_origin(origins)
                .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
                .allow_headers([
                    header::AUTHORIZATION,
                    header::CONTENT_TYPE,
                    header::IF_MATCH,
                    header::IF_NONE_MATCH,
                    named("last-event-id"),
                    named("prefer"),
                ])
                .expose_headers([
                    named("cursor"),
                    named("dot"),
                    named("durability"),
                    named("heartbeat-interval-ms"),
                    named("token"),
                    named("preference-applied"),
                    named("stale"),
                    named("ratelimit"),
                    named("ratelimit-policy"),
                    header::ETAG,
                    header::LOCATION,
                    header::RETRY_AFTER,
                    header::WWW_AUTHENTICATE,
                ])
                .max_age(PREFLIGHT_LIFETIME),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<Origins, String> {
        Origins::parse(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_origin_is_what_a_browser_sends_and_a_star_stands_alone() {
        assert_eq!(parse(&["*"]), Ok(Origins::Any));
        assert_eq!(parse(&[]), Ok(Origins::None));
        let some = parse(&["https://tv.example", "http://localhost:3000"]).expect("both are origins");
        assert!(some.include(&HeaderValue::from_static("http://localhost:3000")));
        assert!(!some.include(&HeaderValue::from_static("http://localhost")));
        for bad in [
            "tv.example",
            "https://tv.example/",
            "https://tv.example/app",
            "https://TV.example",
            "null",
            "https://*.example",
            "",
            "https://me@tv.example",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
        assert!(parse(&["*", "https://tv.example"]).is_err());
    }
}
