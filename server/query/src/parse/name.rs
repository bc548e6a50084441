//! Names of tables, columns and functions.

use sqlparser::ast;

use super::{position, unsupported};
use crate::error::QueryError;
use crate::syntax::{Name, Position};

/// A name of one part: there are no schemas.
pub(super) fn convert_name(name: ast::ObjectName, at: Position) -> Result<Name, QueryError> {
    let mut parts = name.0;
    match (parts.pop(), parts.is_empty()) {
        (Some(ast::ObjectNamePart::Identifier(ident)), true) => Ok(convert_ident(ident)),
        _ => Err(unsupported("a name of several parts", at)
            .hint("a query sees one database: write the table's name alone")),
    }
}

pub(super) fn convert_ident(ident: ast::Ident) -> Name {
    Name {
        at: position(ident.span.start),
        quoted: ident.quote_style.is_some(),
        text: ident.value,
    }
}
