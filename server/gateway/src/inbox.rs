//! Commands that wait for the engine.

use std::collections::VecDeque;

use syncline_engine::Command;
use syncline_protocol::limits::INBOX_COMMANDS_MAX;

/// Bytes of the messages that wait: a thousand calls with arguments of megabytes are too many.
const INBOX_BYTES_MAX: usize = 64 << 20;

/// Commands in order, bounded in number and in bytes: whoever fills it asks [`Inbox::has_room`] first.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    commands: VecDeque<Command>,
    /// Bytes of the message that each command came from.
    sizes: VecDeque<u32>,
    bytes: usize,
}

impl Inbox {
    pub(crate) fn push(&mut self, command: Command, bytes: usize) {
        let size = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.commands.push_back(command);
        self.sizes.push_back(size);
        self.bytes += size as usize;
    }

    /// Lets `take` take commands off the front.
    pub(crate) fn drain_with(&mut self, take: impl FnOnce(&mut VecDeque<Command>)) {
        take(&mut self.commands);
        while self.sizes.len() > self.commands.len() {
            self.bytes -= self.sizes.pop_front().map_or(0, |size| size as usize);
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.commands.len() < INBOX_COMMANDS_MAX && self.bytes < INBOX_BYTES_MAX
    }

    /// Requests over HTTP come from a queue with a bound of its own. They get their turn even if
    /// connections keep the inbox full.
    pub(crate) fn has_room_for_requests(&self) -> bool {
        self.commands.len() < 2 * INBOX_COMMANDS_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.commands.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

#[cfg(test)]
mod tests;
