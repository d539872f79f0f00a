//! Somebody with a certificate who does not keep to the protocol.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use playmark::{
    crdt::{Origin, ReplicaId, encode},
    transport::{ALPN, NodeName, TlsPaths},
};
use quinn::crypto::rustls::QuicClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::world::{LOOPBACK, within};

/// Speaks QUIC and has a certificate, but says what it likes.
pub(crate) struct Forger {
    pub(crate) endpoint: quinn::Endpoint,
}

impl Forger {
    pub(crate) fn bind() -> Self {
        Self { endpoint: quinn::Endpoint::client(LOOPBACK).expect("an endpoint") }
    }

    /// Connects to a node with the identity in `paths`.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        name: &NodeName,
        paths: &TlsPaths,
    ) -> Result<quinn::Connection, quinn::ConnectionError> {
        let chain = vec![CertificateDer::from_pem_file(&paths.certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(&paths.key).expect("a key");
        let tls = trusting(&paths.ca).with_client_auth_cert(chain, key).expect("an identity");
        self.connect_with(address, name, tls).await
    }

    /// Connects to a node without any identity.
    pub(crate) async fn connect_nameless(
        &self,
        address: SocketAddr,
        name: &NodeName,
        ca: &Path,
    ) -> Result<quinn::Connection, quinn::ConnectionError> {
        self.connect_with(address, name, trusting(ca).with_no_client_auth()).await
    }

    async fn connect_with(
        &self,
        address: SocketAddr,
        name: &NodeName,
        mut tls: rustls::ClientConfig,
    ) -> Result<quinn::Connection, quinn::ConnectionError> {
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let quic = QuicClientConfig::try_from(tls).expect("a suite for QUIC");
        let mut config = quinn::ClientConfig::new(Arc::new(quic));
        let mut transport = quinn::TransportConfig::default();
        transport.keep_alive_interval(Some(Duration::from_millis(500)));
        config.transport_config(Arc::new(transport));
        within(self.endpoint.connect_with(config, address, &name.to_string()).expect("a dial")).await
    }
}

/// The beginning of a configuration that believes an authority.
fn trusting(ca: &Path) -> rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = rustls::RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(ca).expect("a file") {
        roots.add(root.expect("a certificate")).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
}

/// A hello's bytes, written by another hand than the transport's.
pub(crate) fn hello_of(name: &NodeName, replica: u128) -> Vec<u8> {
    let extensions: BTreeMap<u8, u8> = BTreeMap::new();
    let id = ReplicaId::from_random(replica);
    let origin = Origin::from_random(replica);
    encode(1, &(name.cluster(), name.region(), name.name(), id, origin, 1_u16, 1_u16, extensions))
}

/// Opens a stream and writes one frame that claims to have `length` bytes.
pub(crate) async fn say(connection: &quinn::Connection, length: usize, bytes: &[u8]) -> quinn::SendStream {
    let mut stream = connection.open_uni().await.expect("a stream");
    let length = u32::try_from(length).expect("a small number");
    // It fails where the node has hung up, which the test finds out by itself.
    let _ = stream.write_all(&[&length.to_be_bytes()[..], bytes].concat()).await;
    stream
}

/// Waits until the node closes the connection, and gives its code and reason.
pub(crate) async fn closed(connection: &quinn::Connection) -> (u64, String) {
    let error = within(connection.closed()).await;
    let quinn::ConnectionError::ApplicationClosed(close) = error else {
        panic!("{error} where the node was to close");
    };
    (close.error_code.into_inner(), String::from_utf8_lossy(&close.reason).into_owned())
}
