//! Who somebody is: tokens that the server signs, and the admin token.
//!
//! A token is an ES256 JWT with `iss` (the server's key), `sub`, `aud` (the database) and, if it
//! ends, `exp`. Its other claims are what queries call `auth.name`. An identity is SHA-256 of issuer, a zero byte, and subject. The admin token is 32 random
//! bytes in a file that only its owner can read.

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use syncline_protocol::{Claims as TokenClaims, ConnectionId, ErrorCode, Identity, WireError};

use crate::files;

/// Who a connection or request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Stable for a token's issuer and subject.
    pub identity: Identity,
    /// Came with the admin token.
    pub admin: bool,
    /// Of the token; none of a new one.
    pub claims: TokenClaims,
    /// Seconds since the Unix epoch after which the token is no good.
    pub expires: Option<u64>,
    /// The token that was made for it, if it came without one.
    pub token: Option<String>,
}

/// Signs and checks tokens of one server.
pub struct Authority {
    issuer: String,
    signing: EncodingKey,
    checking: DecodingKey,
    admin_token: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    /// What queries call `auth.name`.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Why the keys of a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// The key file is not a PKCS #8 P-256 key.
    #[error(
        "{0} is not a P-256 signing key in PKCS #8; restore it, or delete it to make a new one (all tokens end)"
    )]
    BadKey(String),
    /// The admin token is so short that it could be guessed; an empty one would even let in everybody.
    #[error(
        "{0} holds no token of {ADMIN_TOKEN_BYTES_MIN} bytes or more; delete it to make a new one"
    )]
    WeakAdminToken(String),
}

/// Bytes of the shortest admin token that is accepted.
const ADMIN_TOKEN_BYTES_MIN: usize = 16;

impl Authority {
    /// Keys and admin token of a data folder, made at first use with mode 0600.
    pub fn open(data: &Path) -> Result<Self, AuthError> {
        let key_path = data.join("keys").join("signing.pem");
        let token_path = data.join("admin.token");
        let key = files::read_or_create(&key_path, || pem(&new_key()))?;
        let admin_token = files::read_or_create(&token_path, || new_admin_token() + "\n")?;
        if admin_token.trim().len() < ADMIN_TOKEN_BYTES_MIN {
            return Err(AuthError::WeakAdminToken(token_path.display().to_string()));
        }
        let der =
            from_pem(&key).ok_or_else(|| AuthError::BadKey(key_path.display().to_string()))?;
        Self::new(&der, admin_token.trim().to_owned())
            .ok_or_else(|| AuthError::BadKey(key_path.display().to_string()))
    }

