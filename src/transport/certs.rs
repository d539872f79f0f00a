//! A cluster's own authority, and the certificates that it signs for nodes.
//!
//! The problem: mutual TLS between replicas must be there from the first node on, or it never comes. The
//! mechanism: one directory holds the authority and the secret that signs session tokens, and each node
//! gets a certificate whose only name is `name.region.cluster`. What was refused: asking an outside tool,
//! whose every option is one more way to a certificate that almost works.
//!
//! Keys are Ed25519: small, the same signature for the same bytes, and nothing to choose. Whoever holds
//! `ca.key` can make nodes, so it belongs on no node.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rand::{TryRngCore, rngs::OsRng};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ED25519,
};
use x509_parser::pem::parse_x509_pem;

use crate::{
    crdt::{Region, WallTime},
    transport::{NameError, NodeName, name::check_cluster},
};

const DAY: Duration = Duration::from_hours(24);

/// How long an authority is valid: longer than the machines it is made for.
pub const CA_VALIDITY: Duration = DAY.saturating_mul(10 * 365);

/// How long a node's certificate is valid: a year, so that renewing it stays a habit and not an archaeology.
pub const NODE_VALIDITY: Duration = DAY.saturating_mul(365);

/// How much earlier than its making a certificate is valid, for peers whose clocks are behind.
pub const CLOCK_ALLOWANCE: Duration = DAY;

/// How many bytes sign session tokens: as many as the hash that uses them.
pub const SECRET_BYTES: usize = 32;

/// How many random bytes tell an authority from others of the same cluster's name.
const MARK_BYTES: usize = 4;

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const SECRET: &str = "cluster.secret";

const PUBLIC: u32 = 0o644;
const PRIVATE: u32 = 0o600;

/// Where [`make_ca`] has put an authority.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaFiles {
    /// The authority's certificate, for every node.
    pub certificate: PathBuf,
    /// The authority's key, for no node.
    pub key: PathBuf,
    /// What signs session tokens, for every node: 32 random bytes in hexadecimal.
    pub secret: PathBuf,
}

/// Where [`make_node`] has put a node's identity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeFiles {
    /// The node's name, as peers verify it.
    pub name: NodeName,
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Makes a cluster's authority and secret in the directory `out`, which is made if missing.
///
/// # Errors
/// Names that are no labels, files that are there already (nothing is overwritten), and the file system's.
pub fn make_ca(cluster: &str, out: &Path, now: WallTime) -> Result<CaFiles, CertsError> {
    check_cluster(cluster)?;
    let files =
        CaFiles { certificate: out.join(CA_CERTIFICATE), key: out.join(CA_KEY), secret: out.join(SECRET) };
    refuse_existing(&[&files.certificate, &files.key, &files.secret])?;

    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(CertsError::Generate)?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, cluster);
    // Without it, authorities of one cluster's name would be told apart by bad signatures only.
    params.distinguished_name.push(DnType::OrganizationalUnitName, random_hex::<MARK_BYTES>()?);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now, CA_VALIDITY);
    let certificate = params.self_signed(&key).map_err(CertsError::Generate)?;
    let secret = random_hex::<SECRET_BYTES>()? + "\n";

    make_directory(out)?;
    write_new(&files.key, &key.serialize_pem(), PRIVATE)?;
    write_new(&files.secret, &secret, PRIVATE)?;
    write_new(&files.certificate, &certificate.pem(), PUBLIC)?;
    Ok(files)
}

