//! Other parameters for a live query.

use syncline_protocol::message::{ClientMessage, Moved, SetParams};
use syncline_protocol::param::Param;
use tokio::sync::oneshot;

use super::session::{Frames, Session, Waiting, put, tell};
use crate::Error;

impl Session {
    /// Sends the parameters that the live query has got; those of `before` are taken back if the server
    /// refuses them.
    pub(super) fn set_params(
        &mut self,
        subscription: u32,
        before: Vec<(String, Param)>,
        answer: oneshot::Sender<Result<(), Error>>,
        frames: &mut Frames,
    ) {
        let mut all = self.shared.live.lock();
        let Some(live) = all.get_mut(&subscription) else {
            return drop(answer.send(Err(Error::Closed)));
        };
        if !self.subscriptions.contains_key(&subscription) {
            // The server refused it as it was: it is asked anew.
            live.error = None;
            drop(all);
            self.subscribe(subscription, frames);
            return drop(answer.send(Ok(())));
        }
        let params = live.params.clone();
        drop(all);
        let id = self.wait(Waiting::SetParams {
            subscription,
            before,
            answer,
        });
        let request = SetParams {
            id,
            subscription,
            params,
        };
        put(&ClientMessage::SetParams(request), frames);
    }

    /// What became of [`Self::set_params`].
    pub(super) fn params_set(
        &mut self,
        subscription: u32,
        before: Vec<(String, Param)>,
        result: &Result<Vec<u8>, Error>,
    ) {
        if result.is_err()
            && let Some(live) = self.shared.live.lock().get_mut(&subscription)
        {
            live.params = before;
        }
    }

    /// The subscription is of another instance now.
    pub(super) fn moved(&mut self, message: &Moved) -> Result<(), Error> {
        let Moved {
            id,
            handle,
            lsn,
            ops,
        } = message;
        if !self.name_handle(*id, *handle) {
            return Ok(());
        }
        let mut all = self.shared.live.lock();
        let Some(live) = all.get_mut(id) else {
            return Ok(());
        };
        let mut changes = Vec::new();
        live.cache.moved(*lsn, ops, &mut changes)?;
        if !changes.is_empty() {
            tell(live, changes);
        }
        Ok(())
    }

    /// Notes the instance that a subscription is of. False if nobody holds the subscription any more.
    pub(super) fn name_handle(&mut self, subscription: u32, handle: u64) -> bool {
        let Some(known) = self.subscriptions.get_mut(&subscription) else {
            return false;
        };
        let before = known.replace(handle);
        if before == Some(handle) {
            return true;
        }
        if let Some(before) = before {
            self.leave(subscription, before);
        }
        self.handles.entry(handle).or_default().push(subscription);
        true
    }

    /// The subscription is not of this instance any more.
    pub(super) fn leave(&mut self, subscription: u32, handle: u64) {
        if let Some(ids) = self.handles.get_mut(&handle) {
            ids.retain(|id| *id != subscription);
            if ids.is_empty() {
                self.handles.remove(&handle);
            }
        }
    }
}
