//! SQL text to [`crate::syntax`]. The parser's own tree never leaves this module: it changes with
//! every release of the parser, and whatever of it we do not know is refused here by name.

mod after;
mod call;
mod expr;
mod from;
mod name;
mod query;
mod start;
#[cfg(test)]
mod tests;
mod types;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::{SQL_BYTES_MAX, SQL_DEPTH_MAX};

use crate::error::QueryError;
use crate::syntax::{Node, Position, Query};

static DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

/// Words, numbers and signs of a query. Bounds how deep a chain of operators can become.
const TOKENS_MAX: usize = 4096;
/// SELECTs in one text: nested ones take the most of the parser's stack.
pub(crate) const SELECTS_MAX: usize = 16;

/// Reads one query.
pub(crate) fn parse(sql: &str) -> Result<Query, QueryError> {
    let tokens = tokens(sql)?;
    check_verb(tokens.iter().find(|token| is_solid(token)))?;
    let (tokens, after) = after::take(tokens)?;
    let mut parser = parser(tokens);
    let query = parser.parse_query().map_err(syntax_error)?;
    while parser.consume_token(&Token::SemiColon) {}
    expect_end(&parser, "the query")?;
    let mut query = query::convert(*query, 0)?;
    if let Some(tokens) = after {
        query.after = after::parse(tokens, &query.order)?;
    }
    Ok(query)
}

/// Reads a condition by itself, that of a policy.
pub(crate) fn parse_condition(sql: &str) -> Result<Node, QueryError> {
    let mut parser = parser(tokens(sql)?);
    let condition = parser.parse_expr().map_err(syntax_error)?;
    expect_end(&parser, "the condition")?;
    expr::convert_at(condition, 0)
}

/// The words and signs of a text, not too many.
fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, QueryError> {
    if sql.len() > SQL_BYTES_MAX {
        let message = format!("the query has {} bytes, over {SQL_BYTES_MAX}", sql.len());
        return Err(QueryError::new(ErrorCode::QueryLimit, message));
    }
    let tokens = Tokenizer::new(&DIALECT, sql)
        .tokenize_with_location()
        .map_err(|error| {
            let message = lower_first(&error.message);
            QueryError::new(ErrorCode::SqlSyntax, message).at(position(error.location))
        })?;
    if tokens.iter().filter(|token| is_solid(token)).count() > TOKENS_MAX {
        let message = format!("the query has over {TOKENS_MAX} words and signs");
        return Err(QueryError::new(ErrorCode::QueryLimit, message)
            .hint("give a long IN list as one list parameter: x IN (:list)"));
    }
    let is_select = |token: &&TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::SELECT);
    if tokens.iter().filter(is_select).count() > SELECTS_MAX {
        let message = format!("the query has over {SELECTS_MAX} SELECTs");
        return Err(QueryError::new(ErrorCode::QueryLimit, message));
    }
    Ok(tokens)
}

fn is_solid(token: &TokenWithSpan) -> bool {
    !matches!(token.token, Token::Whitespace(_))
}

fn parser(tokens: Vec<TokenWithSpan>) -> Parser<'static> {
    Parser::new(&DIALECT)
        .with_recursion_limit(SQL_DEPTH_MAX)
        .with_tokens_with_locations(tokens)
}

fn expect_end(parser: &Parser<'_>, what: &str) -> Result<(), QueryError> {
    let next = parser.peek_token();
    if next.token == Token::EOF {
        return Ok(());
    }
    let message = format!("expected the end of {what}, found {}", next.token);
    Err(QueryError::new(ErrorCode::SqlSyntax, message).at(position(next.span.start)))
}

/// The first word tells what someone wants; only reading is done with SQL.
fn check_verb(first: Option<&TokenWithSpan>) -> Result<(), QueryError> {
    let Some(first) = first else {
        return Err(QueryError::new(ErrorCode::SqlSyntax, "the query is empty"));
    };
    let at = position(first.span.start);
    match &first.token {
        Token::Word(word) => match word.keyword {
            Keyword::SELECT | Keyword::WITH | Keyword::VALUES | Keyword::FROM | Keyword::TABLE => {
                Ok(())
            }
            Keyword::INSERT
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::MERGE
            | Keyword::REPLACE
            | Keyword::TRUNCATE => Err(unsupported(&word.value.to_uppercase(), at)
                .hint("data is changed by reducers: call one")),
            Keyword::CREATE | Keyword::ALTER | Keyword::DROP => {
                Err(unsupported(&word.value.to_uppercase(), at)
                    .hint("tables and indexes are declared in the module: publish it"))
            }
            Keyword::EXPLAIN => Err(unsupported("EXPLAIN", at)
                .hint("it is asked by itself, once, of the database as it is now")),
            Keyword::SHOW | Keyword::SET | Keyword::BEGIN | Keyword::COMMIT | Keyword::ROLLBACK => {
                Err(unsupported(&word.value.to_uppercase(), at))
            }
            _ => {
                let message = format!("expected SELECT, found {}", word.value);
                Err(QueryError::new(ErrorCode::SqlSyntax, message).at(at))
            }
        },
        Token::LParen => Ok(()),
        other => {
            let message = format!("expected SELECT, found {other}");
            Err(QueryError::new(ErrorCode::SqlSyntax, message).at(at))
        }
    }
}

/// A feature that is refused in every query.
fn unsupported(feature: &str, at: Position) -> QueryError {
    QueryError::new(
        ErrorCode::SqlUnsupported,
        format!("{feature} is not supported"),
    )
    .at(at)
}

fn position(location: Location) -> Position {
    Position {
        line: location.line as u32,
        column: location.column as u32,
    }
}

fn too_deep() -> QueryError {
    let message = format!("the query nests deeper than {SQL_DEPTH_MAX} levels");
    QueryError::new(ErrorCode::QueryLimit, message)
}

/// The parser's errors end with ` at Line: 1, Column: 8`.
fn syntax_error(error: ParserError) -> QueryError {
    let text = match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        ParserError::RecursionLimitExceeded => return too_deep(),
    };
    let (message, place) = text.rsplit_once(" at Line: ").unwrap_or((&text, ""));
    let message = lower_first(&message.replace("Expected: ", "expected "));
    let error = QueryError::new(ErrorCode::SqlSyntax, message.replace("found: ", "found "));
    let place = place.split_once(", Column: ");
    match place.and_then(|(line, column)| Some((line.parse().ok()?, column.parse().ok()?))) {
        Some((line, column)) => error.at(Position { line, column }),
        None => error,
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
