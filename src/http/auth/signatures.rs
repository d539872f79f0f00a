//! The signatures of bearer tokens, verified by the library that TLS brings.
//!
//! jsonwebtoken takes its cryptography from outside. Its own two choices are a second C library and one
//! whose RSA is not constant in time; *ring* is in the house already, and verifies all four of ours.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, new_error},
    signature::{self, Verifier},
};
use ring::{error::Unspecified, hmac, signature as ring_signature};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: refuse_to_sign,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it the process's own.
pub(super) fn install() {
    // It fails where it has been installed before, and there is no other.
    let _ = PROVIDER.install_default();
}

/// The one algorithm of each family that is taken.
pub(super) fn algorithm_of(family: AlgorithmFamily) -> Algorithm {
    match family {
        AlgorithmFamily::Hmac => Algorithm::HS256,
        AlgorithmFamily::Rsa => Algorithm::RS256,
        AlgorithmFamily::Ec => Algorithm::ES256,
        AlgorithmFamily::Ed => Algorithm::EdDSA,
    }
}

struct Ring(DecodingKey);

impl Ring {
    fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        use ring_signature::{
            ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        };
        let Ok(bytes) = self.0.try_get_as_bytes() else {
            let DecodingKeyKind::RsaModulusExponent { n, e } = self.0.kind() else {
                return Err(Unspecified);
            };
            let key = ring_signature::RsaPublicKeyComponents { n, e };
            return key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature);
        };
        match self.0.family() {
            AlgorithmFamily::Hmac => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, bytes), message, signature)
            }
            AlgorithmFamily::Ec => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, bytes).verify(message, signature)
            }
            AlgorithmFamily::Ed => UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature),
            AlgorithmFamily::Rsa => Err(Unspecified),
        }
    }
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        self.check(message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        algorithm_of(self.0.family())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "jsonwebtoken calls it so")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtVerifier>> {
    if *algorithm == algorithm_of(key.family()) {
        Ok(Box::new(Ring(key.clone())))
    } else {
        Err(new_error(ErrorKind::InvalidAlgorithm))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "jsonwebtoken calls it so")]
fn refuse_to_sign(_: &Algorithm, _: &EncodingKey) -> jsonwebtoken::errors::Result<Box<dyn JwtSigner>> {
    Err(new_error(ErrorKind::UnsupportedAlgorithm))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The claims of RFC 7515's examples, which expired in 2011.
    const JOE: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    /// The keys and signatures of RFC 7515, A.1 to A.3, and of RFC 8037, A.4.
    #[test]
    fn the_examples_of_the_standards_are_verified_and_nothing_near_them() {
        install();
        let hmac = DecodingKey::from_secret(
            &base64::Engine::decode(
                &base64::engine::general_purpose::URL_SAFE_NO_PAD,
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
            )
            .expect("it is base64"),
        );
        let rsa = DecodingKey::from_rsa_components(
            "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            "AQAB",
        );
        let ec = DecodingKey::from_ec_components(
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        );
        let ed = DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        let cases = [
            (
                hmac,
                format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}"),
                "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            ),
            (
                rsa.expect("a key"),
                format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                ec.expect("a key"),
                format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                ed.expect("a key"),
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".into(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (key, message, signature) in cases {
            let algorithm = algorithm_of(key.family());
            let check = |message: &str, signature: &str| {
                jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm)
            };
            assert_eq!(check(&message, signature), Ok(true), "{algorithm:?}");
            assert_eq!(check(&format!("{message}x"), signature), Ok(false), "{algorithm:?}");
            assert_eq!(check(&message, &signature[4..]), Ok(false), "{algorithm:?}");
            assert!(verifier(&Algorithm::RS512, &key).is_err(), "{algorithm:?}");
        }
    }
}
