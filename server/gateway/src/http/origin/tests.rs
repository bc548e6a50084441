use super::{authority, is_loopback};

#[test]
fn knows_this_machine_by_its_names() {
    for name in [
        "localhost",
        "localhost:4510",
        "127.0.0.1:1",
        "127.8.9.1",
        "[::1]:80",
        "App.Localhost:3",
    ] {
        assert!(is_loopback(name), "{name}");
    }
    for name in [
        "example.com",
        "localhost.example.com",
        "10.0.0.1:4510",
        "[::2]:80",
        "",
        "127.0.0.1.nip.io",
    ] {
        assert!(!is_loopback(name), "{name}");
    }
    assert_eq!(authority("https://example.com:8443"), "example.com:8443");
    assert_eq!(authority("null"), "null");
}
