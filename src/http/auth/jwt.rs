//! Bearer tokens of an issuer (RFC 7519, RFC 8725).
//!
//! The key decides the algorithm and never the token: a secret verifies HS256 and nothing else, a public
//! key the one algorithm of its kind. Time is the node's, which is told, not asked for.

use std::{sync::Arc, time::Duration};

use jsonwebtoken::{AlgorithmFamily, DecodingKey, Validation, decode, decode_header, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Number, Value};
use tokio::sync::watch;

use super::{
    Denied, Jwks, Scope,
    caller::{Named, Profiles, Subject},
    issuer::Issuer,
    jwks::KeySet,
    signatures::algorithm_of,
    watched::Watched,
};
use crate::crdt::WallTime;

/// How far the issuer's clock and the node's may differ.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// The shortest secret: as long as the hash (RFC 7518, 3.2).
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// The longest subject.
const SUBJECT_BYTES_MAX: usize = 256;

/// Whose tokens are taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Rules {
    /// One of these must have issued it; with none, whoever has the key.
    pub(super) issuers: Vec<String>,
    /// It must be meant for one of these; with none, for anyone.
    pub(super) audiences: Vec<String>,
}

/// What verifies bearer tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) secret: Option<Watched<Secret>>,
    pub(super) keys: Option<PublicKeys>,
    pub(super) rules: Rules,
}

/// Where public keys come from.
#[derive(Debug)]
pub(super) enum PublicKeys {
    File(Watched<KeySet>),
    Issuer(Issuer),
}

impl PublicKeys {
    pub(super) fn start(jwks: &Jwks, changed: &watch::Sender<()>) -> Result<Self, String> {
        match jwks {
            Jwks::File(path) => Ok(Self::File(Watched::start(path, KeySet::parse, changed)?)),
            Jwks::Url { url, ca } => Ok(Self::Issuer(Issuer::start(url.clone(), ca.as_ref(), changed)?)),
        }
    }

    fn current(&self) -> Option<Arc<KeySet>> {
        match self {
            Self::File(file) => Some(file.current()),
            Self::Issuer(issuer) => issuer.current(),
        }
    }

    /// Says whether a key that is not there may come.
    fn ask(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Issuer(issuer) => issuer.ask(),
        }
    }
}

/// A secret that the issuer and this node share.
#[derive(Debug)]
pub(super) struct Secret(DecodingKey);

impl Secret {
    /// Takes the bytes of a file, without the line's end that editors add.
    ///
    /// # Errors
    /// Less than [`JWT_SECRET_BYTES_MIN`] bytes can be guessed.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() < JWT_SECRET_BYTES_MIN {
            return Err(format!("it has {} bytes, and must have {JWT_SECRET_BYTES_MIN}", bytes.len()));
        }
        Ok(Self(DecodingKey::from_secret(bytes)))
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Value>,
    iss: Option<String>,
    aud: Option<OneOrMany>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    profiles: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Tokens {
    /// Reads who a token's holder is.
    pub(super) fn read(&self, token: &str, now: WallTime) -> Result<Named, Denied> {
        let header = decode_header(token).map_err(|_| Denied::Invalid("it is neither a key nor a token"))?;
        let family = header.alg.family();
        if header.alg != algorithm_of(family) {
            return Err(Denied::Invalid("its algorithm is none of HS256, RS256, ES256 and EdDSA"));
        }
        if header.crit.is_some() {
            return Err(Denied::Invalid("it has a header that must be understood, and is not"));
        }
        if family == AlgorithmFamily::Hmac {
            let secret = self.secret.as_ref().ok_or(Denied::Invalid("tokens with a secret are not taken"))?;
            return self.rules.verify(token, &[&secret.current().0], now);
        }
        let keys = self.keys.as_ref().ok_or(Denied::Invalid("tokens with a public key are not taken"))?;
        let set = keys.current();
        let candidates = set.as_deref().map(|set| set.candidates(family, header.kid.as_deref()));
        match candidates.filter(|found| !found.is_empty()) {
            Some(found) => self.rules.verify(token, &found, now),
            None if keys.ask() => Err(Denied::KeysUnknown),
            None => Err(Denied::Invalid("its key is not one of the issuer's")),
        }
    }
}

