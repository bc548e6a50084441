//! Example module bank.
