//! The connections of a database and what each of them subscribes to.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::message::{Delivery, Encoding};
use syncline_protocol::{ConnectionId, Identity};

use crate::command::ConnKey;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) key: ConnKey,
    pub(crate) id: ConnectionId,
    pub(crate) identity: Identity,
    pub(crate) admin: bool,
    pub(crate) encoding: Encoding,
    pub(crate) delivery: Delivery,
    /// Its subscriptions: the client's id and the handle of the instance.
    pub(crate) subscriptions: Vec<(u32, u64)>,
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
    by_handle: HashMap<u64, Vec<Subscriber>, FixedState>,
}

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            by_handle: HashMap::with_hasher(FixedState::default()),
        }
    }
}

impl Subscribers {
    pub(crate) fn of(&self, handle: u64) -> &[Subscriber] {
        self.by_handle.get(&handle).map_or(&[], Vec::as_slice)
    }

    /// `shared`: the connection has another subscription to this instance already.
    pub(crate) fn add(&mut self, handle: u64, connection: &Connection, shared: bool) {
        let list = self.by_handle.entry(handle).or_default();
        if shared {
            let subscriber = list
                .iter_mut()
                .find(|subscriber| subscriber.conn == connection.key);
            subscriber
                .expect("a shared instance has its connection in the list")
                .count += 1;
        } else {
            list.push(Subscriber {
                conn: connection.key,
                encoding: connection.encoding,
                delivery: connection.delivery,
                count: 1,
            });
        }
    }

    pub(crate) fn remove(&mut self, handle: u64, conn: ConnKey) {
        let Some(list) = self.by_handle.get_mut(&handle) else {
            return;
        };
        let Some(at) = list.iter().position(|subscriber| subscriber.conn == conn) else {
            return;
        };
        list[at].count -= 1;
        if list[at].count == 0 {
            list.swap_remove(at);
            if list.is_empty() {
                self.by_handle.remove(&handle);
            } else if list.capacity() > 64 && list.len() < list.capacity() / 4 {
                list.shrink_to(list.len() * 2);
            }
        }
    }
}
