//! Typed client code from a schema. client-sdk/typescript/CODEGEN.md is the specification.

mod names;
mod typescript;

pub(crate) use typescript::typescript;

#[cfg(test)]
mod tests;