/// Makes a certificate for the node `name` in `region`, signed by the authority in the directory `ca`, in
/// the directory `out`, which is made if missing.
///
/// The cluster's name is read from the authority's certificate.
///
/// # Errors
/// Names that are no labels, an authority that is missing or none, files that are there already (nothing
/// is overwritten), and the file system's.
pub fn make_node(
    ca: &Path,
    name: &str,
    region: &Region,
    out: &Path,
    now: WallTime,
) -> Result<NodeFiles, CertsError> {
    let ca_path = ca.join(CA_CERTIFICATE);
    let ca_pem = read(&ca_path)?;
    let name = NodeName::new(name, region.clone(), &cluster_of(&ca_path, &ca_pem)?)?;
    let files = NodeFiles {
        certificate: out.join(format!("{}.crt", name.name())),
        key: out.join(format!("{}.key", name.name())),
        name,
    };
    refuse_existing(&[&files.certificate, &files.key])?;

    let issuer = {
        let key_path = ca.join(CA_KEY);
        let unusable = |path: PathBuf| move |why| CertsError::NotAnAuthority { path, why };
        let key = KeyPair::from_pem(&read(&key_path)?)
            .map_err(|why| why.to_string())
            .map_err(unusable(key_path))?;
        Issuer::from_ca_cert_pem(&ca_pem, key).map_err(|why| why.to_string()).map_err(unusable(ca_path))?
    };
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(CertsError::Generate)?;
    let mut params = CertificateParams::new(vec![files.name.to_string()]).map_err(CertsError::Generate)?;
    params.distinguished_name.push(DnType::CommonName, files.name.to_string());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A node is server to those who dial it and client to those it dials, under one name.
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, NODE_VALIDITY);
    let certificate = params.signed_by(&key, &issuer).map_err(CertsError::Generate)?;

    make_directory(out)?;
    write_new(&files.key, &key.serialize_pem(), PRIVATE)?;
    write_new(&files.certificate, &certificate.pem(), PUBLIC)?;
    Ok(files)
}

/// Makes the secret that signs session tokens in the new file `path`, for a node without a cluster.
///
/// # Errors
/// A file that is there already, and the file system's.
pub fn make_secret(path: &Path) -> Result<(), CertsError> {
    write_new(path, &(random_hex::<SECRET_BYTES>()? + "\n"), PRIVATE)
}

fn set_validity(params: &mut CertificateParams, now: WallTime, validity: Duration) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now.as_ms());
    params.not_before = (now - CLOCK_ALLOWANCE).into();
    params.not_after = (now + validity).into();
}

/// Reads the cluster's name, which is the common name of its authority.
fn cluster_of(path: &Path, pem: &str) -> Result<String, CertsError> {
    let unusable = |why: &str| CertsError::NotAnAuthority { path: path.to_owned(), why: why.to_owned() };
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| unusable("no PEM in it"))?;
    let certificate = pem.parse_x509().map_err(|_| unusable("no certificate in it"))?;
    if !certificate.is_ca() {
        return Err(unusable("its certificate is no authority's"));
    }
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    name.map(str::to_owned).ok_or_else(|| unusable("its certificate names no cluster"))
}

fn random_hex<const BYTES: usize>() -> Result<String, CertsError> {
    let mut bytes = [0; BYTES];
    OsRng.try_fill_bytes(&mut bytes).map_err(|why| CertsError::NoRandomness(why.to_string()))?;
    Ok(bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}")))
}

fn refuse_existing(paths: &[&Path]) -> Result<(), CertsError> {
    match paths.iter().find(|path| path.exists()) {
        Some(path) => Err(CertsError::Exists { path: path.to_path_buf() }),
        None => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, CertsError> {
    fs::read_to_string(path).map_err(|why| CertsError::Io { path: path.to_owned(), why })
}

fn make_directory(path: &Path) -> Result<(), CertsError> {
    fs::create_dir_all(path).map_err(|why| CertsError::Io { path: path.to_owned(), why })
}

/// Writes a file that must not be there yet, with its final mode from the first byte on.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), CertsError> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|why| {
        let path = path.to_owned();
        if why.kind() == ErrorKind::AlreadyExists {
            CertsError::Exists { path }
        } else {
            CertsError::Io { path, why }
        }
    })
}

/// Says why there is no certificate; files made before the error stay, and are refused the next time.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// The caller's fault: not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Nothing is overwritten: what it belongs to may be running.
    #[error("{} is there already; remove it or choose another directory", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The directory holds no authority of this crate's making.
    #[error("{} is unusable as an authority: {why}", path.display())]
    NotAnAuthority {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file system's fault.
    #[error("{}: {why}", path.display())]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// As the system says it.
        why: io::Error,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes: {0}")]
    NoRandomness(String),
    /// Keys or certificates cannot be made on this machine.
    #[error("cannot make a certificate: {0}")]
    Generate(rcgen::Error),
}
