//! What a token says of who came with it, beside who that is.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::limits::{CLAIM_BYTES_MAX, CLAIMS_MAX, NAME_BYTES_MAX};
use crate::param::Param;

#[cfg(test)]
mod tests;

/// Claims that belong to the token itself (RFC 7519): they tell who signed it for whom and when.
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// Claims of a token by name. A clone shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Option<Arc<[(String, Claim)]>>);

/// What a claim can be. Others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Claim {
    Text(String),
    Bool(bool),
    Int(i128),
}

impl Claims {
    /// Of who came without a token, or as the admin.
    pub const NONE: Self = Self(None);

    /// Whether the claim belongs to the token, so that nobody may set it.
    #[must_use]
    pub fn is_registered(name: &str) -> bool {
        REGISTERED.contains(&name)
    }

    /// Texts, truth values and integers among the members of a token's payload. What is over a limit is an
    /// error: left out, it could let somebody see what the claim forbids.
    pub fn read(payload: &Map<String, Value>) -> Result<Self, String> {
        let mut kept = Vec::new();
        let own = payload
            .iter()
            .filter(|(name, _)| !Self::is_registered(name));
        for (name, value) in own {
            let claim = match value {
                Value::String(text) => Claim::Text(text.clone()),
                Value::Bool(value) => Claim::Bool(*value),
                Value::Number(number) => {
                    let whole = number.as_i64().map(i128::from);
                    match whole.or_else(|| number.as_u64().map(i128::from)) {
                        Some(value) => Claim::Int(value),
                        None => continue,
                    }
                }
                Value::Null | Value::Array(_) | Value::Object(_) => continue,
            };
            let bytes = match &claim {
                Claim::Text(text) => text.len(),
                Claim::Bool(_) | Claim::Int(_) => 0,
            };
            if name.len() > NAME_BYTES_MAX || bytes > CLAIM_BYTES_MAX {
                return Err(format!(
                    "a claim of the token is over {CLAIM_BYTES_MAX} bytes, or its name over {NAME_BYTES_MAX}"
                ));
            }
            kept.push((name.clone(), claim));
        }
        if kept.len() > CLAIMS_MAX {
            return Err(format!("the token has over {CLAIMS_MAX} claims"));
        }
        Ok(Self((!kept.is_empty()).then(|| kept.into())))
    }

    /// The claim of exactly this name; NULL if there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Param {
        let mut all = self.0.iter().flat_map(|all| all.iter());
        match all.find(|(own, _)| own == name) {
            None => Param::Null,
            Some((_, Claim::Text(text))) => Param::Text(text.clone()),
            Some((_, Claim::Bool(value))) => Param::Bool(*value),
            Some((_, Claim::Int(value))) => Param::Int(*value),
        }
    }
}
