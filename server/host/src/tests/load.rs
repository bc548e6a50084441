//! Modules that are refused, and why.

use syncline_protocol::limits::MODULE_BYTES_MAX;
use syncline_protocol::{CodecError, ErrorCode, IndexKind, Schema, abi, schema_codec};

use super::fixture::{OK, escape, host, module_text, reducer, schema, wasm, wasm_text};
use super::hostile::ticking;
use crate::imports::SIGNATURES;
use crate::{CallError, Host, LoadError, RunLimits};

#[test]
fn a_good_module_loads() {
    let wasm = wasm(vec![], "");
    let module = host().load(&wasm).unwrap();
    assert_eq!(module.schema().tables.len(), 2);
    assert_eq!(module.schema().reducers[0].name, "find");
    assert_eq!(module.hash(), host().load(&wasm).unwrap().hash());
    let text = wasm_text(vec![], "(func $unused)");
    let other = host().load(&wat::parse_str(text).unwrap()).unwrap();
    assert_ne!(module.hash(), other.hash());
    assert_eq!(module.schema(), other.schema());
}

#[test]
fn host_and_module_go_to_any_thread() {
    fn anywhere<T: Clone + Send + Sync + 'static>() {}
    fn movable<T: Send + 'static>() {}
    anywhere::<Host>();
    anywhere::<crate::Module>();
    movable::<crate::Runner>();
}

#[test]
fn the_host_offers_what_the_abi_lists() {
    assert_eq!(SIGNATURES.map(|known| known.name), *abi::IMPORTS);
}

/// Loads a module given as text, which must fail.
fn refuse(text: &str) -> LoadError {
    host().load(&wat::parse_str(text).unwrap()).unwrap_err()
}

