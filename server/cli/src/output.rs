//! What commands print.

use std::fmt::Display;
use std::io::Write;

use crate::failure::Failure;

/// Prints a line to stdout at once, whoever reads it.
pub(crate) fn line(text: &dyn Display) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}
