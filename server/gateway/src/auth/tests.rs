#![allow(clippy::unwrap_used)]
use super::*;

const NOW: u64 = 4_000_000_000;

#[test]
fn a_new_identity_comes_back_with_its_token() {
    let authority = Authority::in_memory();
    let first = authority.authenticate("chat", None, NOW).unwrap();
    let token = first.token.unwrap();
    let again = authority.authenticate("chat", Some(&token), NOW).unwrap();
    assert_eq!(again.identity, first.identity);
    assert!(!again.admin && again.token.is_none());
    let other = authority.authenticate("chat", None, NOW).unwrap();
    assert_ne!(other.identity, first.identity);
}

#[test]
fn bad_tokens_are_refused_with_a_code() {
    let authority = Authority::in_memory();
    let stranger = Authority::in_memory();
    let good = authority.issue("chat", "ada", NOW, None).unwrap();
    let forged = stranger.issue("chat", "ada", NOW, None).unwrap();
    let (head, _) = good.rsplit_once('.').unwrap();
    let ended = authority.issue("chat", "ada", 1000, Some(10)).unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let unsigned = format!("{none}.{}.", good.split('.').nth(1).unwrap());
    let check = |database: &str, token: &str, code: ErrorCode| {
        let error = authority
            .authenticate(database, Some(token), NOW)
            .unwrap_err();
        assert_eq!(error.known_code(), Some(code), "{token}: {error}");
    };
    check("other", &good, ErrorCode::BadToken);
    check("chat", &forged, ErrorCode::BadToken);
    check("chat", head, ErrorCode::BadToken);
    check("chat", &format!("{head}.AAAA"), ErrorCode::BadToken);
    check("chat", "", ErrorCode::BadToken);
    check("chat", &unsigned, ErrorCode::BadToken);
    check("chat", &ended, ErrorCode::TokenExpired);
}

#[test]
fn the_folder_keeps_keys_and_admin_token_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::open(folder.path()).unwrap();
    let token = first.issue("chat", "ada", NOW, None).unwrap();
    let again = Authority::open(folder.path()).unwrap();
    assert_eq!(first.admin_token(), again.admin_token());
    again.authenticate("chat", Some(&token), NOW).unwrap();
    assert!(
        again
            .authenticate("any", Some(first.admin_token()), NOW)
            .unwrap()
            .admin
    );
    for file in ["admin.token", "keys/signing.pem"] {
        let mode = std::fs::metadata(folder.path().join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    std::fs::write(folder.path().join("keys/signing.pem"), "rubbish").unwrap();
    assert!(
        Authority::open(folder.path())
            .unwrap_err()
            .to_string()
            .contains("signing.pem")
    );
}

#[test]
fn an_empty_admin_token_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "\n", "secret\n"] {
        std::fs::write(folder.path().join("admin.token"), text).unwrap();
        let error = Authority::open(folder.path()).unwrap_err();
        assert!(matches!(error, AuthError::WeakAdminToken(_)), "{error}");
    }
}
