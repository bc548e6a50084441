use super::{authority, is_address, is_loopback};

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

#[test]
fn a_name_is_no_address() {
    for host in ["192.168.1.7:4510", "[2001:db8::1]:80", "localhost:4510"] {
        assert!(is_address(host), "{host}");
    }
    for host in ["evil.example:4510", "10.0.0.1.nip.io", ""] {
        assert!(!is_address(host), "{host}");
    }
}
