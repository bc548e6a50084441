//! `AFTER (v, ..)` behind ORDER BY: the rows after the one whose order keys have these values. It is ours,
//! so it is cut out of the text before the parser sees it.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan};
use syncline_protocol::ErrorCode;
use syncline_protocol::limits::SQL_DEPTH_MAX;

use super::{expr, position, syntax_error};
use crate::error::QueryError;
use crate::syntax::{Node, OrderItem};

/// The tokens without the clause of the outermost query, and those between its parentheses.
pub(super) fn take(
    mut tokens: Vec<TokenWithSpan>,
) -> Result<(Vec<TokenWithSpan>, Option<Vec<TokenWithSpan>>), QueryError> {
    let mut depth = 0usize;
    let mut start = None;
    for (index, token) in tokens.iter().enumerate() {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && is_after(word) => {
                let mut rest = tokens[index + 1..].iter();
                let next = rest.find(|token| !matches!(token.token, Token::Whitespace(_)));
                if next.is_some_and(|token| token.token == Token::LParen) {
                    start = Some(index);
                    break;
                }
            }
            _ => {}
        }
    }
    let Some(start) = start else {
        return Ok((tokens, None));
    };
    let mut depth = 0usize;
    for index in start + 1..tokens.len() {
        match tokens[index].token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 1 => {
                let mut clause: Vec<_> = tokens.drain(start..=index).collect();
                clause.pop();
                let open = clause.iter().position(|token| token.token == Token::LParen);
                return Ok((
                    tokens,
                    Some(clause.split_off(open.map_or(0, |open| open + 1))),
                ));
            }
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let message = "the parenthesis after AFTER is not closed";
    let at = position(tokens[start].span.start);
    Err(QueryError::new(ErrorCode::SqlSyntax, message).at(at))
}

fn is_after(word: &sqlparser::tokenizer::Word) -> bool {
    word.quote_style.is_none() && word.value.eq_ignore_ascii_case("after")
}

/// The values, one for each key of the order.
pub(super) fn parse(
    tokens: Vec<TokenWithSpan>,
    order: &[OrderItem],
) -> Result<Vec<Node>, QueryError> {
    let at = tokens.first().map(|token| position(token.span.start));
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(SQL_DEPTH_MAX)
        .with_tokens_with_locations(tokens);
    let values = parser.parse_comma_separated(Parser::parse_expr);
    let values = values.map_err(syntax_error)?;
    let next = parser.peek_token();
    let error = |message: String| {
        let error = QueryError::new(ErrorCode::SqlSyntax, message);
        at.map_or(error.clone(), |at| error.at(at))
    };
    if next.token != Token::EOF {
        return Err(error(format!(
            "expected a comma in AFTER, found {}",
            next.token
        )));
    }
    if values.len() != order.len() {
        let (given, keys) = (values.len(), order.len());
        return Err(error(format!(
            "AFTER has {given} values and ORDER BY has {keys} keys"
        ))
        .hint("ORDER BY ts, id AFTER (:ts, :id)"));
    }
    let values = values.into_iter();
    values.map(|value| expr::convert_at(value, 0)).collect()
}
