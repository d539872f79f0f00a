//! What a route asks of its caller: one table, in which a route that is not named asks for the most.

use axum::http::Method;

use super::Scope;

/// What a caller must have before a handler is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::http) enum Need {
    /// Nothing.
    Nothing,
    /// Nothing yet: whom it is about stands in the body, and the handler asks.
    Handlers,
    /// One of these scopes.
    Scope(&'static [Scope]),
    /// One of these scopes, for the profile that the path names.
    Profile(&'static [Scope]),
    /// One of these scopes, for all profiles.
    Everybody(&'static [Scope]),
}

impl Need {
    /// Looks up what the route with this pattern asks for.
    pub(in crate::http) fn of(method: &Method, pattern: &str) -> Self {
        of(method, pattern)
    }

    /// Whether the answer depends on what the node knows of viewers; operators are answered in any case.
    pub(in crate::http) fn is_of_players(self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Scope(scopes) => scopes != [Scope::Admin],
            Self::Handlers | Self::Profile(_) | Self::Everybody(_) => true,
        }
    }
}

/// Whether a request to the route with this pattern may write what viewers did.
pub(in crate::http) fn writes(method: &Method, pattern: &str) -> bool {
    let asks = method == Method::GET || method == Method::HEAD || pattern.ends_with(":batchGet");
    !asks && of(method, pattern).is_of_players()
}

fn of(method: &Method, pattern: &str) -> Need {
    match pattern {
        "/healthz" | "/readyz" | "/sdk/playmark.js" | "/sdk/playmark.d.ts" | "/openapi.json" | "/docs"
        | "/console" | "/console/{file}" | "/problems" | "/problems/{name}" => Need::Nothing,
        "/v1/sessions" | "/v1/heartbeats" | "/v1/sync" => Need::Handlers,
        "/v1/changes" => Need::Everybody(&[Scope::Events]),
        // A dot of an erasure is known to whoever has commanded it, and says nothing of anybody.
        _ if pattern.starts_with("/v1/erasures/") => Need::Scope(&[Scope::Write]),
        _ if pattern.starts_with("/v1/admin/") => Need::Scope(&[Scope::Admin]),
        _ => match pattern.strip_prefix("/v1/profiles/").and_then(|rest| rest.strip_prefix('{')) {
            Some(rest) => of_profile(method, rest.split_once('}').map_or("", |(_, what)| what)),
            None => Need::Scope(&[Scope::Admin]),
        },
    }
}

fn of_profile(method: &Method, what: &str) -> Need {
    let asks = method == Method::GET || method == Method::HEAD;
    if what == "/resume-points:batchGet" || asks && what.starts_with("/resume-points/") {
        Need::Profile(&[Scope::Play, Scope::Read])
    } else if what.starts_with("/progress/") {
        Need::Profile(&[Scope::Play, Scope::Write])
    } else if what == "/events" {
        Need::Profile(&[Scope::Events])
    } else if asks {
        Need::Profile(&[Scope::Read])
    } else {
        Need::Profile(&[Scope::Write])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_ask_is_not_to_write() {
        assert!(writes(&Method::POST, "/v1/heartbeats") && writes(&Method::POST, "/v1/sessions"));
        assert!(writes(&Method::DELETE, "/v1/profiles/{profile}"));
        assert!(!writes(&Method::POST, "/v1/profiles/{profile}/resume-points:batchGet"));
        assert!(!writes(&Method::GET, "/v1/profiles/{profile}/history"));
        assert!(!writes(&Method::GET, "/v1/admin/status"));
    }

    #[test]
    fn every_route_asks_for_the_least_that_it_must() {
        use Scope::{Admin, Events, Play, Read, Write};
        let check = |method: Method, pattern: &str, need| {
            assert_eq!(of(&method, pattern), need, "{method} {pattern}");
        };
        check(Method::GET, "/healthz", Need::Nothing);
        check(Method::GET, "/sdk/playmark.js", Need::Nothing);
        check(Method::POST, "/v1/heartbeats", Need::Handlers);
        check(Method::POST, "/v1/sync", Need::Handlers);
        check(Method::GET, "/v1/admin/status", Need::Scope(&[Admin]));
        check(Method::GET, "/metrics", Need::Scope(&[Admin]));
        check(Method::GET, "/v1/changes", Need::Everybody(&[Events]));
        check(Method::GET, "/v1/erasures/{dot}", Need::Scope(&[Write]));
        let resume = Need::Profile(&[Play, Read]);
        check(Method::GET, "/v1/profiles/{profile}/resume-points/{*content}", resume);
        check(Method::HEAD, "/v1/profiles/{profile}/resume-points/{*content}", resume);
        check(Method::POST, "/v1/profiles/{profile}/resume-points:batchGet", resume);
        check(Method::PUT, "/v1/profiles/{profile}/resume-points/{*content}", Need::Profile(&[Write]));
        check(Method::PUT, "/v1/profiles/{profile}/progress/{*content}", Need::Profile(&[Play, Write]));
        check(Method::GET, "/v1/profiles/{profile}/history", Need::Profile(&[Read]));
        check(Method::POST, "/v1/profiles/{profile}/places/{*content}", Need::Profile(&[Write]));
        check(Method::DELETE, "/v1/profiles/{profile}", Need::Profile(&[Write]));
        check(Method::GET, "/v1/profiles/{profile}/events", Need::Profile(&[Events]));
    }

    #[test]
    fn a_route_that_nobody_has_thought_of_is_the_operators() {
        for pattern in ["/v1/other", "/v2/sessions", "/v1/profiles", "/"] {
            assert_eq!(of(&Method::GET, pattern), Need::Scope(&[Scope::Admin]), "{pattern}");
        }
    }
}
