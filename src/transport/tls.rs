//! Mutual TLS 1.3 under the cluster's own authority.
//!
//! Both sides show a certificate that the authority signed; who dials also verifies the name of whom it
//! dials. Who is dialled learns a name from the hello, and holds it against the certificate ([`carries`]).
//! Sessions are never resumed: a resumed one would outlive the certificate that began it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::{
    RootCertStore,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier, verify_server_name},
    crypto::{CryptoProvider, ring},
    server::{ParsedCertificate, WebPkiClientVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::parse_x509_certificate;

use crate::{
    crdt::WallTime,
    transport::{NodeName, TlsPaths, anybody::Anybody},
};

/// The protocol's name in the TLS handshake (RFC 7301); links of another major version do not come up.
pub const ALPN: &[u8] = b"playmark/1";

/// What a node shows and whom it believes, for both roles.
pub(super) struct Identity {
    /// For dialling a peer by its name.
    pub(super) client: Arc<QuicClientConfig>,
    /// For dialling whoever is at an address.
    pub(super) client_of_anybody: Arc<QuicClientConfig>,
    pub(super) server: Arc<QuicServerConfig>,
    pub(super) expires: WallTime,
}

impl Identity {
    /// Reads the files and checks that the certificate carries the node's own name.
    ///
    /// An expired certificate is not refused here: its node must go on serving players, and its peers say
    /// what is wrong with it.
    pub(super) fn load(paths: &TlsPaths, name: &NodeName) -> Result<Self, IdentityError> {
        let chain = certificates(&paths.certificate)?;
        let leaf = chain.first().expect("a file of certificates has one");
        if !carries(leaf, name) {
            return Err(IdentityError::WrongName { path: paths.certificate.clone(), name: name.clone() });
        }
        let expires = expiry(leaf)
            .ok_or_else(|| unreadable(&paths.certificate, "its first certificate cannot be parsed"))?;
        let key = PrivateKeyDer::from_pem_file(&paths.key).map_err(|why| unreadable(&paths.key, &why))?;
        let mut roots = RootCertStore::empty();
        for root in certificates(&paths.ca)? {
            roots.add(root).map_err(|why| unreadable(&paths.ca, &why))?;
        }
        Self::build(Arc::new(roots), chain, key, expires)
            .map_err(|why| IdentityError::Unusable { path: paths.key.clone(), why: why.to_string() })
    }

    fn build(
        roots: Arc<RootCertStore>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        expires: WallTime,
    ) -> Result<Self, ConfigError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let named =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        let anybody = Anybody::signed_under(Arc::clone(&roots), Arc::clone(&provider));
        Ok(Self {
            client: client(named, &provider, chain.clone(), key.clone_key())?,
            client_of_anybody: client(anybody, &provider, chain.clone(), key.clone_key())?,
            server: server(roots, &provider, chain, key)?,
            expires,
        })
    }
}

/// Says whether a certificate carries a node's name.
pub(super) fn carries(certificate: &CertificateDer<'_>, name: &NodeName) -> bool {
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|parsed| verify_server_name(&parsed, &name.server_name()).is_ok())
}

fn client(
    verifier: Arc<dyn ServerCertVerifier>,
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<QuicClientConfig>, ConfigError> {
    let mut client = rustls::ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(chain, key)?;
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::disabled();
    Ok(Arc::new(QuicClientConfig::try_from(client)?))
}

fn server(
    roots: Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<QuicServerConfig>, ConfigError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider)).build()?;
    let mut server = rustls::ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.send_tls13_tickets = 0;
    Ok(Arc::new(QuicServerConfig::try_from(server)?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|why| unreadable(path, &why))?;
    if found.is_empty() { Err(unreadable(path, "no certificate in it")) } else { Ok(found) }
}

fn expiry(certificate: &CertificateDer<'_>) -> Option<WallTime> {
    let (_, parsed) = parse_x509_certificate(certificate).ok()?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok()?;
    Some(WallTime::from_ms(seconds.saturating_mul(1_000)))
}

fn unreadable(path: &Path, why: &(impl ToString + ?Sized)) -> IdentityError {
    IdentityError::Unreadable { path: path.to_owned(), why: why.to_string() }
}

/// Says why files give no identity; the operator's fault, and nothing has been started.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IdentityError {
    /// Missing, or not what it should be.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate made for another node.
    #[error("{} does not carry the name {name} that the configuration gives this node", path.display())]
    WrongName {
        /// The certificate's file.
        path: PathBuf,
        /// As configured.
        name: NodeName,
    },
    /// A key that does not belong to the certificate, or an authority that is none.
    #[error("{} does not go with its certificate and authority: {why}", path.display())]
    Unusable {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Gathers what the TLS library may say while configurations are built.
#[derive(Debug, thiserror::Error)]
enum ConfigError {
    #[error(transparent)]
    Tls(#[from] rustls::Error),
    #[error(transparent)]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error(transparent)]
    Suites(#[from] NoInitialCipherSuite),
}
