//! Sockets, HTTP, auth and metrics around the engine; the library one embeds.
