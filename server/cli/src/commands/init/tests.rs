#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::{checked, name_of};

#[test]
fn folders_give_names() {
    for (folder, name) in [
        ("/a/chat", "chat"),
        ("/a/My Game!", "my-game"),
        ("/a/x_1/", "x_1"),
    ] {
        assert_eq!(name_of(Path::new(folder)).unwrap(), name);
    }
    for folder in ["/", "/a/1st", "/a/___", "/a/日本"] {
        assert_eq!(
            name_of(Path::new(folder)).unwrap_err().exit_code(),
            2,
            "{folder}"
        );
    }
}

#[test]
fn names_fit_database_crate_and_package() {
    assert!(checked("a-good_name1").is_ok());
    for wrong in ["", "Upper", "1st", "a.b", "../x", &"a".repeat(57)] {
        assert!(checked(wrong).is_err(), "{wrong}");
    }
}
