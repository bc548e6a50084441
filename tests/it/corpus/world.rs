//! What a script runs in.

use syncline_protocol::message::Encoding;

use crate::socket::Event;

/// A database with links to it: the engine itself, or a server on a socket.
pub(crate) trait World {
    /// How messages travel.
    fn encoding(&self) -> Encoding;

    /// Publishes a module.
    fn publish(&mut self, module: &str);

    /// The token of the admin.
    fn admin_token(&self) -> String;

    /// Opens a link, says Hello on it, and returns its number. `who` is its name in the script.
    fn open(&mut self, who: &str, hello: &[u8]) -> usize;

    /// Sends a message.
    fn send(&mut self, link: usize, message: &[u8]);

    /// Sends a frame as it is.
    fn send_frame(&mut self, link: usize, text: bool, bytes: &[u8]);

    /// The next thing that comes; it must.
    fn receive(&mut self, link: usize) -> Event;

    /// Ends a link, and waits until the database knows.
    fn close(&mut self, link: usize);

    /// Ends everything and starts anew on the same data; all links are gone.
    fn restart(&mut self);

    /// Before each call.
    fn before_call(&mut self) {}
}
