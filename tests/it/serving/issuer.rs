//! Whoever logs viewers in: signs bearer tokens, and publishes its keys.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use playmark::node::Clock;
use rcgen::{CertificateParams, KeyPair};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};

/// Signs with one key of each kind.
pub(crate) struct Issuer {
    secret: Vec<u8>,
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let ed = Ed25519KeyPair::generate_pkcs8(&random).expect("there is randomness");
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let ec = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("there is randomness");
        Self {
            secret: b"a secret of more than thirty-two bytes".to_vec(),
            ed: Ed25519KeyPair::from_pkcs8(ed.as_ref()).expect("it was made so"),
            ec: EcdsaKeyPair::from_pkcs8(algorithm, ec.as_ref(), &random).expect("it was made so"),
        }
    }

    /// Writes the secret as an editor would.
    pub(crate) fn secret_file(&self, home: &Path) -> PathBuf {
        let file = home.join("jwt.secret");
        fs::write(&file, [&self.secret[..], b"\n"].concat()).expect("a file can be written");
        file
    }

    /// The public keys, under these names.
    pub(crate) fn keys(&self, ed: &str, ec: &str) -> Value {
        let coded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = self.ec.public_key().as_ref();
        json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": ed, "x": coded(self.ed.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": ec, "alg": "ES256", "use": "sig",
             "x": coded(&point[1..33]), "y": coded(&point[33..])},
        ]})
    }

    /// Signs claims under a name of the key.
    pub(crate) fn sign(&self, algorithm: &str, key: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&json!({"alg": algorithm, "kid": key})), part(claims));
        let bytes = message.as_bytes();
        let signature = match algorithm {
            "EdDSA" => self.ed.sign(bytes).as_ref().to_vec(),
            "ES256" => self.ec.sign(&SystemRandom::new(), bytes).expect("a key that signs").as_ref().to_vec(),
            _ => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.secret), bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Claims of somebody who plays as Ada for an hour.
pub(crate) fn ada() -> Value {
    let hour = Clock::wall().as_ms() / 1_000 + 3_600;
    json!({"sub": "ada@example", "exp": hour, "scope": "play", "profiles": ["ada"]})
}

/// An `https` server with one answer, which can be changed.
pub(crate) struct Published {
    address: SocketAddr,
    /// The authority by which it is believed.
    pub(crate) ca: PathBuf,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    pub(crate) async fn start(home: &Path) -> Self {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(["localhost".into()]).expect("a name");
        let certificate = params.self_signed(&key).expect("it signs itself");
        let ca = home.join("issuer.crt");
        fs::write(&ca, certificate.pem()).expect("a file can be written");
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).expect("a key");
        let config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .expect("it has them")
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key)
                .expect("they belong together");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let published = Self {
            address: listener.local_addr().expect("it listens"),
            ca,
            answer: Arc::default(),
            asked: Arc::default(),
        };
        let (answer, asked) = (Arc::clone(&published.answer), Arc::clone(&published.asked));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut heard = [0; 4_096];
                if stream.read(&mut heard).await.is_ok_and(|count| heard[..count].starts_with(b"GET /keys "))
                {
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                let said = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let _ = stream.write_all(said.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        published
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/keys", self.address.port())
    }

    pub(crate) fn say(&self, status: &str, body: &str) {
        let length = body.len();
        let said =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    /// How often it has been asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}
