//! Operands: what has a type of its own, and literals and parameters, which take the type of what
//! they meet.

use syncline_protocol::param::Param;
use syncline_protocol::{Decimal, ErrorCode, Json, Type, Value, packed};

use super::names::suggestion;
use crate::error::QueryError;
use crate::plan::expr::Expr;
use crate::scalar::{Kind, exact_float, exact_int, int_fits};
use crate::syntax::Position;

/// One side of an operator, bound.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Typed(Expr, Type),
    Free(Free),
}

/// A value that has no type yet.
#[derive(Clone, Debug)]
pub(super) struct Free {
    pub(super) value: Param,
    /// The number that a decimal takes, if it is another one than `value` is written as: what has more
    /// digits than a float keeps, or was computed of such.
    pub(super) exact: Option<Decimal>,
    /// `None` for a literal and what was computed of literals.
    pub(super) parameter: Option<String>,
    /// Which use of a parameter it is, counted from 1.
    pub(super) origin: u16,
    /// Whether it is a claim of the caller: what is no value of the type that it meets is NULL then.
    pub(super) is_claim: bool,
    pub(super) at: Position,
}

/// What can be compared with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Number,
    /// Any type that is its own family.
    Own(Type),
}

impl Family {
    pub(super) fn of(ty: &Type) -> Self {
        match ty.non_null() {
            number if is_number(number) => Self::Number,
            other => Self::Own(other.clone()),
        }
    }
}

/// An integer, a decimal or a float.
pub(super) fn is_number(ty: &Type) -> bool {
    ty.is_integer() || matches!(ty, Type::Decimal | Type::F32 | Type::F64)
}

/// Whether `<` means something for the type.
pub(super) fn is_ordered(ty: &Type) -> bool {
    !matches!(
        ty.non_null(),
        Type::Json | Type::List(_) | Type::Struct(_) | Type::Enum(_)
    )
}

/// The type with NULL.
pub(super) fn nullable(ty: &Type) -> Type {
    match ty {
        Type::Option(_) => ty.clone(),
        other => Type::option(other.clone()),
    }
}

pub(super) fn null_of(ty: &Type) -> (Expr, Type) {
    let ty = nullable(ty);
    (Expr::literal(ty.clone(), vec![1]), ty)
}

impl Operand {
    /// A literal or parameter that meets nothing gets the type that its value suggests.
    pub(super) fn settle(self) -> Result<(Expr, Type), QueryError> {
        match self {
            Self::Typed(expr, ty) => Ok((expr, ty)),
            Self::Free(free) => free.settle(),
        }
    }

    /// The other side of a comparison with `ty`.
    pub(super) fn meet(self, ty: &Type) -> Result<(Expr, Type), QueryError> {
        match self {
            Self::Typed(expr, ty) => Ok((expr, ty)),
            Self::Free(free) => free.meet(ty),
        }
    }
}

impl Free {
    /// A literal, or a parameter if it has a name.
    pub(super) fn new(value: Param, parameter: Option<String>, at: Position) -> Self {
        Self {
            value,
            exact: None,
            parameter,
            origin: 0,
            is_claim: false,
            at,
        }
    }

