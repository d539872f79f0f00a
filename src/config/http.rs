//! The sections `http` and `auth`: where players are served, and which.

use std::path::PathBuf;

use crate::{
    config::reader::Reader,
    http::{
        self,
        auth::{self, Jwks, JwksUrl},
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
