//! Names: from Rust's to the schema's.

use syn::Ident;
use syn::ext::IdentExt;

/// An identifier without `r#`.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
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
