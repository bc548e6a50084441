//! Integration tests, the corpus and the repository rules.
