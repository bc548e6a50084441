//! Names: from Rust's to the schema's.

use syn::ext::IdentExt;
use syn::{Error, Ident};

/// An identifier without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The identifier as a name in the schema, if it can be one.
pub(crate) fn checked(ident: &Ident) -> Result<String, Error> {
    let name = plain(ident);
    if name.starts_with("__") {
        return Err(Error::new(
            ident.span(),
            "names that start with `__` are reserved",
        ));
    }
    if !name.is_ascii() {
        let message = "names in the schema have letters from a to z, digits and `_`";
        return Err(Error::new(ident.span(), message));
    }
    Ok(name)
}

/// `HttpLog` and `HTTPLog` become `http_log`.
pub(crate) fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (position, &letter) in letters.iter().enumerate() {
        if letter.is_uppercase() && position > 0 {
            let before = letters[position - 1];
            let ends_acronym = letters
                .get(position + 1)
                .is_some_and(|next| next.is_lowercase());
            if before != '_' && (!before.is_uppercase() || ends_acronym) {
                snake.push('_');
            }
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests;
