//! Modules written by hand, good ones and hostile ones.
