#![allow(clippy::unwrap_used)]

use super::{checked_url, encoded, is_local};

#[test]
fn addresses_of_servers() {
    for (given, expected) in [
        ("http://127.0.0.1:4510", "http://127.0.0.1:4510"),
        ("http://127.0.0.1:4510/", "http://127.0.0.1:4510"),
        ("localhost:4510", "http://localhost:4510"),
        ("https://example.com/", "https://example.com"),
    ] {
        assert_eq!(checked_url(given).unwrap(), expected);
    }
    for wrong in ["wss://example.com", "ftp://example.com"] {
        assert_eq!(checked_url(wrong).unwrap_err().exit_code(), 2, "{wrong}");
    }
}

#[test]
fn knows_this_machine() {
    for local in [
        "http://127.0.0.1:4510",
        "http://localhost",
        "http://[::1]:80/",
        "http://127.1.2.3",
        "https://localhost:4511",
    ] {
        assert!(is_local(local), "{local}");
    }
    for other in [
        "http://example.com",
        "http://10.0.0.1:4510",
        "http://localhost.example.com",
    ] {
        assert!(!is_local(other), "{other}");
    }
}

#[test]
fn names_cannot_leave_their_place_in_the_path() {
    assert_eq!(encoded("chat-1_a"), "chat-1_a");
    assert_eq!(encoded("../a b?c"), "%2E%2E%2Fa%20b%3Fc");
}
