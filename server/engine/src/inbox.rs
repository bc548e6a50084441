//! Commands that wait for an engine: a queue for each connection, and an order of turns among them.

use std::collections::VecDeque;

use syncline_protocol::limits::{
    CONNECTION_COMMAND_BYTES_MAX, CONNECTION_COMMANDS_MAX, DEFERRED_BYTES_MAX,
    DEFERRED_COMMANDS_MAX, INBOX_BYTES_MAX, INBOX_COMMANDS_MAX,
};

use crate::command::{Command, ConnKey, Origin};

/// Commands that a connection has in one turn.
const TURN_COMMANDS_MAX: u32 = 16;
/// Commands that an empty inbox keeps the memory of.
const KEPT_COMMANDS_MAX: usize = 4096;
/// Where a list ends.
const NONE: u32 = u32::MAX;

/// Requests of admins without a connection. They can repair what others break, so they do not wait for them.
const ADMIN_FLOW: u32 = 0;
/// Other requests without a connection.
const REQUEST_FLOW: u32 = 1;
/// Deferred requests without a connection: they have no order among themselves that had to be kept.
const DEFERRED_FLOW: u32 = 2;
/// The flow of connection 0; the others follow.
const FIRST_CONNECTION_FLOW: u32 = 3;

/// Commands, bounded in number and in bytes: whoever fills it asks [`Inbox::has_room`] first.
///
/// Commands of a connection (or of all that takes its place in the gateway) keep their order; between
/// connections there is none but turns, so one that asks for much does not make the others wait for all
/// of it. The engine can defer a connection: it then waits, with everything that it has asked for, until
/// the others have nothing to do.
#[derive(Debug)]
pub struct Inbox {
    nodes: Vec<Node>,
    /// First of the unused nodes.
    free: u32,
    flows: Vec<Flow>,
    /// Flows with commands, the one whose turn it is first.
    ready: VecDeque<u32>,
    /// Commands that it has had in this turn.
    turn: u32,
    deferred: VecDeque<Deferred>,
    len: usize,
    bytes: usize,
    deferred_len: usize,
    deferred_bytes: usize,
}

#[derive(Debug)]
struct Node {
    command: Option<Command>,
    /// Of the message that it came from.
    bytes: u32,
    next: u32,
}

/// Commands that keep their order: a list of nodes.
#[derive(Clone, Copy, Debug)]
struct Flow {
    head: u32,
    tail: u32,
    len: u32,
    bytes: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Idle,
    Ready,
    Deferred,
}

/// A flow that waits for the others.
#[derive(Clone, Copy, Debug)]
struct Deferred {
    flow: u32,
    wait: Patience,
}

/// How long a deferred flow lets the others go first, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// It waits until this tick if they always have something to do.
    pub(crate) due: u64,
    /// Otherwise until they have had nothing to do for so long.
    pub(crate) quiet: u64,
}

/// What the next step of an engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// There is something to do now.
    Nothing,
    /// A command.
    Command,
    /// The log: it rings when the durable Lsn has moved.
    Disk,
    /// This tick, or another command.
    Tick(u64),
}

impl Flow {
    const IDLE: Self = Self {
        head: NONE,
        tail: NONE,
        len: 0,
        bytes: 0,
        place: Place::Idle,
    };
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            free: NONE,
            flows: vec![Flow::IDLE; FIRST_CONNECTION_FLOW as usize],
            ready: VecDeque::new(),
            turn: 0,
            deferred: VecDeque::new(),
            len: 0,
            bytes: 0,
            deferred_len: 0,
            deferred_bytes: 0,
        }
    }
}

impl Inbox {
    /// Adds a command that came in a message of so many bytes.
    pub fn push(&mut self, command: Command, bytes: usize) {
        let flow = flow_of(&command);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let node = self.node(command, bytes);
        if self.flows.len() <= flow as usize {
            self.flows.resize(flow as usize + 1, Flow::IDLE);
        }
        self.len += 1;
        self.bytes += bytes as usize;
        self.link(flow, node);
        if self.flows[flow as usize].place == Place::Idle {
            self.flows[flow as usize].place = Place::Ready;
            self.ready.push_back(flow);
        }
    }

