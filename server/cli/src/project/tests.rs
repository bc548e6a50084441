#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::{Project, artefact};

#[test]
fn settings_name_the_parts() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    assert_eq!(Project::find(root).unwrap_err().exit_code(), 2);

    std::fs::write(root.join("Cargo.toml"), "").unwrap();
    let bare = Project::find(root).unwrap();
    assert_eq!((bare.database(), bare.types()), (None, None));

    std::fs::create_dir(root.join("game")).unwrap();
    std::fs::write(root.join("game/Cargo.toml"), "").unwrap();
    let settings = "database = \"chess\"\nmodule = \"game\"\ntypes = \"web/chess.ts\"\n";
    std::fs::write(root.join("syncline.toml"), settings).unwrap();
    let project = Project::find(root).unwrap();
    assert_eq!(project.database().as_deref(), Some("chess"));
    assert_eq!(project.module(), root.join("game"));
    assert_eq!(project.types(), Some(root.join("web/chess.ts")));

    std::fs::write(root.join("syncline.toml"), "databse = \"chess\"").unwrap();
    let wrong = Project::find(root).unwrap_err();
    assert!(
        wrong.render(false).contains("databse"),
        "{}",
        wrong.render(false)
    );
}

#[test]
fn the_artefact_is_the_wasm_of_the_crate_itself() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = folder.path().join("Cargo.toml");
    std::fs::write(&manifest, "").unwrap();
    let manifest = manifest.canonicalize().unwrap();
    let message = |manifest: &Path, files: &str| {
        format!(
            r#"{{"reason":"compiler-artifact","manifest_path":{:?},"filenames":{files}}}"#,
            manifest.display().to_string()
        )
    };
    let ours = message(&manifest, r#"["/t/libchat.rlib","/t/chat.wasm"]"#);
    assert_eq!(
        artefact(ours.as_bytes(), &manifest).unwrap(),
        Path::new("/t/chat.wasm")
    );
    let other = message(Path::new("/"), r#"["/t/chat.wasm"]"#);
    assert_eq!(artefact(other.as_bytes(), &manifest), None);
    let library = message(&manifest, r#"["/t/libchat.rlib"]"#);
    assert_eq!(artefact(library.as_bytes(), &manifest), None);
    for noise in [
        "",
        "warning: x",
        r#"{"reason":"build-finished","success":true}"#,
    ] {
        assert_eq!(artefact(noise.as_bytes(), &manifest), None, "{noise}");
    }
}
