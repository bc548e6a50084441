//! Names of types.

use sqlparser::ast;
use syncline_protocol::Type;

use super::unsupported;
use crate::error::QueryError;
use crate::syntax::Position;

/// The type that a name of SQL, or of ours, stands for.
pub(super) fn convert_type(ty: &ast::DataType, at: Position) -> Result<Type, QueryError> {
    use ast::DataType as Sql;
    Ok(match ty {
        Sql::Bool | Sql::Boolean => Type::Bool,
        Sql::SmallInt(None) | Sql::Int2(None) => Type::I16,
        Sql::Int(None) | Sql::Integer(None) | Sql::Int4(None) => Type::I32,
        Sql::BigInt(None) | Sql::Int8(None) => Type::I64,
        Sql::HugeInt => Type::I128,
        Sql::Real | Sql::Float4 => Type::F32,
        Sql::DoublePrecision | Sql::Float8 | Sql::Double(ast::ExactNumberInfo::None) => Type::F64,
        Sql::Text | Sql::Varchar(None) | Sql::String(None) => Type::String,
        Sql::JSON | Sql::JSONB => Type::Json,
        Sql::Decimal(digits) | Sql::Numeric(digits) | Sql::Dec(digits) => match digits {
            ast::ExactNumberInfo::None => Type::Decimal,
            _ => {
                return Err(unsupported(&format!("a cast to {ty}"), at).hint(
                    "a decimal has up to 38 digits: round(CAST(x AS decimal), 2) rounds it",
                ));
            }
        },
        Sql::Custom(name, modifiers) if modifiers.is_empty() => {
            match name.to_string().to_lowercase().as_str() {
                "i8" => Type::I8,
                "i16" => Type::I16,
                "i32" => Type::I32,
                "i64" => Type::I64,
                "i128" => Type::I128,
                "u8" => Type::U8,
                "u16" => Type::U16,
                "u32" => Type::U32,
                "u64" => Type::U64,
                "u128" => Type::U128,
                "f32" => Type::F32,
                "f64" => Type::F64,
                _ => return Err(unknown_type(ty, at)),
            }
        }
        _ => return Err(unknown_type(ty, at)),
    })
}

fn unknown_type(ty: &ast::DataType, at: Position) -> QueryError {
    unsupported(&format!("a cast to {ty}"), at).hint(
        "cast to boolean, smallint, integer, bigint, real, double precision, decimal, text, json, \
         or i8 .. i128, u8 .. u128, f32, f64",
    )
}
