use super::*;

#[test]
fn addresses_in_all_forms() {
    let cases = [
        ("http://127.0.0.1:4510", "127.0.0.1:4510", ""),
        ("ws://localhost:80/", "localhost:80", ""),
        ("[::1]:4510", "[::1]:4510", ""),
        ("http://[::1]", "[::1]:80", ""),
        ("example.org/sync/", "example.org:80", "/sync"),
    ];
    for (url, authority, prefix) in cases {
        let address = Address::parse(url, "board").unwrap();
        assert_eq!(address.authority, authority, "{url}");
        assert_eq!(
            address.path,
            format!("{prefix}/v1/databases/board/connect"),
            "{url}"
        );
    }
}

#[test]
fn bad_addresses() {
    for url in [
        "",
        "http://",
        "wss://host",
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