#[test]
fn bytes_that_are_no_module_are_refused() {
    let too_large = host().load(&vec![0; MODULE_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(
        too_large,
        LoadError::TooLarge {
            bytes: MODULE_BYTES_MAX + 1
        }
    );
    let threads = r#"(module (memory (export "memory") 1 1 shared))"#;
    let relaxed = "(module (func (result v128) (i16x8.relaxed_q15mulr_s
        (v128.const i64x2 0 0) (v128.const i64x2 0 0))))";
    for wasm in [
        vec![],
        b"(module)".to_vec(),
        b"\0asm".to_vec(),
        b"\x7fELF and so on".to_vec(),
        wat::parse_str("(component)").unwrap(),
        wat::parse_str(threads).unwrap(),
        wat::parse_str(relaxed).unwrap(),
        wat::parse_str("(module (memory i64 1))").unwrap(),
        wat::parse_str("(module (memory 1) (memory 1))").unwrap(),
    ] {
        let error = host().load(&wasm).unwrap_err();
        assert!(matches!(&error, LoadError::Invalid(_)), "{error}");
        assert_eq!(error.code(), ErrorCode::ModuleInvalid);
        assert!(
            error.hint().unwrap().contains("wasm32-unknown-unknown"),
            "{error}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let component = host()
        .load(&wat::parse_str("(component)").unwrap())
        .unwrap_err();
    assert!(
        component.hint().unwrap().contains("not a component"),
        "{component}"
    );
}

#[test]
fn imports_of_other_worlds_are_refused_with_a_hint() {
    for (module, name, hint) in [
        (
            "wasi_snapshot_preview1",
            "fd_write",
            Some("modules have no I/O; build for wasm32-unknown-unknown"),
        ),
        (
            "env",
            "malloc",
            Some("a dependency calls a function that is linked in from elsewhere"),
        ),
        (
            "__wbindgen_placeholder__",
            "x",
            Some("a dependency is built for browsers"),
        ),
        (
            "syncline_1",
            "rewind",
            Some("build the module with the SDK of the server's version"),
        ),
        (
            "syncline_2",
            "find",
            Some("build the module with the SDK of the server's version"),
        ),
        ("elsewhere", "find", None),
    ] {
        let error = refuse(&format!(r#"(module (import "{module}" "{name}" (func)))"#));
        let expected = LoadError::UnknownImport {
            module: module.into(),
            name: name.into(),
        };
        assert_eq!(error, expected);
        assert_eq!(error.code(), ErrorCode::ModuleAbi);
        assert_eq!(error.hint().is_some(), hint.is_some(), "{module}");
        assert!(
            error
                .hint()
                .unwrap_or_default()
                .starts_with(hint.unwrap_or_default())
        );
        let message = error.to_wire().message;
        assert_eq!(
            message,
            format!("the module imports `{name}` from `{module}`, which the server does not offer")
        );
    }
}

#[test]
fn imports_have_the_type_of_the_abi() {
    for (import, found) in [
        (
            "(func (param i32 i32 i64 i32 i32 i32) (result i64))",
            "(i32, i32, i64, i32, i32, i32) -> i64",
        ),
        (
            "(func (param i32 i32 i32 i32 i32 i32) (result i32))",
            "(i32, i32, i32, i32, i32, i32) -> i32",
        ),
        (
            "(func (param i32 i32 i32 i32 i32 i32))",
            "(i32, i32, i32, i32, i32, i32)",
        ),
        ("(func (param i32))", "(i32)"),
        ("(global i32)", "global"),
        ("(memory 1)", "memory"),
        ("(table 1 funcref)", "table"),
    ] {
        let error = refuse(&format!(
            r#"(module (import "syncline_1" "find" {import}))"#
        ));
        let expected = LoadError::ImportType {
            name: "find".into(),
            expected: "(i32, i32, i32, i32, i32, i32) -> i64".into(),
            found: found.into(),
        };
        assert_eq!(error, expected);
        assert_eq!(error.code(), ErrorCode::ModuleAbi);
    }
}

#[test]
fn exports_are_there_and_have_their_types() {
    let good = wasm_text(vec![], "");
    for name in [
        "memory",
        "syncline_describe",
        "syncline_alloc",
        "syncline_call",
    ] {
        let text = good.replace(&format!("\"{name}\""), "\"other\"");
        assert_eq!(refuse(&text), LoadError::MissingExport { name });
    }
    for (old, new, name, found) in [
        (
            r#"(export "syncline_describe")"#,
            "",
            "syncline_describe",
            "memory",
        ),
        (r#"(export "memory")"#, "", "memory", "(i32) -> i32"),
        (
            r#"(export "syncline_call")"#,
            "",
            "syncline_call",
            "(i32) -> i32",
        ),
        (
            r#"(export "syncline_alloc")"#,
            "",
            "syncline_alloc",
            "memory",
        ),
    ] {
        // The name goes to something of another kind.
        let export = format!(r#"(export "{name}")"#);
        let text = good.replace(old, new);
        let text = match found {
            "memory" => text.replace(
                r#"(export "memory")"#,
                &format!(r#"(export "memory") {export}"#),
            ),
            _ => text.replace(
                r#"(export "syncline_alloc")"#,
                &format!(r#"(export "syncline_alloc") {export}"#),
            ),
        };
        match refuse(&text) {
            LoadError::ExportType {
                name: of,
                found: is,
                ..
            } => assert_eq!((of, is.as_str()), (name, found)),
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn memory_must_fit_from_the_start() {
    let text = wasm_text(vec![], "").replace(
        "(memory (export \"memory\") 16)",
        "(memory (export \"memory\") 1025)",
    );
    let error = refuse(&text);
    assert_eq!(
        error,
        LoadError::MemoryTooLarge {
            bytes: 1025 << 16,
            limit: 64 << 20
        }
    );
    assert_eq!(error.code(), ErrorCode::ModuleInvalid);
}

/// A module whose `syncline_describe` has this body.
fn describing(body: &str) -> String {
    let text = wasm_text(vec![], "");
    let start = text.find(r#"(func (export "syncline_describe")"#).unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let describe = format!(r#"(func (export "syncline_describe") (result i64) {body})"#);
    format!("{}{describe}{}", &text[..start], &text[end..])
}

#[test]
fn a_module_must_manage_to_describe_itself() {
    let trap = |text: &str| CallError::Trap(text.into());
    for (body, expected) in [
        (
            "unreachable",
            trap("wasm `unreachable` instruction executed"),
        ),
        (
            "(i64.const -1)",
            trap(
                "syncline_describe: 4294967295 bytes at 4294967295 are outside of the module's memory",
            ),
        ),
        (
            "(call $panic (i32.const 17) (i32.const 4)) (i64.const 0)",
            CallError::Panic("nope".into()),
        ),
        (
            "(call $count (i32.const 0))",
            trap("count: no reducer is running"),
        ),
        (
            "(call $update (i32.const 0) (i32.const 0) (i32.const 0))",
            trap("update: no reducer is running"),
        ),
        (
            "(drop (memory.grow (i32.const 2000))) (i64.const 0)",
            CallError::Memory { limit: 64 << 20 },
        ),
    ] {
        let error = refuse(&describing(body));
        assert_eq!(error, LoadError::Describe(expected), "{body}");
        assert_eq!(error.code(), ErrorCode::ModuleAbi);
    }
    let host = Host::new(RunLimits {
        call_ms_max: 30,
        ..RunLimits::default()
    })
    .unwrap();
    let endless = wat::parse_str(describing("(loop $again (br $again)) unreachable")).unwrap();
    let error = ticking(&host, || host.load(&endless)).unwrap_err();
    assert_eq!(error, LoadError::Describe(CallError::Deadline { ms: 30 }));
}

#[test]
fn a_start_function_is_held_to_the_same_limits() {
    let start = |body: &str| wasm_text(vec![], &format!("(func $start {body}) (start $start)"));
    let loaded = host().load(&wat::parse_str(start("nop")).unwrap());
    assert!(loaded.is_ok(), "{loaded:?}");
    let error = refuse(&start("unreachable"));
    let trap = CallError::Trap("wasm `unreachable` instruction executed".into());
    assert_eq!(error, LoadError::Describe(trap));
    let error = refuse(&start(
        "(drop (call $insert (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
    ));
    let trap = CallError::Trap("a host function was called before the module was set up".into());
    assert_eq!(error, LoadError::Describe(trap));
}

/// Loads the fixture with these bytes in place of its description.
fn describe(description: &[u8]) -> LoadError {
    let escaped = escape(description);
    let place = (0x9_0000_u64 << 32) | description.len() as u64;
    let text = describing(&format!("(i64.const {place})"));
    let data = format!("(data (i32.const 0x90000) \"{escaped}\")");
    refuse(&text.replacen("(type $reducer", &format!("{data} (type $reducer"), 1))
}

#[test]
fn descriptions_are_checked() {
    let with_version = |version: u32, rest: &[u8]| [&version.to_le_bytes(), rest].concat();
    assert_eq!(
        describe(&[1, 0, 0]),
        LoadError::Description(CodecError::Truncated)
    );
    let version = describe(&with_version(7, &[]));
    assert_eq!(version, LoadError::Version { found: 7 });
    assert_eq!(
        version.to_string(),
        "the module speaks version 7 of the module ABI, the server version 1"
    );
    assert_eq!(version.code(), ErrorCode::ModuleAbi);
    let good = schema_codec::encode(&schema(&[reducer("ok", None, OK)]));
    for len in 0..good.len() {
        let error = describe(&with_version(1, &good[..len]));
        assert!(matches!(error, LoadError::Description(_)), "{len}: {error}");
        assert_eq!(error.code(), ErrorCode::ModuleAbi);
    }
    // Behind the reducers there is nothing, or there are policies and views, not none of both.
    let half = describe(&with_version(1, &[&good[..], &[0]].concat()));
    assert_eq!(half, LoadError::Description(CodecError::Truncated));
    let none = describe(&with_version(1, &[&good[..], &[0, 0]].concat()));
    assert_eq!(none, LoadError::Description(CodecError::BadTag));
    let longer = describe(&with_version(
        1,
        &[&good[..], &[0, 1, 1, b'v', 0, 1, b'x', 0]].concat(),
    ));
    assert_eq!(longer, LoadError::Description(CodecError::TrailingBytes));
}

#[test]
fn a_schema_must_make_sense() {
    let reducers = [reducer("ok", None, OK)];
    let broken: [fn(&mut Schema); 4] = [
        |schema| schema.tables[0].primary_key.clear(),
        |schema| schema.tables[1].name = "account".into(),
        |schema| schema.tables[1].indexes[0].columns = vec![9],
        |schema| {
            schema.tables[1].indexes[0].kind = IndexKind::Ordered;
            schema.tables[1].columns[2].name = "id".into();
        },
    ];
    for break_it in broken {
        let mut schema = schema(&reducers);
        break_it(&mut schema);
        let wasm = wat::parse_str(module_text(&schema, &reducers, "")).unwrap();
        let error = host().load(&wasm).unwrap_err();
        assert!(matches!(&error, LoadError::Schema(_)), "{error}");
        assert_eq!(error.code(), ErrorCode::ModuleSchema);
        assert!(error.to_string().contains("table `"), "{error}");
    }
}
