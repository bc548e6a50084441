//! A real server, spoken to over WebSockets.

use syncline_protocol::message::Encoding;

use super::world::World;
use crate::server::TestServer;
use crate::socket::{Event, Socket};

pub(crate) struct SocketWorld<'a> {
    server: Option<TestServer>,
    shared: Option<&'a TestServer>,
    folder: Option<tempfile::TempDir>,
    database: String,
    encoding: Encoding,
    links: Vec<Option<Socket>>,
}

impl<'a> SocketWorld<'a> {
    /// A database of its own on a server that others use as well.
    pub(crate) fn on(server: &'a TestServer, database: &str, encoding: Encoding) -> Self {
        Self {
            server: None,
            shared: Some(server),
            folder: None,
            database: database.to_owned(),
            encoding,
            links: Vec::new(),
        }
    }

    /// A server of its own, whose data is in a folder.
    pub(crate) fn alone(database: &str, encoding: Encoding) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            server: Some(TestServer::on(folder.path())),
            shared: None,
            folder: Some(folder),
            database: database.to_owned(),
            encoding,
            links: Vec::new(),
        }
    }

    fn server(&self) -> &TestServer {
        self.shared.or(self.server.as_ref()).expect("one of both")
    }

    fn link(&mut self, link: usize) -> &mut Socket {
        self.links[link].as_mut().expect("the link is open")
    }
}

impl World for SocketWorld<'_> {
    fn encoding(&self) -> Encoding {
        self.encoding
    }

    fn publish(&mut self, module: &str) {
        self.server().publish(&self.database, module);
    }

    fn admin_token(&self) -> String {
        self.server().server().admin_token().to_owned()
    }

    fn open(&mut self, _: &str, hello: &[u8]) -> usize {
        let mut socket = Socket::open(self.server(), &self.database, self.encoding);
        socket.send(self.encoding, hello);
        self.links.push(Some(socket));
        self.links.len() - 1
    }

    fn send(&mut self, link: usize, message: &[u8]) {
        let encoding = self.encoding;
        self.link(link).send(encoding, message);
    }

    fn send_frame(&mut self, link: usize, text: bool, bytes: &[u8]) {
        if text {
            self.link(link)
                .send_text(core::str::from_utf8(bytes).unwrap());
        } else {
            self.link(link).send_binary(bytes);
        }
    }

    fn receive(&mut self, link: usize) -> Event {
        self.link(link).receive()
    }

    fn close(&mut self, link: usize) {
        self.links[link].take().expect("the link is open").close();
    }

    fn restart(&mut self) {
        self.links.clear();
        self.server
            .take()
            .expect("`needs restart` has a server of its own")
            .shut_down();
        let folder = self.folder.as_ref().expect("and a folder").path();
        self.server = Some(TestServer::on(folder));
    }
}
