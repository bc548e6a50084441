//! Types that cannot be in a schema and are easily tried: told from their spelling, with what to use instead.
//! What is not caught here fails a trait bound, with a message of the SDK.

use syn::spanned::Spanned;
use syn::{Error, GenericArgument, PathArguments, Type};

/// Checks the type of a column, a field or a parameter.
pub(crate) fn check(ty: &Type) -> Result<(), Error> {
    let hint = match ty {
        Type::Reference(_) => {
            "a value, not a reference, is stored and sent: use an owned type, like String"
        }
        Type::Tuple(_) => {
            "tuples have no names for their parts: use a struct with #[derive(syncline::Type)]"
        }
        Type::Array(_) | Type::Slice(_) => "use Vec<T>",
        Type::Ptr(_) | Type::BareFn(_) | Type::TraitObject(_) | Type::ImplTrait(_) => {
            "only plain data can be stored and sent"
        }
        Type::Group(inner) => return check(&inner.elem),
        Type::Paren(inner) => return check(&inner.elem),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else {
                return Ok(());
            };
            if let PathArguments::AngleBracketed(arguments) = &last.arguments {
                for argument in &arguments.args {
                    match argument {
                        GenericArgument::Type(inner) => check(inner)?,
                        GenericArgument::Lifetime(lifetime) => {
                            return Err(Error::new(
                                lifetime.span(),
                                "borrowed data cannot be stored or sent",
                            ));
                        }
                        _ => {}
                    }
                }
            }
            match hint_for(&last.ident.to_string()) {
                Some(hint) => hint,
                None => return Ok(()),
            }
        }
        _ => return Ok(()),
    };
    let mut spelled = quote::quote!(#ty).to_string();
    for (loose, tight) in [
        (" < ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        (" :: ", "::"),
    ] {
        spelled = spelled.replace(loose, tight);
    }
    Err(Error::new(
        ty.span(),
        format!("`{spelled}` is not a Syncline type: {hint}"),
    ))
}

fn hint_for(name: &str) -> Option<&'static str> {
    Some(match name {
        "usize" | "isize" => "its width depends on the machine; use u32, u64, i32 or i64",
        "char" | "str" => "use String",
        "HashMap" | "BTreeMap" | "IndexMap" => {
            "use a Vec of a struct, or a table with one row per entry"
        }
        "HashSet" | "BTreeSet" => "use a Vec, or a table with one row per entry",
        "SystemTime" | "Instant" => "use Timestamp; ctx.timestamp() is now",
        "BigDecimal" => "use Decimal",
        "Box" | "Rc" | "Arc" | "Cow" => "use the owned value itself",
        _ => return None,
    })
}