    /// The number as a decimal: a float is the one that it is written as, unless that loses it.
    pub(super) fn decimal(&self) -> Option<Decimal> {
        match (self.exact, &self.value) {
            (Some(exact), _) => Some(exact),
            (None, Param::Int(value)) => Decimal::try_from(*value).ok(),
            (None, Param::Float(value)) => {
                let written = Decimal::from_f64(*value)?;
                let is_it = written.to_f64().total_cmp(&(value + 0.0)).is_eq();
                is_it.then_some(written)
            }
            (None, Param::Text(text)) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn settle(self) -> Result<(Expr, Type), QueryError> {
        let ty = match &self.value {
            Param::Null => return Ok(null_of(&Type::String)),
            Param::Bool(_) => Type::Bool,
            Param::Int(value) if int_fits(*value, Kind::I64) => Type::I64,
            Param::Int(_) => Type::I128,
            Param::Float(_) => Type::F64,
            Param::Text(_) => Type::String,
            Param::Bytes(_) => Type::Bytes,
            Param::List(_) => return Err(self.list_error()),
        };
        self.exactly(&ty).ok_or_else(|| self.mismatch(&ty))
    }

    /// A value to be compared with one of type `ty`. Where it is a value of that type it gets it, so
    /// that equal values have equal bytes. A number that is none gets a type that holds it: it
    /// compares exactly, and `u8_column = 300` is false, not an error.
    pub(super) fn meet(self, ty: &Type) -> Result<(Expr, Type), QueryError> {
        if let Param::Null = self.value {
            return Ok(null_of(ty));
        }
        if let Some((mut expr, ty)) = self.exactly(ty) {
            if let Expr::Literal(literal) = &mut expr {
                literal.origin = self.origin;
            }
            return Ok((expr, ty));
        }
        if is_number(ty.non_null()) {
            let wide = match self.value {
                _ if self.exact.is_some() => Type::Decimal,
                Param::Int(_) => Type::I128,
                Param::Float(_) => Type::F64,
                _ => return self.or_null(ty),
            };
            return self.exactly(&wide).ok_or_else(|| self.mismatch(ty));
        }
        self.or_null(ty)
    }

    /// The value as one of type `ty`; a claim that is none is NULL.
    pub(super) fn or_null(&self, ty: &Type) -> Result<(Expr, Type), QueryError> {
        match self.exactly(ty) {
            Some(exact) => Ok(exact),
            None if self.is_claim => Ok(null_of(ty)),
            None => Err(self.mismatch(ty)),
        }
    }

    /// The value as one of type `ty`, if it is one.
    pub(super) fn exactly(&self, ty: &Type) -> Option<(Expr, Type)> {
        if let Param::Null = self.value {
            return Some(null_of(ty));
        }
        let inner = ty.non_null();
        let value = match (inner, &self.value) {
            (Type::Decimal, _) => Value::Decimal(self.decimal()?),
            (Type::F64, Param::Int(value)) => Value::F64(exact_float(*value)?),
            (Type::F32, Param::Int(value)) => {
                let float = exact_float(*value)? as f32;
                let is_exact = exact_int(float.into()) == Some(*value);
                is_exact.then_some(Value::F32(float))?
            }
            (integer, Param::Float(value)) if integer.is_integer() => {
                let whole = match self.exact {
                    Some(exact) => exact.to_i128(),
                    None => exact_int(*value),
                };
                Param::Int(whole?).coerce(integer)?
            }
            (Type::Json, Param::Bool(value)) => Value::Json(Json::from(*value)),
            (Type::Json, Param::Int(value)) => Value::Json(Json::parse(&value.to_string()).ok()?),
            (Type::Json, Param::Float(value)) => Value::Json(Json::number(*value)?),
            (Type::Enum(def), Param::Text(name)) => {
                let tag = def.variants.iter().position(|v| v.name == *name)?;
                def.variants[tag]
                    .payload
                    .is_none()
                    .then_some(Value::Enum(tag as u8, None))?
            }
            (other, value) => value.coerce(other)?,
        };
        let mut bytes = Vec::new();
        if let Type::Option(_) = ty {
            bytes.push(0);
        }
        packed::encode(inner, &value, &mut bytes).ok()?;
        Some((Expr::literal(ty.clone(), bytes), ty.clone()))
    }

    pub(super) fn mismatch(&self, ty: &Type) -> QueryError {
        let inner = ty.non_null();
        let message = format!("{} is no value of type {inner}", self.describe());
        let error = QueryError::new(ErrorCode::SqlType, message).at(self.at);
        match (inner, &self.value) {
            (Type::Enum(def), Param::Text(name)) => {
                let plain = def
                    .variants
                    .iter()
                    .filter(|variant| variant.payload.is_none());
                let names: Vec<&str> = plain.map(|variant| variant.name.as_str()).collect();
                error.hint(
                    suggestion(name, &names).unwrap_or_else(|| {
                        format!("those of {} are {}", def.name, names.join(", "))
                    }),
                )
            }
            (Type::Json, Param::Text(_)) => error.hint(
                "text that meets JSON is JSON text, '\"x\"' for a string; j ->> 'name' is text itself",
            ),
            (Type::Identity, _) => error.hint("an identity is 64 hex digits; :me is the caller's"),
            (Type::Timestamp | Type::Duration, _) => error.hint("times are whole microseconds"),
            _ => error,
        }
    }

    fn list_error(&self) -> QueryError {
        let message = format!("{} is a list", self.describe());
        QueryError::new(ErrorCode::SqlType, message)
            .at(self.at)
            .hint("a list stands alone between the parentheses of IN: x IN (:list)")
    }

    /// As an error names it.
    pub(super) fn describe(&self) -> String {
        let value = match &self.value {
            Param::Null => "NULL".to_owned(),
            Param::Bool(value) => value.to_string(),
            Param::Int(value) => value.to_string(),
            Param::Float(value) => value.to_string(),
            Param::Text(text) => format!("'{}'", shortened(text)),
            Param::Bytes(bytes) => format!("a value of {} bytes", bytes.len()),
            Param::List(items) => format!("a list of {}", items.len()),
        };
        match &self.parameter {
            Some(name) => format!("parameter :{name} ({value})"),
            None => value,
        }
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}
