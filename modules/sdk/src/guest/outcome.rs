//! What a reducer may return, and how it crosses to the host.

use core::fmt::{Display, Write};

use syncline_protocol::{Type, abi};

use crate::packed::Packed;

/// What a reducer may return: nothing, a value, or a `Result` of either.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a reducer cannot return `{Self}`",
    label = "not a result of a reducer",
    note = "a reducer returns nothing, a Syncline type, or a Result of either with an error that \
            implements Display"
)]
pub trait Outcome {
    /// The type in the schema.
    fn ty() -> Option<Type>;
    /// Appends the outcome to an empty buffer.
    fn write(self, out: &mut Vec<u8>);
}

/// What a lifecycle reducer may return: nothing, or a `Result` of nothing.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a lifecycle reducer cannot return `{Self}`",
    label = "nobody is there to receive it",
    note = "`init`, `connected` and `disconnected` return nothing or Result<(), E>"
)]
pub trait LifecycleOutcome: Outcome {}

impl LifecycleOutcome for () {}

impl<E: Display> LifecycleOutcome for Result<(), E> {}

/// What a successful reducer hands back.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a reducer cannot return a Result of `{Self}`",
    label = "not a Syncline type",
    note = "for a struct or an enum of your own: #[derive(syncline::Type)]"
)]
pub trait Returned {
    fn returned() -> Option<Type>;
    fn put_returned(&self, out: &mut Vec<u8>);
}

impl Returned for () {
    fn returned() -> Option<Type> {
        None
    }

    fn put_returned(&self, _out: &mut Vec<u8>) {}
}

impl<T: Packed> Returned for T {
    fn returned() -> Option<Type> {
        Some(T::ty())
    }

    fn put_returned(&self, out: &mut Vec<u8>) {
        self.put(out);
    }
}

impl Outcome for () {
    fn ty() -> Option<Type> {
        None
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(abi::OUTCOME_OK);
    }
}

impl<T: Packed> Outcome for T {
    fn ty() -> Option<Type> {
        Some(T::ty())
    }

    fn write(self, out: &mut Vec<u8>) {
        out.push(abi::OUTCOME_OK);
        self.put(out);
    }
}

impl<T: Returned, E: Display> Outcome for Result<T, E> {
    fn ty() -> Option<Type> {
        T::returned()
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Ok(value) => {
                out.push(abi::OUTCOME_OK);
                value.put_returned(out);
            }
            Err(error) => put_error(&error, out),
        }
    }
}

/// Replaces what is in the buffer by an error.
pub(super) fn put_error(error: &dyn Display, out: &mut Vec<u8>) {
    /// Bytes as the sink of `write!`.
    struct Sink<'a>(&'a mut Vec<u8>);
    impl Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    out.clear();
    out.push(abi::OUTCOME_ERROR);
    if write!(Sink(out), "{error}").is_err() {
        out.extend_from_slice(b"(the error could not be printed)");
    }
}
