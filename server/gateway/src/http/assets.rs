//! The pages that are built into the binary: the browser demo, or a few words where it is missing.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::RustEmbed;

/// What the demo's build left; a build without it gives an empty set.
#[derive(RustEmbed)]
#[folder = "../../web-demo/dist"]
#[allow_missing = true]
struct Pages;

const NO_PAGES: &str = include_str!("no_pages.html");

pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return super::api::not_found(uri.path());
    }
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = Pages::get(path) else {
        if path == "index.html" {
            return Html(NO_PAGES).into_response();
        }
        return super::api::not_found(uri.path());
    };
    let tag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    // Vite names files under assets/ by their content.
    let cache = if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == *tag);
    if known {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let kind = mime_guess::from_path(path)
        .first_or_octet_stream()
        .to_string();
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, tag),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, file.data).into_response()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or('0');
        text.extend([digit(byte >> 4), digit(byte & 15)]);
    }
    text
}
