//! Functions of values. All but `concat` are NULL if an argument is.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::json::{self, Look};
use super::number::{self, Whole};
use super::{Expr, Function, Input, text};
use crate::scalar::{Scalar, failed, or_failed};

fn int<'a>(value: usize) -> Scalar<'a> {
    Scalar::Int(value as i128)
}

pub(super) fn call<'a>(function: Function, args: &'a [Expr], input: &Input<'a>) -> Scalar<'a> {
    let mut values = args.iter().map(|arg| arg.eval(input));
    if function == Function::Concat {
        return or_failed(text::concat_all(values));
    }
    // Places and counts beyond every text.
    let far = |value| match value {
        Scalar::Huge(_) => Scalar::Int(i128::MAX),
        other => other,
    };
    let Some(first) = values.next() else {
        return Scalar::Null;
    };
    if first == Scalar::Null {
        return Scalar::Null;
    }
    match function {
        Function::Abs(class) => number::abs(class, &first),
        Function::Sign => number::sign(&first),
        Function::Floor => number::whole(&first, Whole::Down),
        Function::Ceiling => number::whole(&first, Whole::Up),
        Function::Truncate => number::whole(&first, Whole::ToZero),
        Function::SquareRoot => number::square_root(&first),
        Function::Round(class) => match values.next().map(far) {
            None => number::round(class, &first, 0),
            Some(Scalar::Int(places)) => number::round(class, &first, places),
            Some(_) => Scalar::Null,
        },
        Function::Power(class) => match values.next() {
            Some(exponent) => number::power(class, &first, &exponent),
            None => Scalar::Null,
        },
        Function::Greatest => extreme(first, values, Ordering::Greater),
        Function::Least => extreme(first, values, Ordering::Less),
        _ => match first {
            Scalar::Bytes(bytes) => of_bytes(function, bytes, values.map(far)),
            _ => Scalar::Null,
        },
    }
}

fn extreme<'a>(
    first: Scalar<'a>,
    others: impl Iterator<Item = Scalar<'a>>,
    wanted: Ordering,
) -> Scalar<'a> {
    let mut best = first;
    for other in others {
        match other.compare(&best) {
            None => return Scalar::Null,
            Some(order) if order == wanted => best = other,
            Some(_) => {}
        }
    }
    best
}

/// A function whose first argument is text, bytes or JSON.
fn of_bytes<'a>(
    function: Function,
    bytes: Cow<'a, [u8]>,
    mut others: impl Iterator<Item = Scalar<'a>>,
) -> Scalar<'a> {
    match function {
        Function::Lower => return text::change_case(&bytes, str::to_lowercase),
        Function::Upper => return text::change_case(&bytes, str::to_uppercase),
        Function::CharCount => return int(text::char_count(&bytes)),
        Function::ByteCount => return int(bytes.len()),
        Function::Reverse => return text::reverse(&bytes),
        Function::JsonText => return json::look_into(bytes, Look::Text),
        Function::JsonType => {
            let name = json::type_name(&bytes).unwrap_or_default();
            return Scalar::Bytes(Cow::Borrowed(name.as_bytes()));
        }
        Function::JsonLength => return json::length(&bytes).map_or(Scalar::Null, Scalar::Int),
        _ => {}
    }
    let second = match (others.next(), function) {
        (None, Function::Trim { start, end }) => return text::trim(bytes, b" ", start, end),
        (None | Some(Scalar::Null), _) => return Scalar::Null,
        (Some(second), _) => second,
    };
    match (function, second, others.next()) {
        (Function::StartsWith, Scalar::Bytes(part), _) => Scalar::Bool(bytes.starts_with(&part)),
        (Function::EndsWith, Scalar::Bytes(part), _) => Scalar::Bool(bytes.ends_with(&part)),
        (Function::Position, Scalar::Bytes(part), _) => int(text::position(&bytes, &part)),
        (Function::Trim { start, end }, Scalar::Bytes(set), _) => {
            text::trim(bytes, &set, start, end)
        }
        (Function::Replace, Scalar::Bytes(from), Some(Scalar::Bytes(to))) => {
            or_failed(text::replace(&bytes, &from, &to))
        }
        (Function::Substring, Scalar::Int(start), None) => text::substring(bytes, start, i128::MAX),
        (Function::Substring, Scalar::Int(_), Some(Scalar::Int(count))) if count < 0 => failed(),
        (Function::Substring, Scalar::Int(start), Some(Scalar::Int(count))) => {
            text::substring(bytes, start, count)
        }
        (Function::Left, Scalar::Int(count), _) => text::left(bytes, count),
        (Function::Right, Scalar::Int(count), _) => text::right(bytes, count),
        (Function::JsonMember, Scalar::Bytes(name), _) => match std::str::from_utf8(&name) {
            Ok(name) => json::look_into(bytes, Look::Member(name)),
            Err(_) => Scalar::Null,
        },
        (Function::JsonItem, Scalar::Int(place), _) => match i64::try_from(place) {
            Ok(place) => json::look_into(bytes, Look::Item(place)),
            Err(_) => Scalar::Null,
        },
        _ => Scalar::Null,
    }
}
