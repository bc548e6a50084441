//! The connections of a database and what each of them subscribes to.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::message::{Delivery, Encoding};
use syncline_protocol::{Claims, ConnectionId, Identity};

use crate::command::ConnKey;
use crate::live::asked::Asked;
use crate::live::quotas::Charge;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: ConnKey,
    pub(crate) id: ConnectionId,
    pub(crate) identity: Identity,
    pub(crate) admin: bool,
    pub(crate) claims: Claims,
    pub(crate) encoding: Encoding,
    pub(crate) delivery: Delivery,
    pub(crate) subscriptions: Vec<Subscription>,
}

/// A subscription of a connection.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The client's id of it.
    pub(crate) id: u32,
    /// The instance.
    pub(crate) handle: u64,
    pub(crate) asked: Asked,
    /// What it costs its identity.
    pub(crate) charge: Charge,
}

impl Connection {
    /// Whether a subscription of it is one of this instance.
    pub(crate) fn is_subscribed(&self, handle: u64) -> bool {
        self.subscriptions
            .iter()
            .any(|known| known.handle == handle)
    }
}

/// All connections, by index.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: Vec<Option<Box<Connection>>>,
    count: usize,
}

impl Connections {
    pub(crate) fn insert(&mut self, connection: Connection) {
        let index = connection.key.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        debug_assert!(
            self.slots[index].is_none(),
            "gateway frees an index before it reuses it"
        );
        self.count += usize::from(self.slots[index].is_none());
        self.slots[index] = Some(Box::new(connection));
    }

    pub(crate) fn get(&self, key: ConnKey) -> Option<&Connection> {
        let connection = self.slots.get(key.index as usize)?.as_deref()?;
        (connection.key == key).then_some(connection)
    }

    pub(crate) fn get_mut(&mut self, key: ConnKey) -> Option<&mut Connection> {
        let connection = self.slots.get_mut(key.index as usize)?.as_deref_mut()?;
        (connection.key == key).then_some(connection)
    }

    pub(crate) fn remove(&mut self, key: ConnKey) -> Option<Box<Connection>> {
        self.get(key)?;
        self.count -= 1;
        self.slots[key.index as usize].take()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().flatten().map(|connection| &**connection)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

/// A subscriber of an instance: what fan-out must know of a connection, side by side in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscriber {
    pub(crate) conn: ConnKey,
    pub(crate) encoding: Encoding,
    pub(crate) delivery: Delivery,
    /// How many subscriptions of the connection share the instance.
    count: u32,
}

/// Who subscribes to which instance.
#[derive(Debug)]
pub(crate) struct Subscribers {
    by_handle: HashMap<u64, Receivers, FixedState>,
}

/// Subscribers of an instance, in no order.
#[derive(Debug, Default)]
struct Receivers {
    list: Vec<Subscriber>,
    /// Where each connection is in the list, once that is too long to look through: those who leave an
    /// instance of a hundred thousand must not take the square of it.
    positions: Option<Box<HashMap<ConnKey, u32, FixedState>>>,
}

/// Subscribers that are looked through one by one.
const SEARCHED_MAX: usize = 32;

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            by_handle: HashMap::with_hasher(FixedState::default()),
        }
    }
}

impl Subscribers {
    pub(crate) fn of(&self, handle: u64) -> &[Subscriber] {
        self.by_handle
            .get(&handle)
            .map_or(&[], |receivers| &receivers.list)
    }

    /// `shared`: the connection has another subscription to this instance already.
    pub(crate) fn add(&mut self, handle: u64, connection: &Connection, shared: bool) {
        let receivers = self.by_handle.entry(handle).or_default();
        if shared {
            let at = receivers.position(connection.key);
            let at = at.expect("a shared instance has its connection in the list");
            receivers.list[at].count += 1;
        } else {
            receivers.push(Subscriber {
                conn: connection.key,
                encoding: connection.encoding,
                delivery: connection.delivery,
                count: 1,
            });
        }
    }

    pub(crate) fn remove(&mut self, handle: u64, conn: ConnKey) {
        let Some(receivers) = self.by_handle.get_mut(&handle) else {
            return;
        };
        let Some(at) = receivers.position(conn) else {
            return;
        };
        receivers.list[at].count -= 1;
        if receivers.list[at].count == 0 {
            receivers.remove(at);
            if receivers.list.is_empty() {
                self.by_handle.remove(&handle);
            }
        }
    }
}

impl Receivers {
    fn position(&self, conn: ConnKey) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(&conn).map(|at| *at as usize),
            None => self.list.iter().position(|known| known.conn == conn),
        }
    }

    fn push(&mut self, subscriber: Subscriber) {
        self.list.push(subscriber);
        if let Some(positions) = &mut self.positions {
            positions.insert(subscriber.conn, (self.list.len() - 1) as u32);
        } else if self.list.len() > SEARCHED_MAX {
            let all = self.list.iter().zip(0..);
            self.positions = Some(Box::new(all.map(|(known, at)| (known.conn, at)).collect()));
        }
    }

    /// Takes one out; the last takes its place.
    fn remove(&mut self, at: usize) {
        let gone = self.list.swap_remove(at);
        if let Some(positions) = &mut self.positions {
            positions.remove(&gone.conn);
            if let Some(moved) = self.list.get(at) {
                positions.insert(moved.conn, at as u32);
            }
        }
        // Half of what made the positions, so that one who comes and goes does not make them each time.
        if self.list.len() <= SEARCHED_MAX / 2 {
            self.positions = None;
        }
        let (len, capacity) = (self.list.len(), self.list.capacity());
        if capacity > 64 && len < capacity / 4 {
            self.list.shrink_to(len * 2);
            if let Some(positions) = &mut self.positions {
                positions.shrink_to(len * 2);
            }
        }
    }
}

#[cfg(test)]
mod tests;