    /// Commands that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// No commands wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether there is room for more from connections.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.len < INBOX_COMMANDS_MAX && self.bytes < INBOX_BYTES_MAX
    }

    /// Whether there is room for more from this connection: one alone cannot fill the inbox.
    #[must_use]
    pub fn has_room_for(&self, conn: ConnKey) -> bool {
        let flow = self.flows.get(connection_flow(conn) as usize);
        self.has_room()
            && flow.is_none_or(|flow| {
                (flow.len as usize) < CONNECTION_COMMANDS_MAX
                    && flow.bytes < CONNECTION_COMMAND_BYTES_MAX
            })
    }

    /// Whether there is room for more requests without a connection. They come from a queue with a bound
    /// of its own, and get their turn even if connections keep the inbox full.
    #[must_use]
    pub fn has_room_for_requests(&self) -> bool {
        self.len < 2 * INBOX_COMMANDS_MAX
    }

    /// Something waits that is not deferred.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next command that is not deferred.
    pub(crate) fn front(&self) -> Option<&Command> {
        self.head(*self.ready.front()?)
    }

    /// Takes the next command that is not deferred.
    pub(crate) fn pop(&mut self) -> Option<Command> {
        let flow = *self.ready.front()?;
        let node = self.unlink(flow);
        self.turn += 1;
        if self.flows[flow as usize].len == 0 {
            self.leave_ready();
            self.flows[flow as usize].place = Place::Idle;
        } else if self.turn >= TURN_COMMANDS_MAX {
            self.end_turn();
        }
        Some(self.take(node))
    }

    /// The turn of whoever has it is over, because it took long.
    pub(crate) fn end_turn(&mut self) {
        self.turn = 0;
        if self.ready.len() > 1 {
            self.ready.rotate_left(1);
        }
    }

    /// Defers the next command with all that must stay behind it.
    pub(crate) fn defer(&mut self, wait: Patience) {
        let Some(&flow) = self.ready.front() else {
            return;
        };
        if flow >= DEFERRED_FLOW {
            self.leave_ready();
            return self.enter_deferred(flow, wait);
        }
        let node = self.unlink(flow);
        if self.flows[flow as usize].len == 0 {
            self.leave_ready();
            self.flows[flow as usize].place = Place::Idle;
        }
        self.link(DEFERRED_FLOW, node);
        if self.flows[DEFERRED_FLOW as usize].place == Place::Idle {
            self.enter_deferred(DEFERRED_FLOW, wait);
        }
    }

    /// How long the deferred flow that is next waits.
    pub(crate) fn deferred_wait(&self) -> Option<Patience> {
        Some(self.deferred.front()?.wait)
    }

    /// The next deferred command.
    pub(crate) fn deferred_front(&self) -> Option<&Command> {
        self.head(self.deferred.front()?.flow)
    }

    /// Takes the next deferred command; what is behind it waits anew.
    pub(crate) fn pop_deferred(&mut self, wait: Patience) -> Option<Command> {
        let Deferred { flow, .. } = self.deferred.pop_front()?;
        let node = self.unlink(flow);
        if self.flows[flow as usize].len == 0 {
            self.flows[flow as usize].place = Place::Idle;
        } else {
            self.deferred.push_back(Deferred { flow, wait });
        }
        Some(self.take(node))
    }

    /// The deferred flow that is next waits no longer than others.
    pub(crate) fn recall_deferred(&mut self) {
        if let Some(Deferred { flow, .. }) = self.deferred.pop_front() {
            let flow_state = &mut self.flows[flow as usize];
            self.deferred_len -= flow_state.len as usize;
            self.deferred_bytes -= flow_state.bytes;
            flow_state.place = Place::Ready;
            self.ready.push_back(flow);
        }
    }

    /// More is deferred than may be.
    pub(crate) fn is_deferred_full(&self) -> bool {
        self.deferred_len > DEFERRED_COMMANDS_MAX || self.deferred_bytes > DEFERRED_BYTES_MAX
    }

    /// Makes the flow that was deferred last the next one.
    pub(crate) fn bring_newest_deferred_forward(&mut self) {
        if self.deferred.len() > 1 {
            self.deferred.rotate_right(1);
        }
    }

    fn enter_deferred(&mut self, flow: u32, wait: Patience) {
        let flow_state = &mut self.flows[flow as usize];
        flow_state.place = Place::Deferred;
        self.deferred_len += flow_state.len as usize;
        self.deferred_bytes += flow_state.bytes;
        self.deferred.push_back(Deferred { flow, wait });
    }

    fn leave_ready(&mut self) {
        self.ready.pop_front();
        self.turn = 0;
    }

    fn head(&self, flow: u32) -> Option<&Command> {
        let head = self.flows[flow as usize].head;
        self.nodes.get(head as usize)?.command.as_ref()
    }

    /// A node with this command, on no list.
    fn node(&mut self, command: Command, bytes: u32) -> u32 {
        let node = Node {
            command: Some(command),
            bytes,
            next: NONE,
        };
        let index = self.free;
        if index == NONE {
            self.nodes.push(node);
            return (self.nodes.len() - 1) as u32;
        }
        self.free = self.nodes[index as usize].next;
        self.nodes[index as usize] = node;
        index
    }

    /// Ends the node and gives its command out.
    fn take(&mut self, index: u32) -> Command {
        let node = &mut self.nodes[index as usize];
        let command = node.command.take().expect("nodes on a list have a command");
        self.len -= 1;
        self.bytes -= node.bytes as usize;
        node.next = self.free;
        self.free = index;
        if self.len == 0 && self.nodes.len() > KEPT_COMMANDS_MAX {
            self.nodes = Vec::new();
            self.free = NONE;
        }
        command
    }

    fn link(&mut self, flow: u32, node: u32) {
        let bytes = self.nodes[node as usize].bytes as usize;
        let flow = &mut self.flows[flow as usize];
        if flow.len == 0 {
            flow.head = node;
        } else {
            self.nodes[flow.tail as usize].next = node;
        }
        flow.tail = node;
        flow.len += 1;
        flow.bytes += bytes;
        if flow.place == Place::Deferred {
            self.deferred_len += 1;
            self.deferred_bytes += bytes;
        }
    }

    fn unlink(&mut self, flow: u32) -> u32 {
        let flow = &mut self.flows[flow as usize];
        assert!(flow.len > 0, "a flow that waits has a command");
        let index = flow.head;
        let node = &mut self.nodes[index as usize];
        let bytes = node.bytes as usize;
        flow.head = std::mem::replace(&mut node.next, NONE);
        flow.len -= 1;
        flow.bytes -= bytes;
        if flow.place == Place::Deferred {
            self.deferred_len -= 1;
            self.deferred_bytes -= bytes;
        }
        index
    }
}

