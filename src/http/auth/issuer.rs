//! Keys that are fetched from whoever issues bearer tokens.
//!
//! No request ever waits for a fetch. A task of its own fetches; what was fetched last goes on until the
//! next one has come, however long the issuer is away. A token that names a key which is not there asks
//! for a fetch, and is told to come again; but only after [`ASK_EVERY`], for anyone can name any key.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::jwks::KeySet;

/// How long fetched keys are taken for fresh; then they are fetched again, and go on until that succeeds.
pub const JWKS_LIFETIME: Duration = Duration::from_mins(5);

/// How often keys are fetched at most: after a failure, and when a token names a key that is not there.
pub const ASK_EVERY: Duration = Duration::from_secs(30);

/// How long a fetch may take in all.
pub const FETCH_WITHIN: Duration = Duration::from_secs(10);

/// The longest key set: a full one with certificates beside each key.
pub const JWKS_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(ASK_EVERY.as_secs() < JWKS_LIFETIME.as_secs());

/// Where an issuer publishes its keys: an `https` address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JwksUrl {
    uri: Uri,
    name: ServerName<'static>,
}

impl std::str::FromStr for JwksUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| "it is no address")?;
        if uri.scheme_str() != Some("https") {
            return Err("it must begin with https://, or whoever is between could give keys of their own");
        }
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err("it must not carry a password");
        }
        let host = uri.host().ok_or("it names no host")?.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "its host is no name")?;
        Ok(Self { uri, name })
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// The keys of an issuer, as far as they are known.
#[derive(Debug)]
pub(super) struct Issuer {
    set: watch::Receiver<Option<Arc<KeySet>>>,
    asks: Arc<Asks>,
}

/// Whether a key that is missing may be asked for, and that it was.
#[derive(Debug)]
struct Asks {
    /// A fetch is under way, or will be as soon as it is wanted.
    heard: AtomicBool,
    wanted: Notify,
}

impl Issuer {
    /// Begins to fetch, and tells each set that is another than the one before with `changed`. It goes on until
    /// what is returned is dropped.
    ///
    /// # Errors
    /// Authorities that cannot be read: the operator's file, or the system's.
    pub(super) fn start(
        url: JwksUrl,
        ca: Option<&PathBuf>,
        changed: &watch::Sender<()>,
    ) -> Result<Self, String> {
        let fetcher = Fetcher { url, tls: Arc::new(tls(ca.map(PathBuf::as_path))?) };
        let (sender, set) = watch::channel(None);
        let asks = Arc::new(Asks { heard: AtomicBool::new(true), wanted: Notify::new() });
        tokio::spawn(keep_fresh(fetcher, sender, Arc::clone(&asks), changed.clone()));
        Ok(Self { set, asks })
    }

    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.set.borrow().clone()
    }

    /// Asks for a fetch because a key is not there; says whether one will come.
    pub(super) fn ask(&self) -> bool {
        let heard = self.asks.heard.load(Ordering::Acquire);
        if heard {
            self.asks.wanted.notify_one();
        }
        heard
    }
}

async fn keep_fresh(
    fetcher: Fetcher,
    sender: watch::Sender<Option<Arc<KeySet>>>,
    asks: Arc<Asks>,
    changed: watch::Sender<()>,
) {
    let fetching = async {
        let mut last = Bytes::new();
        loop {
            let mut rest = Duration::ZERO;
            match fetcher.fetch().await {
                Ok((set, text)) => {
                    tracing::debug!(url = %fetcher.url, "keys of the issuer fetched");
                    if text != last {
                        sender.send_replace(Some(Arc::new(set)));
                        changed.send_replace(());
                        last = text;
                    }
                    rest = JWKS_LIFETIME.saturating_sub(ASK_EVERY);
                }
                Err(why) => {
                    tracing::warn!(url = %fetcher.url, %why, "no keys of the issuer; those before go on");
                }
            }
            asks.heard.store(false, Ordering::Release);
            sleep(ASK_EVERY).await;
            asks.heard.store(true, Ordering::Release);
            // Whether it was asked for or is due is the same to it.
            let _ = timeout(rest, asks.wanted.notified()).await;
        }
    };
    tokio::select! {
        () = sender.closed() => {}
        () = fetching => {}
    }
}

#[derive(Debug)]
struct Fetcher {
    url: JwksUrl,
    tls: Arc<ClientConfig>,
}

impl Fetcher {
    /// A set of keys, and its text.
    async fn fetch(&self) -> Result<(KeySet, Bytes), String> {
        let body = timeout(FETCH_WITHIN, self.get()).await;
        let text = body.map_err(|_| format!("no answer within {FETCH_WITHIN:?}"))??;
        Ok((KeySet::parse(&text)?, text))
    }

    /// One request on a connection of its own. Where the issuer sends it elsewhere, that is an error: the
    /// operator has said whom to believe.
    async fn get(&self) -> Result<Bytes, String> {
        let uri = &self.url.uri;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(443)));
        let stream = stream.await.map_err(|why| format!("cannot connect: {why}"))?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(self.url.name.clone(), stream).await;
        let stream = TokioIo::new(stream.map_err(|why| format!("no TLS: {why}"))?);
        let no_http = |why: hyper::Error| format!("no HTTP: {why}");
        let (mut sender, connection) = http1::handshake(stream).await.map_err(no_http)?;
        let request = Request::get(uri.path_and_query().map_or("/", |it| it.as_str()))
            .header(header::HOST, uri.authority().map_or(host, |it| it.as_str()))
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, concat!("playmark/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .expect("all of it comes from an address that was parsed");
        let answer = async {
            let response = sender.send_request(request).await.map_err(no_http)?;
            if response.status() != 200 {
                return Err(format!("the answer is {}", response.status()));
            }
            let body = Limited::new(response.into_body(), JWKS_BYTES_MAX).collect().await;
            Ok(body.map_err(|why| format!("the answer cannot be read: {why}"))?.to_bytes())
        };
        tokio::pin!(answer, connection);
        let mut is_open = true;
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                // What was received before the end is still to be read.
                _ = &mut connection, if is_open => is_open = false,
            }
        }
    }
}

fn tls(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let certificates: Vec<CertificateDer<'_>> = match ca {
        Some(path) => {
            let named = |why: rustls_pki_types::pem::Error| format!("{}: {why}", path.display());
            let read = CertificateDer::pem_file_iter(path).map_err(named)?;
            read.collect::<Result<_, _>>().map_err(named)?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(match ca {
            Some(path) => format!("{}: no certificate in it", path.display()),
            None => "the system has no certificates of authorities; install them, or name a file".into(),
        });
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().map_err(|why| why.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_keys_is_whole_and_safe_or_refused() {
        for good in ["https://id.example/jwks", "https://[::1]:8443/keys?v=1", "https://10.0.0.1/"] {
            assert!(good.parse::<JwksUrl>().is_ok(), "{good}");
        }
        for bad in
            ["", "id.example", "http://id.example/jwks", "https://", "https://me:pass@id.example/", "/jwks"]
        {
            assert!(bad.parse::<JwksUrl>().is_err(), "{bad}");
        }
    }
}
