//! Mistakes of authors, and what the compiler says. Slow, since each case is compiled.
//! `TRYBUILD=overwrite cargo test -p syncline --test ui` writes what it says now.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/forbids_unsafe.rs");
    for mistakes in [
        "primary_key",
        "column_types",
        "attributes",
        "names",
        "reducers",
        "views",
        "keys",
    ] {
        cases.compile_fail(format!("tests/ui/{mistakes}.rs"));
    }
}
