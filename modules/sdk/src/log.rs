//! Lines in the module's log: `log::info!("{} joined", name)`.
//!
//! `syncline logs` shows them. A line of a transaction that is rolled back is kept: it often says why.
//! The number of lines a call may write and their length are limited (`syncline_protocol::limits`).

use core::fmt;

pub use crate::level::Level;

/// Writes a line. The macros of this module are the short way.
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    let text;
    let line = if let Some(line) = line.as_str() {
        line
    } else {
        text = line.to_string();
        &text
    };
    crate::guest::host::log(level as u32, line);
}

/// Writes a line of [`Level::Error`](crate::log::Level::Error); arguments like `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($line)+)) };
}

/// Writes a line of [`Level::Warn`](crate::log::Level::Warn); arguments like `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($line)+)) };
}

/// Writes a line of [`Level::Info`](crate::log::Level::Info); arguments like `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($line)+)) };
}

/// Writes a line of [`Level::Debug`](crate::log::Level::Debug); arguments like `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($line)+)) };
}

/// Writes a line of [`Level::Trace`](crate::log::Level::Trace); arguments like `format!`.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($line:tt)+) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($line)+)) };
}

#[doc(inline)]
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace,
    __log_warn as warn,
};
