//! The sections `http`, `auth` and `limits`: where players are served, which, and how often.

use std::{net::IpAddr, path::PathBuf};

use ipnet::IpNet;

use crate::{
    config::reader::Reader,
    http::{
        self,
        auth::{self, Jwks, JwksUrl},
        cors::Origins,
        limits,
    },
};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<http::Options> {
    let auth = read_auth(reader);
    let listen = reader.address("http.listen", http::Options::default().listen);
    let unauthenticated = reader.flag("http.unauthenticated");
    let options = http::Options {
        listen: listen?,
        auth,
        unauthenticated: unauthenticated.unwrap_or(false),
        allowed_hosts: reader.texts("http.allowed_hosts").unwrap_or_default(),
        cors_origins: read_origins(reader),
        trusted_proxies: read_proxies(reader),
        limits: read_limits(reader),
    };
    check(reader, &options);
    Some(options)
}

/// Whoever reaches a node that asks nobody may read and write everything, so that must be said.
fn check(reader: &mut Reader<'_>, options: &http::Options) {
    let listen = options.listen;
    let is_open = !options.auth.asks();
    if options.unauthenticated && !is_open {
        reader.problem("http.unauthenticated", "contradicts the section `auth`: leave one of them out");
    } else if is_open && !options.unauthenticated && !listen.ip().is_loopback() {
        reader.problem("http.listen", &format!("{listen} is not a loopback address, and nobody is asked who they are: give auth.keys_file, auth.jwt_secret_file, auth.jwks_file or auth.jwks_url; or listen on 127.0.0.1 or [::1]; or set http.unauthenticated = true if whoever reaches it may read and write every profile"));
    }
    for host in &options.allowed_hosts {
        let is_name = !host.is_empty() && !host.contains(['/', ':', ' ', '*']);
        if !is_name {
            reader.problem("http.allowed_hosts", &format!("\"{host}\" must be a name without a port"));
        }
    }
}

fn read_origins(reader: &mut Reader<'_>) -> Origins {
    let origins = Origins::parse(&reader.texts("http.cors_origins").unwrap_or_default());
    origins.map_err(|why| reader.problem("http.cors_origins", &why)).unwrap_or_default()
}

fn read_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let texts = reader.texts("http.trusted_proxies").unwrap_or_default();
    let networks = texts.iter().filter_map(|text| {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        let fix = "must be an address or a network, such as 10.0.0.0/8";
        let network = text.parse().or_else(|_| address());
        network.map_err(|_| reader.problem("http.trusted_proxies", &format!("\"{text}\" {fix}"))).ok()
    });
    networks.collect()
}

/// The greatest rate and the greatest number of titles that can be said: beyond all that a node does.
const LIMIT_MAX: u64 = 10_000_000;

fn read_limits(reader: &mut Reader<'_>) -> limits::Options {
    let mut read = |key: &str, default: u32| {
        let number = reader.whole(key, 0..=LIMIT_MAX).unwrap_or_else(|| default.into());
        u32::try_from(number).expect("the range is within 32 bits")
    };
    let or = limits::Options::default();
    limits::Options {
        address_requests_per_s: read("limits.address_requests_per_s", or.address_requests_per_s),
        subject_requests_per_s: read("limits.subject_requests_per_s", or.subject_requests_per_s),
        key_requests_per_s: read("limits.key_requests_per_s", or.key_requests_per_s),
        sessions_per_minute: read("limits.sessions_per_minute", or.sessions_per_minute),
        contents_per_profile: read("limits.contents_per_profile", or.contents_per_profile),
    }
}

fn read_auth(reader: &mut Reader<'_>) -> auth::Options {
    let options = auth::Options {
        keys_file: there(reader, "auth.keys_file"),
        jwt_secret_file: there(reader, "auth.jwt_secret_file"),
        jwks: read_jwks(reader),
        issuers: reader.texts("auth.issuer").unwrap_or_default(),
        audiences: reader.texts("auth.audience").unwrap_or_default(),
    };
    let takes_tokens = reader.value("auth.jwt_secret_file").is_some()
        || reader.value("auth.jwks_file").is_some()
        || reader.value("auth.jwks_url").is_some();
    for (key, names) in [("auth.issuer", &options.issuers), ("auth.audience", &options.audiences)] {
        if !names.is_empty() && !takes_tokens {
            reader.problem(key, "has an effect only on bearer tokens: say what verifies them");
        }
    }
    options
}

fn read_jwks(reader: &mut Reader<'_>) -> Option<Jwks> {
    let file = there(reader, "auth.jwks_file");
    let ca = there(reader, "auth.jwks_ca_file");
    let url = reader.text("auth.jwks_url");
    let url: Option<JwksUrl> = url.and_then(|text| reader.parsed("auth.jwks_url", &text));
    if ca.is_some() && reader.value("auth.jwks_url").is_none() {
        reader.problem("auth.jwks_ca_file", "has an effect only beside auth.jwks_url");
    }
    match (file, url) {
        (Some(_), Some(_)) => {
            reader.problem("auth.jwks_url", "is given beside auth.jwks_file: leave one of them out");
            None
        }
        (Some(file), None) => Some(Jwks::File(file)),
        (None, Some(url)) => Some(Jwks::Url { url, ca }),
        (None, None) => None,
    }
}

/// A file that may be given, and then must be there.
fn there(reader: &mut Reader<'_>, key: &str) -> Option<PathBuf> {
    let path = reader.path(key)?;
    reader.opened(key, path)
}
