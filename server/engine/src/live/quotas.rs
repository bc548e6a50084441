//! What one identity may subscribe to, over all its connections, so that others have room.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::limits::{
    IDENTITY_SCANNED_MAX, IDENTITY_STATE_BYTES_MAX, IDENTITY_SUBSCRIPTIONS_MAX,
};
use syncline_protocol::{ErrorCode, Identity, WireError};
use syncline_query::{CostClass, Subscribed};

/// What identities that are connected take.
#[derive(Debug)]
pub(crate) struct Quotas {
    by_identity: HashMap<Identity, Quota, FixedState>,
}

/// What one takes.
#[derive(Debug, Default)]
struct Quota {
    subscriptions: usize,
    bytes: usize,
    /// Instances that must look at every change, with how many subscriptions.
    scanned: Vec<(u64, u32)>,
}

/// What a subscription was charged with.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charge {
    /// What its instance remembered when it was subscribed to, in KiB.
    kilobytes: u32,
    is_scanned: bool,
    /// The admin is not charged.
    is_counted: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            by_identity: HashMap::with_hasher(FixedState::default()),
        }
    }
}

impl Quotas {
    /// Whether an identity may have one more subscription.
    pub(crate) fn check(&self, identity: Identity, admin: bool) -> Result<(), WireError> {
        let count = self
            .by_identity
            .get(&identity)
            .map_or(0, |q| q.subscriptions);
        if admin || count < IDENTITY_SUBSCRIPTIONS_MAX {
            return Ok(());
        }
        let message = format!("you have {IDENTITY_SUBSCRIPTIONS_MAX} subscriptions");
        Err(refuse(message))
    }

    /// Charges an identity with a subscription; the error says what it has too much of.
    pub(crate) fn charge(
        &mut self,
        identity: Identity,
        admin: bool,
        subscribed: &Subscribed,
    ) -> Result<Charge, WireError> {
        if admin {
            return Ok(Charge::default());
        }
        let charge = Charge {
            kilobytes: u32::try_from(subscribed.byte_len >> 10).unwrap_or(u32::MAX),
            is_scanned: subscribed.cost == CostClass::Scanned,
            is_counted: true,
        };
        let quota = self.by_identity.entry(identity).or_default();
        let bytes = quota.bytes + charge.byte_len();
        let is_known = quota
            .scanned
            .iter()
            .any(|(own, _)| *own == subscribed.handle);
        let result = if bytes > IDENTITY_STATE_BYTES_MAX && charge.kilobytes > 0 {
            let message = "what you subscribe to would remember over";
            Err(refuse(format!(
                "{message} {IDENTITY_STATE_BYTES_MAX} bytes"
            )))
        } else if charge.is_scanned && !is_known && quota.scanned.len() >= IDENTITY_SCANNED_MAX {
            let message = "you have live queries that must look at every change:";
            Err(refuse(format!(
                "{message} {IDENTITY_SCANNED_MAX} are too many"
            )))
        } else {
            quota.subscriptions += 1;
            quota.bytes = bytes;
            if charge.is_scanned {
                quota.enter(subscribed.handle);
            }
            Ok(charge)
        };
        if result.is_err() {
            self.forget_empty(identity);
        }
        result
    }

    /// A subscription has moved to another instance.
    pub(crate) fn move_to(&mut self, identity: Identity, charge: Charge, (from, to): (u64, u64)) {
        if charge.is_scanned
            && let Some(quota) = self.by_identity.get_mut(&identity)
        {
            quota.leave(from);
            quota.enter(to);
        }
    }

    /// A subscription has ended.
    pub(crate) fn release(&mut self, identity: Identity, charge: Charge, handle: u64) {
        if !charge.is_counted {
            return;
        }
        let Some(quota) = self.by_identity.get_mut(&identity) else {
            return;
        };
        quota.subscriptions -= 1;
        quota.bytes -= charge.byte_len();
        if charge.is_scanned {
            quota.leave(handle);
        }
        self.forget_empty(identity);
    }

    fn forget_empty(&mut self, identity: Identity) {
        let quota = self.by_identity.get(&identity);
        if quota.is_some_and(|quota| quota.subscriptions == 0) {
            self.by_identity.remove(&identity);
        }
    }
}

impl Quota {
    fn enter(&mut self, handle: u64) {
        match self.scanned.iter_mut().find(|(own, _)| *own == handle) {
            Some((_, count)) => *count += 1,
            None => self.scanned.push((handle, 1)),
        }
    }

    fn leave(&mut self, handle: u64) {
        if let Some(at) = self.scanned.iter().position(|(own, _)| *own == handle) {
            self.scanned[at].1 -= 1;
            if self.scanned[at].1 == 0 {
                self.scanned.swap_remove(at);
            }
        }
    }
}

impl Charge {
    fn byte_len(self) -> usize {
        (self.kilobytes as usize) << 10
    }
}

fn refuse(message: String) -> WireError {
    WireError::new(ErrorCode::LiveLimit, message)
        .hint("end subscriptions that are not shown, or compare a column with a parameter in WHERE")
}
