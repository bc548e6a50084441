//! Typed client code from a schema. client-sdk/typescript/CODEGEN.md is the specification of TypeScript.

mod names;
mod rust;
mod typescript;

pub(crate) use rust::rust;
pub(crate) use typescript::typescript;

#[cfg(test)]
mod tests;