impl Extend<Command> for Inbox {
    fn extend<T: IntoIterator<Item = Command>>(&mut self, commands: T) {
        for command in commands {
            self.push(command, 0);
        }
    }
}

impl FromIterator<Command> for Inbox {
    fn from_iter<T: IntoIterator<Item = Command>>(commands: T) -> Self {
        let mut inbox = Self::default();
        inbox.extend(commands);
        inbox
    }
}

/// Connections that use the same index one after the other have the same flow, so the end of one comes
/// before the beginning of the next.
fn connection_flow(conn: ConnKey) -> u32 {
    conn.index.saturating_add(FIRST_CONNECTION_FLOW)
}

fn flow_of(command: &Command) -> u32 {
    match command {
        Command::Connect(connect) => connection_flow(connect.conn),
        Command::Call { origin, .. } | Command::Query { origin, .. } => match origin {
            Origin::Connection { conn, .. } => connection_flow(*conn),
            Origin::Ticket { admin: true, .. } => ADMIN_FLOW,
            Origin::Ticket { .. } => REQUEST_FLOW,
        },
        Command::Disconnect(conn)
        | Command::Subscribe { conn, .. }
        | Command::Unsubscribe { conn, .. }
        | Command::SetParams { conn, .. }
        | Command::Ping { conn, .. }
        | Command::Reply { conn, .. } => connection_flow(*conn),
        Command::Publish(_) | Command::Import(_) | Command::DurableAdvanced => ADMIN_FLOW,
        Command::Inspect { .. } => REQUEST_FLOW,
    }
}

#[cfg(test)]
mod tests;
