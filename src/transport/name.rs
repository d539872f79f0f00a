//! `name.region.cluster`: what a node is called in certificates, in hellos and by its peers.

use std::fmt;

use rustls_pki_types::ServerName;

use crate::crdt::Region;

/// The longest label, in bytes (RFC 1035, 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// Names a node: its own name, the region where it stands, and the cluster whose certificates it holds.
///
/// Written with dots it is a DNS name, and the one that the node's certificate must carry.
///
/// ```
/// use playmark::transport::NodeName;
///
/// let name = NodeName::new("eu-1", "eu".parse()?, "demo")?;
/// assert_eq!(name.to_string(), "eu-1.eu.demo");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName {
    // Invariant: the three labels with dots between them are a valid server name.
    name: Box<str>,
    region: Region,
    cluster: Box<str>,
}

impl NodeName {
    /// Makes a name from its three labels.
    ///
    /// # Errors
    /// A name or cluster that is no label of lower-case letters, digits and inner hyphens, and a cluster of
    /// digits alone, which would read as an address.
    pub fn new(name: &str, region: Region, cluster: &str) -> Result<Self, NameError> {
        check_label("name", name)?;
        check_cluster(cluster)?;
        Ok(Self { name: name.into(), region, cluster: cluster.into() })
    }

    /// Lends the node's own name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lends the region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Lends the cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The name as TLS verifies it.
    pub(super) fn server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.to_string()).expect("labels checked at construction make a server name")
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.name, self.region, self.cluster)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Refuses what cannot be the last label of a name.
pub(super) fn check_cluster(text: &str) -> Result<(), NameError> {
    check_label("cluster", text)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NameError::ClusterIsANumber { text: text.into() });
    }
    Ok(())
}

fn check_label(what: &'static str, text: &str) -> Result<(), NameError> {
    let letters = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hyphens_inside = !text.starts_with('-') && !text.ends_with('-');
    if (1..=LABEL_BYTES_MAX).contains(&text.len()) && letters && hyphens_inside {
        Ok(())
    } else {
        Err(NameError::NotALabel { what, text: text.escape_debug().take(LABEL_BYTES_MAX).collect() })
    }
}

/// Says why a text names no node; the caller's fault, and nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Not a label of a DNS name.
    #[error("{what} \"{text}\" must be 1 to {LABEL_BYTES_MAX} lower-case letters, digits and inner hyphens")]
    NotALabel {
        /// Which part of the name.
        what: &'static str,
        /// As given, cut to the longest label.
        text: String,
    },
    /// The last label of a DNS name has a letter in it.
    #[error("cluster \"{text}\" must have a letter in it")]
    ClusterIsANumber {
        /// As given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_accepted_is_a_server_name() {
        let region: Region = "eu".parse().expect("a region");
        for (name, cluster, accepted) in [
            ("eu-1", "demo", true),
            ("1", "2b", true),
            (&"a".repeat(63), &"b".repeat(63), true),
            ("eu-1", "42", false),
            ("", "demo", false),
            ("eu.1", "demo", false),
            ("EU", "demo", false),
            ("-eu", "demo", false),
            ("eu", "demo-", false),
            (&"a".repeat(64), "demo", false),
        ] {
            let made = NodeName::new(name, region.clone(), cluster);
            assert_eq!(made.is_ok(), accepted, "{name}.eu.{cluster}: {made:?}");
            if let Ok(made) = made {
                assert_eq!(made.server_name().to_str(), made.to_string());
            }
        }
    }
}