impl Rules {
    fn verify(&self, token: &str, keys: &[&DecodingKey], now: WallTime) -> Result<Named, Denied> {
        let mut denied = Denied::Invalid("its signature is not the issuer's");
        for key in keys {
            let mut validation = Validation::new(algorithm_of(key.family()));
            // What is left of it is the signature: the rest is judged below, by the node's own time.
            validation.required_spec_claims.clear();
            (validation.validate_exp, validation.validate_aud) = (false, false);
            match decode::<Claims>(token, key, &validation) {
                Ok(read) => return self.judge(read.claims, now),
                Err(why) if matches!(why.kind(), ErrorKind::Json(_)) => {
                    denied = Denied::Invalid("its claims lack `sub` or `exp`, or one is of the wrong type");
                }
                Err(_) => {}
            }
        }
        Err(denied)
    }

    fn judge(&self, claims: Claims, now: WallTime) -> Result<Named, Denied> {
        let (now, leeway) = (now.as_ms() / 1_000, LEEWAY.as_secs());
        let no_time = Denied::Invalid("its `exp` or `nbf` is no time");
        let expires = seconds(&claims.exp).ok_or(no_time.clone())?;
        if now >= expires.saturating_add(leeway) {
            return Err(Denied::Expired);
        }
        if let Some(begins) = &claims.nbf
            && seconds(begins).ok_or(no_time)? > now.saturating_add(leeway)
        {
            return Err(Denied::Invalid("it is not valid yet"));
        }
        if !self.issuers.is_empty() && !claims.iss.is_some_and(|it| self.issuers.contains(&it)) {
            return Err(Denied::Invalid("its issuer is another"));
        }
        if !self.audiences.is_empty() && !claims.aud.is_some_and(|it| it.names_one_of(&self.audiences)) {
            return Err(Denied::Invalid("it is meant for another audience"));
        }
        let is_subject = (1..=SUBJECT_BYTES_MAX).contains(&claims.sub.len());
        if !is_subject || claims.sub.chars().any(char::is_control) {
            return Err(Denied::Invalid("its `sub` is no name"));
        }
        let profiles = Profiles::parse(claims.profiles.iter().map(String::as_str));
        Ok(Named {
            subject: Subject::Token(claims.sub.into()),
            // Issuers have scopes for others too.
            scopes: claims.scope.split(' ').filter_map(Scope::parse).collect(),
            profiles: profiles.map_err(|_| Denied::Invalid("its `profiles` are no ids"))?,
            expires: Some(wall(expires.saturating_add(leeway))),
            // Nobody is let in or turned away by it.
            issued: claims.iat.as_ref().and_then(Value::as_number).and_then(seconds).map(wall),
        })
    }
}

impl OneOrMany {
    fn names_one_of(&self, wanted: &[String]) -> bool {
        match self {
            Self::One(name) => wanted.contains(name),
            Self::Many(names) => names.iter().any(|name| wanted.contains(name)),
        }
    }
}

/// Whole seconds of a point in time, which may have fractions (RFC 7519, 2).
fn seconds(number: &Number) -> Option<u64> {
    let fraction = || Duration::try_from_secs_f64(number.as_f64()?).ok();
    number.as_u64().or_else(|| fraction().map(|since| since.as_secs()))
}

