//! What subscriptions asked, to ask it again: with other parameters, or when policies have changed.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use syncline_protocol::limits::ASKED_BYTES_MAX;
use syncline_protocol::message::OwnedQueryForm;
use syncline_protocol::param::Param;
use syncline_protocol::{ErrorCode, WireError};
use syncline_query::Load;

use crate::command::QueryText;

/// Texts that are shared by those who ask alike; when there are more all are forgotten.
const FORMS_MAX: usize = 256;

/// The query of a subscription.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) form: Arc<OwnedQueryForm>,
    pub(crate) params: Box<[(String, Param)]>,
}

/// The texts of subscriptions, and what all of them take.
#[derive(Debug)]
pub(crate) struct Texts {
    forms: HashSet<Arc<OwnedQueryForm>, FixedState>,
    byte_len: usize,
}

impl Default for Texts {
    fn default() -> Self {
        Self {
            forms: HashSet::with_hasher(FixedState::default()),
            byte_len: 0,
        }
    }
}

fn bytes_of(param: &Param) -> usize {
    let own = match param {
        Param::Text(text) => text.len(),
        Param::Bytes(bytes) => bytes.len(),
        Param::List(items) => items.iter().map(bytes_of).sum(),
        Param::Null | Param::Bool(_) | Param::Int(_) | Param::Float(_) => 0,
    };
    own + size_of::<Param>()
}

fn bytes_of_all(params: &[(String, Param)]) -> usize {
    let bytes =
        |(name, param): &(String, Param)| size_of::<String>() + name.len() + bytes_of(param);
    params.iter().map(bytes).sum()
}

impl Asked {
    /// Bytes that it takes, the text as if nobody shared it.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes_with(&self.params)
    }

    /// As [`Self::byte_len`], with other parameters.
    pub(crate) fn bytes_with(&self, params: &[(String, Param)]) -> usize {
        let text = match &*self.form {
            OwnedQueryForm::Sql(sql) => sql.len(),
            OwnedQueryForm::Logical(bytes) => bytes.len(),
        };
        text + bytes_of_all(params)
    }

    /// What a subscription with it takes of what its identity has.
    pub(crate) fn load(&self, of_instance: &Load) -> Load {
        with_text(of_instance, self.byte_len())
    }
}

/// What an instance takes with a text of so many bytes.
pub(crate) fn with_text(of_instance: &Load, bytes: usize) -> Load {
    Load {
        byte_len: of_instance.byte_len + bytes,
        ..*of_instance
    }
}

impl Texts {
    /// Keeps what a subscription asks.
    pub(crate) fn keep(&mut self, query: &QueryText) -> Result<Asked, WireError> {
        let known = self.forms.get(&query.form).map(Arc::clone);
        let is_new = known.is_none();
        let asked = Asked {
            form: known.unwrap_or_else(|| Arc::new(query.form.clone())),
            params: query.params.as_slice().into(),
        };
        self.check(asked.byte_len())?;
        self.byte_len += asked.byte_len();
        if is_new {
            if self.forms.len() == FORMS_MAX {
                self.forms.clear();
            }
            self.forms.insert(Arc::clone(&asked.form));
        }
        Ok(asked)
    }

    /// Whether there is room for so much more.
    fn check(&self, bytes: usize) -> Result<(), WireError> {
        if self.byte_len + bytes <= ASKED_BYTES_MAX {
            return Ok(());
        }
        let message = format!("the texts of live queries would take over {ASKED_BYTES_MAX} bytes");
        Err(WireError::new(ErrorCode::LiveLimit, message)
            .hint("end subscriptions that are not shown"))
    }

    /// Whether a subscription may have other parameters.
    pub(crate) fn check_move(
        &self,
        asked: &Asked,
        params: &[(String, Param)],
    ) -> Result<(), WireError> {
        let more = asked.bytes_with(params).saturating_sub(asked.byte_len());
        if more == 0 { Ok(()) } else { self.check(more) }
    }

    /// A subscription has other parameters.
    pub(crate) fn change(&mut self, asked: &mut Asked, params: &[(String, Param)]) {
        self.byte_len -= asked.byte_len();
        let is_alike = asked.params.len() == params.len()
            && asked
                .params
                .iter()
                .zip(params)
                .all(|(own, new)| own.0 == new.0);
        if is_alike {
            // The names stay where they are.
            for ((_, own), (_, new)) in asked.params.iter_mut().zip(params) {
                own.clone_from(new);
            }
        } else {
            asked.params = params.into();
        }
        self.byte_len += asked.byte_len();
    }

    /// A subscription is gone.
    pub(crate) fn forget(&mut self, asked: &Asked) {
        self.byte_len -= asked.byte_len();
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.byte_len
    }
}
