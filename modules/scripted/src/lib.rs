//! Example module scripted.