fn wall(seconds: u64) -> WallTime {
    WallTime::from_ms(seconds.saturating_mul(1_000))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use ring::hmac;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::auth::signatures;

    const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);
    const NOW_S: u64 = 1_700_000_000;
    const SECRET: &[u8] = &[7; 32];

    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    fn read(rules: &Rules, claims: &Value) -> Result<Named, Denied> {
        signatures::install();
        let token = signed(&json!({"alg": "HS256", "typ": "JWT"}), claims);
        rules.verify(&token, &[&Secret::parse(SECRET).expect("long enough").0], NOW)
    }

    fn claims() -> Value {
        json!({"sub": "ada@example", "exp": NOW_S + 60, "scope": "openid play read", "profiles": ["ada"]})
    }

    #[test]
    fn a_holder_is_what_the_claims_say() {
        let named = read(&Rules::default(), &claims()).expect("it is valid");
        assert_eq!(named.subject, Subject::Token("ada@example".into()));
        assert_eq!(named.scopes, BTreeSet::from([Scope::Play, Scope::Read]));
        assert_eq!(Profiles::parse(["ada"]), Ok(named.profiles));
        let least = read(&Rules::default(), &json!({"sub": "ada", "exp": NOW_S + 60})).expect("it is valid");
        assert!(least.scopes.is_empty(), "nothing is given that is not said");
        assert_eq!(Profiles::parse([]), Ok(least.profiles));
    }

    #[test]
    fn when_a_token_was_issued_is_known_where_it_says_so_and_judged_nowhere() {
        let issued = |iat: Value| {
            let claims = json!({"sub": "ada", "exp": NOW_S + 60, "iat": iat});
            read(&Rules::default(), &claims).expect("it is valid").issued
        };
        assert_eq!(issued(json!(NOW_S - 60)), Some(NOW.minus_ms(60_000)));
        assert_eq!(issued(json!(NOW_S + 3_600)), Some(NOW.plus_ms(3_600_000)));
        assert_eq!((issued(json!(null)), issued(json!("soon"))), (None, None));
    }

    #[test]
    fn a_claim_that_is_wrong_or_missing_is_refused() {
        let rules = Rules { issuers: vec!["https://id".into()], audiences: vec!["playmark".into()] };
        let mut good = claims();
        (good["iss"], good["aud"]) = (json!("https://id"), json!(["other", "playmark"]));
        assert!(read(&rules, &good).is_ok());
        let leeway = LEEWAY.as_secs();
        let wrong = [
            ("sub", json!(null)),
            ("sub", json!("")),
            ("sub", json!("a\nb")),
            ("sub", json!("a".repeat(257))),
            ("exp", json!(null)),
            ("exp", json!("soon")),
            ("exp", json!(-1)),
            ("exp", json!(NOW_S - leeway)),
            ("nbf", json!(NOW_S + leeway + 1)),
            ("nbf", json!(true)),
            ("iss", json!("https://other")),
            ("iss", json!(null)),
            ("aud", json!("other")),
            ("aud", json!(null)),
            ("scope", json!(["play"])),
            ("profiles", json!("ada")),
            ("profiles", json!(["ada", "*"])),
        ];
        for (claim, value) in wrong {
            let mut bad = good.clone();
            bad[claim] = value.clone();
            assert!(read(&rules, &bad).is_err(), "{claim}: {value}");
        }
        for (claim, value) in [
            ("exp", json!(NOW_S - leeway + 1)),
            ("exp", json!(f64::from(1_700_000_060) + 0.5)),
            ("nbf", json!(NOW_S + leeway)),
            ("nbf", json!(null)),
            ("aud", json!("playmark")),
        ] {
            let mut fair = good.clone();
            fair[claim] = value.clone();
            assert!(read(&rules, &fair).is_ok(), "{claim}: {value}");
        }
        good["exp"] = json!(NOW_S - leeway);
        assert_eq!(read(&rules, &good), Err(Denied::Expired));
    }

    #[test]
    fn the_key_decides_the_algorithm_and_never_the_token() {
        signatures::install();
        let tokens = Tokens { secret: None, keys: None, rules: Rules::default() };
        for alg in ["HS256", "HS512", "RS256", "PS256", "ES384", "EdDSA", "none", "None", ""] {
            let token = signed(&json!({"alg": alg}), &claims());
            assert!(matches!(tokens.read(&token, NOW), Err(Denied::Invalid(_))), "{alg}");
        }
        // The public key as a secret: the oldest trick against tokens.
        let ed = DecodingKey::from_ed_der(SECRET);
        let token = signed(&json!({"alg": "HS256"}), &claims());
        assert!(Rules::default().verify(&token, &[&ed], NOW).is_err());
        let critical = signed(&json!({"alg": "HS256", "crit": ["b64"]}), &claims());
        assert!(tokens.read(&critical, NOW).is_err());
        for text in ["", ".", "..", "a.b.c", "a.b.c.d", "pmk"] {
            assert!(tokens.read(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn a_changed_token_is_refused() {
        signatures::install();
        let secret = Secret::parse(SECRET).expect("long enough");
        let token = signed(&json!({"alg": "HS256"}), &claims());
        let other = token.replacen(&token[30..31], if &token[30..31] == "A" { "B" } else { "A" }, 1);
        assert!(Rules::default().verify(&other, &[&secret.0], NOW).is_err());
        assert!(Secret::parse(&[7; 31]).is_err());
        let other = Secret::parse(&[8; 32]).expect("long enough");
        assert!(Rules::default().verify(&token, &[&other.0], NOW).is_err());
        assert!(Rules::default().verify(&token, &[&other.0, &secret.0], NOW).is_ok());
    }
}
