use super::*;

#[test]
fn addresses_in_all_forms() {
    let cases = [
        ("http://127.0.0.1:4510", "127.0.0.1:4510", ""),
        ("ws://localhost:80/", "localhost:80", ""),
        ("[::1]:4510", "[::1]:4510", ""),
        ("http://[::1]", "[::1]:80", ""),
        ("example.org/sync/", "example.org:80", "/sync"),
        ("https://example.org", "example.org:443", ""),
        ("wss://[::1]:4511/sync", "[::1]:4511", "/sync"),
    ];
    for (url, authority, prefix) in cases {
        let address = Address::parse(url, "board").unwrap();
        assert_eq!(address.authority, authority, "{url}");
        assert_eq!(
            address.path,
            format!("{prefix}/v1/databases/board/connect"),
            "{url}"
        );
        let is_tls = url.starts_with("https") || url.starts_with("wss");
        assert_eq!(address.is_tls, is_tls, "{url}");
    }
}

#[test]
#[cfg(feature = "tls")]
fn hosts() {
    for (url, host) in [
        ("https://example.org", "example.org"),
        ("wss://127.0.0.1:4511", "127.0.0.1"),
        ("https://[::1]:4511", "::1"),
    ] {
        assert_eq!(Address::parse(url, "board").unwrap().host(), host);
    }
}

#[test]
fn bad_addresses() {
    for url in [
        "",
        "http://",
        "https://",
        "ftp://host",
        "http://a b",
        "http://h/\r\nX: y",
        "u@h",
    ] {
        assert!(
            matches!(Address::parse(url, "board"), Err(Error::Address(_))),
            "{url}"
        );
    }
    for database in ["", "a/b", "a b", "a?x"] {
        assert!(matches!(
            Address::parse("host:1", database),
            Err(Error::Address(_))
        ));
    }
}
