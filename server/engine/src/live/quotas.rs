//! What one identity may subscribe to, over all its connections, so that others have room.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::limits::{
    IDENTITY_SCANNED_MAX, IDENTITY_STATE_BYTES_MAX, IDENTITY_SUBSCRIPTIONS_MAX,
};
use syncline_protocol::{ErrorCode, Identity};
use syncline_query::{Load, QueryError};

use super::asked::{Asked, Texts};

/// What identities that are connected take.
#[derive(Debug)]
pub(crate) struct Quotas {
    by_identity: HashMap<Identity, Quota, FixedState>,
    /// Of all of them.
    pub(crate) texts: Texts,
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
    /// What its instance took when it was subscribed to, with its text.
    bytes: u32,
    is_scanned: bool,
    /// The admin is not charged.
    is_counted: bool,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            by_identity: HashMap::with_hasher(FixedState::default()),
            texts: Texts::default(),
        }
    }
}

impl Quotas {
    /// Whether an identity may have one more subscription.
    pub(crate) fn check(&self, identity: Identity, admin: bool) -> Result<(), QueryError> {
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
        load: &Load,
    ) -> Result<Charge, QueryError> {
        if admin {
            return Ok(Charge::default());
        }
        let quota = self.by_identity.entry(identity).or_default();
        let result = quota.check(load, None);
        match result {
            Ok(()) => quota.subscriptions += 1,
            Err(_) => self.forget_empty(identity),
        }
        result.map(|()| self.take(identity, load))
    }

    /// Whether an identity's subscription may move from an instance to another one.
    pub(crate) fn check_move(
        &self,
        identity: Identity,
        charge: Charge,
        from: u64,
        to: &Load,
    ) -> Result<(), QueryError> {
        let quota = self.by_identity.get(&identity);
        let quota = quota.filter(|_| charge.is_counted);
        quota.map_or(Ok(()), |quota| quota.check(to, Some((charge, from))))
    }

    /// A subscription has moved to another instance.
    pub(crate) fn move_to(
        &mut self,
        identity: Identity,
        charge: &mut Charge,
        from: u64,
        to: &Load,
    ) {
        if charge.is_counted {
            self.give_back(identity, *charge, from);
            *charge = self.take(identity, to);
        }
    }

    fn take(&mut self, identity: Identity, load: &Load) -> Charge {
        let quota = self.by_identity.entry(identity).or_default();
        let charge = Charge {
            bytes: u32::try_from(load.byte_len).unwrap_or(u32::MAX),
            is_scanned: load.is_scanned,
            is_counted: true,
        };
        quota.bytes += charge.bytes as usize;
        if charge.is_scanned {
            quota.enter(load.handle);
        }
        charge
    }

    fn give_back(&mut self, identity: Identity, charge: Charge, handle: u64) {
        if let Some(quota) = self.by_identity.get_mut(&identity) {
            quota.bytes -= charge.bytes as usize;
            if charge.is_scanned {
                quota.leave(handle);
            }
        }
    }

    /// A subscription has ended.
    pub(crate) fn release(
        &mut self,
        identity: Identity,
        charge: Charge,
        (handle, asked): (u64, &Asked),
    ) {
        self.texts.forget(asked);
        if !charge.is_counted {
            return;
        }
        let Some(quota) = self.by_identity.get_mut(&identity) else {
            return;
        };
        quota.subscriptions -= 1;
        self.give_back(identity, charge, handle);
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
    /// Whether there is room for so much more, and without what a subscription to an instance is charged with.
    fn check(&self, load: &Load, without: Option<(Charge, u64)>) -> Result<(), QueryError> {
        let (charge, from) = without.unwrap_or_default();
        let own = charge.bytes as usize;
        if load.byte_len > own && self.bytes - own + load.byte_len > IDENTITY_STATE_BYTES_MAX {
            let message = "what you subscribe to would take over";
            return Err(refuse(format!(
                "{message} {IDENTITY_STATE_BYTES_MAX} bytes"
            )));
        }
        let mut scanned = self.scanned.iter();
        let is_known = scanned.any(|(handle, _)| *handle == load.handle);
        let leaves = charge.is_scanned && self.scanned.contains(&(from, 1));
        let count = self.scanned.len() - usize::from(leaves);
        if load.is_scanned && !is_known && count >= IDENTITY_SCANNED_MAX {
            let message = "you have live queries that must look at every change:";
            return Err(refuse(format!(
                "{message} {IDENTITY_SCANNED_MAX} are too many"
            )));
        }
        Ok(())
    }

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

fn refuse(message: String) -> QueryError {
    QueryError::new(ErrorCode::LiveLimit, message)
        .hint("end subscriptions that are not shown, or compare a column with a parameter in WHERE")
}

#[cfg(test)]
mod tests;
