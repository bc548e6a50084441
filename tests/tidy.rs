//! The rules of the repository, as tests: a rule that no tool checks is not kept.
//!
//! Each rule is a function from the tree (or a piece of it) to [`tree::Finding`]s, so that a second test
//! can show that it does find what it forbids. A failure names file and line.

#![allow(clippy::unwrap_used, reason = "tests")]

mod tidy {
    mod arrows;
    mod code;
    mod cycles;
    mod docs;
    mod fence;
    mod libraries;
    mod licences;
    mod tree;
}
