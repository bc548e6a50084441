//! What functions, operators and casts there are, as the plan has them: types are decided.

use crate::scalar::Kind;

/// In what arithmetic is done: each holds the values of those before it, a float but nearly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum NumberClass {
    Int64,
    Int128,
    Decimal,
    Float,
}

/// Functions of values; aggregates are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Function {
    Lower,
    Upper,
    /// Characters of a text.
    CharCount,
    /// Bytes of a byte string or a text.
    ByteCount,
    StartsWith,
    EndsWith,
    /// Text, place of the first character from 1, and how many.
    Substring,
    /// The first characters; all but the last ones if the number is below zero.
    Left,
    /// The last characters; all but the first ones if the number is below zero.
    Right,
    /// A text without some characters, blanks by default, at its beginning, its end or both.
    Trim {
        start: bool,
        end: bool,
    },
    Replace,
    /// All texts, one behind the other; NULL is none.
    Concat,
    /// Where a text stands in another one, from 1; 0 if nowhere.
    Position,
    Reverse,
    Abs(NumberClass),
    Sign,
    /// To a number of digits behind the point, none by default.
    Round(NumberClass),
    Floor,
    Ceiling,
    Truncate,
    SquareRoot,
    Power(NumberClass),
    Greatest,
    Least,
    /// A member of a JSON object by its name.
    JsonMember,
    /// An item of a JSON array by its place.
    JsonItem,
    /// JSON as text: what a string says, nothing for `null`.
    JsonText,
    /// What a JSON value is.
    JsonType,
    /// Items of a JSON array.
    JsonLength,
}

/// Targets of a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum CastTo {
    Bool,
    Int(Kind),
    F32,
    F64,
    Decimal,
    Text,
    /// JSON of a text that is JSON, of a number or of a boolean.
    Json,
    /// What a JSON number, boolean or text is, and nothing of other kinds of JSON.
    FromJson(JsonTo),
}

/// What a JSON value is cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum JsonTo {
    Bool,
    Int(Kind),
    F32,
    F64,
    Decimal,
}

impl Function {
    /// Two bytes that no other function has.
    pub(super) fn tag(self) -> [u8; 2] {
        match self {
            Self::Lower => [1, 0],
            Self::Upper => [2, 0],
            Self::CharCount => [3, 0],
            Self::ByteCount => [4, 0],
            Self::Abs(class) => [5, class as u8],
            Self::StartsWith => [6, 0],
            Self::EndsWith => [7, 0],
            Self::Substring => [8, 0],
            Self::Left => [9, 0],
            Self::Right => [10, 0],
            Self::Trim { start, end } => [11, u8::from(start) * 2 + u8::from(end)],
            Self::Replace => [12, 0],
            Self::Position => [13, 0],
            Self::Reverse => [14, 0],
            Self::Sign => [15, 0],
            Self::Round(class) => [16, class as u8],
            Self::Floor => [17, 0],
            Self::Ceiling => [18, 0],
            Self::Truncate => [19, 0],
            Self::SquareRoot => [20, 0],
            Self::Power(class) => [21, class as u8],
            Self::Greatest => [22, 0],
            Self::Least => [23, 0],
            Self::JsonMember => [24, 0],
            Self::JsonItem => [25, 0],
            Self::JsonText => [26, 0],
            Self::JsonType => [27, 0],
            Self::JsonLength => [28, 0],
            Self::Concat => [29, 0],
        }
    }
}

impl CastTo {
    /// Two bytes that no other cast has.
    pub(super) fn tag(self) -> [u8; 2] {
        match self {
            Self::Bool => [1, 0],
            Self::Int(kind) => [2, kind as u8],
            Self::F32 => [3, 0],
            Self::F64 => [4, 0],
            Self::Text => [5, 0],
            Self::Decimal => [6, 0],
            Self::Json => [7, 0],
            Self::FromJson(JsonTo::Bool) => [8, 0],
            Self::FromJson(JsonTo::Int(kind)) => [9, kind as u8],
            Self::FromJson(JsonTo::F32) => [10, 0],
            Self::FromJson(JsonTo::F64) => [11, 0],
            Self::FromJson(JsonTo::Decimal) => [12, 0],
        }
    }
}