    /// Keys that live as long as the process.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(&new_key(), new_admin_token()).expect("a key that was just made is good")
    }

    fn new(pkcs8: &[u8], admin_token: String) -> Option<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
        let public = pair.public_key().as_ref();
        let (x, y) = public.get(1..65)?.split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let checking = DecodingKey::from_ec_components(&x, &y).ok()?;
        let fingerprint = Identity(Sha256::digest(public).into()).to_hex();
        let issuer = format!("syncline:{}", &fingerprint[..16]);
        Some(Self {
            issuer,
            signing: EncodingKey::from_ec_der(pkcs8),
            checking,
            admin_token,
        })
    }

    /// The admin token.
    #[must_use]
    pub fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// Signs a token for a database; `ttl_s` seconds from `now_s`, or for ever.
    pub fn issue(
        &self,
        database: &str,
        subject: &str,
        now_s: u64,
        ttl_s: Option<u64>,
    ) -> Result<String, WireError> {
        self.issue_with(database, subject, now_s, ttl_s, Map::new())
    }

    /// Like [`Self::issue`], with claims for queries.
    pub fn issue_with(
        &self,
        database: &str,
        subject: &str,
        now_s: u64,
        ttl_s: Option<u64>,
        more: Map<String, Value>,
    ) -> Result<String, WireError> {
        let bad = |message: String| WireError::new(ErrorCode::BadRequest, message);
        if let Some(name) = more.keys().find(|name| TokenClaims::is_registered(name)) {
            return Err(bad(format!("the claim `{name}` is the token's own")));
        }
        let is_kept = |value: &Value| match value {
            Value::Number(number) => number.is_i64() || number.is_u64(),
            value => value.is_string() || value.is_boolean(),
        };
        if let Some((name, _)) = more.iter().find(|(_, value)| !is_kept(value)) {
            let message = format!("the claim `{name}` is no text, truth value or integer");
            return Err(bad(message));
        }
        TokenClaims::read(&more).map_err(bad)?;
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: subject.to_owned(),
            aud: database.to_owned(),
            iat: now_s,
            exp: ttl_s.map(|ttl| now_s.saturating_add(ttl)),
            more,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.signing).map_err(
            |error| WireError::new(ErrorCode::Internal, format!("signing failed: {error}")),
        )
    }

    /// Who holds this token; without one, somebody new.
    pub fn authenticate(
        &self,
        database: &str,
        token: Option<&str>,
        now_s: u64,
    ) -> Result<Authenticated, WireError> {
        let Some(token) = token else {
            let subject = ConnectionId(random()).to_hex();
            let token = self.issue(database, &subject, now_s, None)?;
            let identity = identity(&self.issuer, &subject);
            return Ok(Authenticated {
                identity,
                admin: false,
                claims: TokenClaims::NONE,
                expires: None,
                token: Some(token),
            });
        };
        if self.is_admin(token) {
            let identity = identity(&self.issuer, "admin");
            return Ok(Authenticated {
                identity,
                admin: true,
                claims: TokenClaims::NONE,
                expires: None,
                token: None,
            });
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[database]);
        validation.set_issuer(&[&self.issuer]);
        validation.required_spec_claims = ["iss", "sub", "aud"].map(str::to_owned).into();
        validation.leeway = 0;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.checking, &validation)
            .map_err(|error| refuse(&error))?
            .claims;
        // RFC 7519: not accepted on or after `exp`; the library still takes it in that second.
        if claims.exp.is_some_and(|end| end <= now_s) {
            return Err(refuse(&ErrorKind::ExpiredSignature.into()));
        }
        let identity = identity(&claims.iss, &claims.sub);
        let own = TokenClaims::read(&claims.more)
            .map_err(|reason| WireError::new(ErrorCode::BadToken, reason))?;
        Ok(Authenticated {
            identity,
            admin: false,
            claims: own,
            expires: claims.exp,
            token: None,
        })
    }

    /// Compares in constant time.
    #[must_use]
    pub fn is_admin(&self, token: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(
            token.as_bytes(),
            self.admin_token.as_bytes(),
        )
        .is_ok()
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

fn refuse(error: &jsonwebtoken::errors::Error) -> WireError {
    match error.kind() {
        ErrorKind::ExpiredSignature => {
            WireError::new(ErrorCode::TokenExpired, "the token's time is over")
                .hint("get a new one, or say Hello without a token to become somebody new")
        }
        ErrorKind::InvalidAudience => {
            WireError::new(ErrorCode::BadToken, "the token is for another database")
        }
        _ => WireError::new(ErrorCode::BadToken, "the token was not made by this server")
            .hint("delete the stored token; without one the server makes a new identity"),
    }
}

fn identity(issuer: &str, subject: &str) -> Identity {
    let mut hash = Sha256::new();
    hash.update(issuer);
    hash.update([0]);
    hash.update(subject);
    Identity(hash.finalize().into())
}

fn new_key() -> Vec<u8> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .expect("the system has randomness")
        .as_ref()
        .to_vec()
}

fn new_admin_token() -> String {
    format!("syncline_admin_{}", Identity(random()).to_hex())
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

fn pem(der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = format!("{PEM_BEGIN}\n");
    for line in body.as_bytes().chunks(64) {
        text.push_str(core::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text + PEM_END + "\n"
}

fn from_pem(text: &str) -> Option<Vec<u8>> {
    let body = text.split_once(PEM_BEGIN)?.1.split_once(PEM_END)?.0;
    let body: String = body.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(body).ok()
}

#[cfg(test)]
mod tests;
