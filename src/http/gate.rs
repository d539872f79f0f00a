//! The gate: what is asked of every request before its handler is called.

use std::net::IpAddr;

use axum::{
    extract::{MatchedPath, RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{HeaderMap, HeaderValue, Method, Uri, header, uri::Authority},
    middleware::Next,
    response::Response,
};

use tower_http::cors::CorsLayer;

use crate::http::{
    App, Options, Problem,
    auth::{Auth, Caller, Need, Visitor, writes},
    cors::Origins,
    limits::Limits,
    server::Peer,
};

/// Who is let in, and how often. The default asks nobody anything.
#[derive(Debug, Default)]
pub struct Gate {
    auth: Option<Auth>,
    hosts: Hosts,
    origins: Origins,
    limits: Limits,
}

impl Gate {
    /// Begins to ask, as the options want it; on the runtime that serves players.
    ///
    /// # Errors
    /// The operator's: a file of credentials, in words.
    pub fn open(options: &Options) -> Result<Self, String> {
        let asks = options.auth.asks();
        let auth = asks.then(|| Auth::start(&options.auth)).transpose()?;
        let guards = !options.allowed_hosts.is_empty() || !asks && options.listen.ip().is_loopback();
        let hosts = if guards { Hosts::Ours(options.allowed_hosts.clone()) } else { Hosts::Any };
        let limits = Limits::new(options.limits, options.trusted_proxies.clone());
        Ok(Self { auth, hosts, origins: options.cors_origins.clone(), limits })
    }

    pub(super) fn auth(&self) -> Option<&Auth> {
        self.auth.as_ref()
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn cors(&self) -> Option<CorsLayer> {
        self.origins.layer()
    }
}

/// The names by which a node may be asked.
///
/// Where nobody is asked who they are, a page of anyone's could talk to this machine through a browser on
/// it, by a name of its own that leads here (DNS rebinding). Its requests carry that name.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Hosts {
    #[default]
    Any,
    /// The loopback's own, and these.
    Ours(Vec<String>),
}

impl Hosts {
    fn admit(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let Self::Ours(allowed) = self else { return true };
        let mut named = headers
            .get_all(header::HOST)
            .iter()
            .map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
        let of_headers = named.all(|host| host.is_some_and(|host| is_ours(host.host(), allowed)));
        of_headers && uri.host().is_none_or(|host| is_ours(host, allowed))
    }

    /// Whether a page of this origin may ask at all. Browsers send some requests without asking before,
    /// and whoever is asked nothing else is not let in by them: `null` is a page of nobody knows where.
    fn admit_origin(&self, headers: &HeaderMap, origins: &Origins) -> bool {
        let Self::Ours(allowed) = self else { return true };
        let is_known = |origin: &HeaderValue| {
            let uri: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
            uri.is_some_and(|uri| uri.scheme().is_some() && uri.host().is_some_and(|it| is_ours(it, allowed)))
        };
        headers.get_all(header::ORIGIN).iter().all(|origin| origins.include(origin) || is_known(origin))
    }
}

fn is_ours(host: &str, allowed: &[String]) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_some_and(|address| address.is_loopback())
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&host))
}

/// Asks, and tells the handler who it was that came.
pub(super) async fn pass(
    State(app): State<App>,
    pattern: Option<MatchedPath>,
    params: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let need = pattern.as_ref().map_or(Need::Nothing, |it| Need::of(request.method(), it.as_str()));
    let gate = app.gate();
    let peer = request.extensions().get().map(|Peer(peer)| *peer);
    gate.limits.address(peer, request.headers())?;
    if need != Need::Nothing && !gate.hosts.admit(request.headers(), request.uri()) {
        return Err(Problem::Misdirected);
    }
    if need != Need::Nothing && !gate.hosts.admit_origin(request.headers(), &gate.origins) {
        return Err(Problem::ForeignOrigin);
    }
    let caller = match &gate.auth {
        Some(auth) => auth.caller(request.headers(), app.node().now().wall),
        None => Ok(Caller::Anyone),
    };
    if let Ok(caller) = &caller {
        gate.limits.caller(caller)?;
    }
    let visitor = Visitor::new(caller, need);
    let params = params.ok();
    let mut params = params.iter().flatten();
    let profile = params.find_map(|(name, value)| (name == "profile").then_some(value));
    visitor.is_let_in(profile).inspect_err(|why| tracing::debug!(%why, ?pattern, "turned away"))?;
    let readiness = app.node().readiness();
    if need.is_of_players() && !readiness.is_caught_up() {
        return Err(Problem::CatchingUp(readiness));
    }
    if pattern.as_ref().is_some_and(|it| writes(request.method(), it.as_str())) {
        may_write(&app, request.method())?;
    }
    request.extensions_mut().insert(visitor);
    Ok(next.run(request).await)
}

/// Whether the node is in a state to write anything; with a full disk it still erases.
fn may_write(app: &App, method: &Method) -> Result<(), Problem> {
    if let Some(off_ms) = app.node().clock_off_ms() {
        return Err(Problem::ClockUnsynced { off_ms });
    }
    if app.node().disk_is_full() && method != Method::DELETE {
        return Err(Problem::DiskFull);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_ours_and_those_that_are_allowed() {
        let hosts = Hosts::Ours(vec!["tv.example".into()]);
        let check = |host: &str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().expect("a value"));
            assert_eq!(hosts.admit(&headers, &Uri::from_static("/v1")), expected, "{host}");
        };
        for host in
            ["localhost", "LOCALHOST:7080", "a.localhost", "127.0.0.1:7080", "127.9.9.9", "[::1]:7080"]
        {
            check(host, true);
        }
        for host in ["tv.example", "TV.example:80", "tv.example."] {
            check(host, true);
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", "a b"]
        {
            check(host, false);
        }
        assert!(hosts.admit(&HeaderMap::new(), &Uri::from_static("/v1")), "HTTP/1.0 names nobody");
        assert!(!hosts.admit(&HeaderMap::new(), &Uri::from_static("http://evil.example/v1")));
        let of = |origin: &'static str| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
            hosts.admit_origin(
                &headers,
                &Origins::These(vec![HeaderValue::from_static("https://cors.example")]),
            )
        };
        for origin in ["http://localhost:3000", "http://[::1]", "https://tv.example", "https://cors.example"]
        {
            assert!(of(origin), "{origin}");
        }
        for origin in ["null", "https://evil.example", "localhost", "http://127.0.0.1.evil.example", ""] {
            assert!(!of(origin), "{origin}");
        }
        assert!(hosts.admit_origin(&HeaderMap::new(), &Origins::None), "no browser");
        assert!(Hosts::Any.admit(&HeaderMap::new(), &Uri::from_static("http://evil.example/v1")));
    }
}
