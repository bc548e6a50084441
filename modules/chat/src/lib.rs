//! Example module chat.
