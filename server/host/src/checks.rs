//! Whether a compiled module speaks the ABI: what it imports and what it exports.

use syncline_protocol::abi;
use wasmtime::{ExternType, FuncType, Module, ValType};

use crate::error::LoadError;
use crate::imports::SIGNATURES;

/// A page of linear memory.
const PAGE_BYTES: u64 = 64 << 10;

/// What a core module begins with, and a component.
const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT_HEADER: &[u8] = b"\0asm\x0d\0\x01\0";

/// The bytes are meant to be a core module.
pub(crate) fn header(wasm: &[u8]) -> Result<(), LoadError> {
    if wasm.starts_with(MODULE_HEADER) {
        return Ok(());
    }
    let problem = if wasm.starts_with(COMPONENT_HEADER) {
        "it is a component"
    } else {
        "it does not begin with the magic bytes and version 1"
    };
    Err(LoadError::Invalid(problem.into()))
}

/// Every import is a host function, with the signature it has.
pub(crate) fn imports(module: &Module) -> Result<(), LoadError> {
    for import in module.imports() {
        let known = SIGNATURES.iter().find(|known| known.name == import.name());
        let Some(known) = known.filter(|_| import.module() == abi::IMPORT_MODULE) else {
            return Err(LoadError::UnknownImport {
                module: import.module().to_owned(),
                name: import.name().to_owned(),
            });
        };
        let (expected, found) = (text(&known.ty(module.engine()).into()), text(&import.ty()));
        if expected != found {
            return Err(LoadError::ImportType {
                name: known.name.to_owned(),
                expected,
                found,
            });
        }
    }
    Ok(())
}

/// Everything that the host calls or reads is there. Other exports are the module's own business.
pub(crate) fn exports(module: &Module, memory_bytes_max: usize) -> Result<(), LoadError> {
    for (name, params, result) in [
        (abi::EXPORT_DESCRIBE, 0, ValType::I64),
        (abi::EXPORT_ALLOC, 1, ValType::I32),
        (abi::EXPORT_CALL, 3, ValType::I64),
    ] {
        let params = std::iter::repeat_n(ValType::I32, params);
        let expected = FuncType::new(module.engine(), params, [result]);
        let found = module
            .get_export(name)
            .ok_or(LoadError::MissingExport { name })?;
        let (expected, found) = (text(&expected.into()), text(&found));
        if expected != found {
            return Err(LoadError::ExportType {
                name,
                expected,
                found,
            });
        }
    }
    let name = abi::EXPORT_MEMORY;
    match module
        .get_export(name)
        .ok_or(LoadError::MissingExport { name })?
    {
        ExternType::Memory(memory) => {
            let bytes = memory.minimum().saturating_mul(PAGE_BYTES);
            if bytes > memory_bytes_max as u64 {
                return Err(LoadError::MemoryTooLarge {
                    bytes,
                    limit: memory_bytes_max,
                });
            }
            Ok(())
        }
        other => Err(LoadError::ExportType {
            name,
            expected: "memory".into(),
            found: text(&other),
        }),
    }
}

/// A type as people write it.
fn text(ty: &ExternType) -> String {
    let list = |types: &mut dyn Iterator<Item = ValType>| {
        types
            .map(|ty| ty.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match ty {
        ExternType::Func(func) => {
            let params = list(&mut func.params());
            let results = list(&mut func.results());
            if results.is_empty() {
                format!("({params})")
            } else {
                format!("({params}) -> {results}")
            }
        }
        ExternType::Global(_) => "global".into(),
        ExternType::Table(_) => "table".into(),
        ExternType::Memory(_) => "memory".into(),
        ExternType::Tag(_) => "tag".into(),
    }
}
