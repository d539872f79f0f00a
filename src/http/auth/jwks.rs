//! The public keys of whoever issues bearer tokens (RFC 7517).

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, PublicKeyUse},
};

use super::signatures::algorithm_of;

/// How many usable keys a set may have: a token that names none is tried with each.
pub const JWKS_KEYS_MAX: usize = 32;

/// The keys that can verify.
#[derive(Clone, Debug, Default)]
pub(super) struct KeySet(Vec<PublicKey>);

#[derive(Clone, Debug)]
struct PublicKey {
    id: Option<String>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a set. Keys of other kinds, for other uses, and secret ones are passed over.
    ///
    /// # Errors
    /// No set, none that can be used, and too many.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_slice(text).map_err(|why| format!("it is no key set: {why}"))?;
        let keys: Vec<_> = set.keys.iter().filter_map(PublicKey::read).collect();
        match keys.len() {
            0 => Err("it has no key for RS256, ES256 or EdDSA".into()),
            1..=JWKS_KEYS_MAX => Ok(Self(keys)),
            many => Err(format!("it has {many} keys, and at most {JWKS_KEYS_MAX} may be")),
        }
    }

    /// The keys that may have signed a token: of its kind, and the one it names if it names one.
    pub(super) fn candidates(&self, family: AlgorithmFamily, id: Option<&str>) -> Vec<&DecodingKey> {
        let of_kind = self.0.iter().filter(|it| it.key.family() == family);
        of_kind.filter(|it| id.is_none() || it.id.as_deref() == id).map(|it| &it.key).collect()
    }
}

impl PublicKey {
    fn read(jwk: &Jwk) -> Option<Self> {
        let is_of_ours = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => true,
            AlgorithmParameters::EllipticCurve(it) => it.curve == EllipticCurve::P256,
            AlgorithmParameters::OctetKeyPair(it) => it.curve == EllipticCurve::Ed25519,
            // A secret in a set of public keys is nobody's secret; and there may be kinds of the future.
            AlgorithmParameters::OctetKey(_) | AlgorithmParameters::Other(_) | _ => false,
        };
        let is_to_sign = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        if !is_of_ours || !is_to_sign {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let named = jwk.common.key_algorithm.as_ref().map(|named| Algorithm::try_from(*named).ok());
        let is_named = named.is_none_or(|named| named == Some(algorithm_of(key.family())));
        is_named.then(|| Self { id: jwk.common.key_id.clone(), key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const ED: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn set(keys: &[&str]) -> Result<KeySet, String> {
        let keys: Vec<_> = keys.iter().map(|members| format!("{{{members}}}")).collect();
        KeySet::parse(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes())
    }

    #[test]
    fn a_key_is_found_by_kind_and_by_name() {
        let (one, two) = (format!("{EC},\"kid\":\"one\""), format!("{ED},\"kid\":\"two\""));
        let set = set(&[&one, &two]).expect("two keys");
        assert_eq!(set.candidates(AlgorithmFamily::Ec, None).len(), 1);
        assert_eq!(set.candidates(AlgorithmFamily::Ec, Some("one")).len(), 1);
        assert_eq!(set.candidates(AlgorithmFamily::Ed, Some("one")).len(), 0);
        assert_eq!(set.candidates(AlgorithmFamily::Rsa, None).len(), 0);
    }

    #[test]
    fn keys_that_cannot_verify_are_passed_over() {
        let good = ED.to_owned();
        let others = [
            r#""kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow""#
                .to_owned(),
            format!("{EC},\"use\":\"enc\""),
            format!("{EC},\"alg\":\"ES384\""),
            ED.replace("Ed25519", "P-256"),
            r#""kty":"of the future""#.to_owned(),
        ];
        for other in others {
            let found = set(&[&good, &other]).unwrap_or_else(|why| panic!("{other}: {why}"));
            assert_eq!(found.0.len(), 1, "{other}");
            assert!(set(&[&other]).is_err(), "{other}");
        }
        let many = vec![ED; JWKS_KEYS_MAX + 1];
        assert!(set(&many).is_err());
        assert!(KeySet::parse(b"{}").is_err());
    }
}
