//! Why a module is refused, and why a call ended without success.

use syncline_protocol::schema_check::SchemaError;
use syncline_protocol::{CodecError, ErrorCode, WireError, limits};

/// Why [`crate::Host::load`] refuses a module. Nothing has changed when it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file is larger than [`limits::MODULE_BYTES_MAX`].
    #[error(
        "the module has {bytes} bytes, more than the {} that a module may have",
        limits::MODULE_BYTES_MAX
    )]
    TooLarge {
        /// Size of the file.
        bytes: usize,
    },
    /// The bytes are not a wasm module that validates.
    #[error("not a valid wasm module: {0}")]
    Invalid(String),
    /// The module wants a function that no host of this version has.
    #[error("the module imports `{name}` from `{module}`, which the server does not offer")]
    UnknownImport {
        /// Import module.
        module: String,
        /// Name in it.
        name: String,
    },
    /// The module imports a host function with another signature.
    #[error("the import `{name}` has the type {found}, expected {expected}")]
    ImportType {
        /// The host function.
        name: String,
        /// What the ABI says.
        expected: String,
        /// What the module says.
        found: String,
    },
    /// An export that the ABI asks for is not there.
    #[error("the module does not export `{name}`")]
    MissingExport {
        /// The export.
        name: &'static str,
    },
    /// An export has another type than the ABI asks for.
    #[error("the export `{name}` has the type {found}, expected {expected}")]
    ExportType {
        /// The export.
        name: &'static str,
        /// What the ABI says.
        expected: String,
        /// What the module says.
        found: String,
    },
    /// The memory is larger from the start than a module may grow it.
    #[error(
        "the module starts with {bytes} bytes of memory, more than the {limit} that it may use"
    )]
    MemoryTooLarge {
        /// Initial size.
        bytes: u64,
        /// What is allowed.
        limit: usize,
    },
    /// The module did not describe itself: it trapped, panicked, ran too long or pointed nowhere.
    #[error("the module did not describe itself: {0}")]
    Describe(CallError),
    /// The module was built for another version of the ABI.
    #[error(
        "the module speaks version {found} of the module ABI, the server version {}",
        syncline_protocol::abi::VERSION
    )]
    Version {
        /// What the description begins with.
        found: u32,
    },
    /// The description is not a schema.
    #[error("the module's description does not decode: {0}")]
    Description(CodecError),
    /// The schema decodes and makes no sense or exceeds a limit.
    #[error("the schema is not valid: {0}")]
    Schema(SchemaError),
}

impl LoadError {
    /// The code that travels.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } | Self::Invalid(_) | Self::MemoryTooLarge { .. } => {
                ErrorCode::ModuleInvalid
            }
            Self::Schema(_) => ErrorCode::ModuleSchema,
            _ => ErrorCode::ModuleAbi,
        }
    }

    /// What the author can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::TooLarge { .. } => "build in release mode and strip it",
            Self::Invalid(text) if text.contains("component") => {
                "build a core module for wasm32-unknown-unknown, not a component"
            }
            Self::Invalid(_) => "build for wasm32-unknown-unknown without threads and relaxed SIMD",
            Self::UnknownImport { module, .. } => return import_hint(module),
            Self::ImportType { .. }
            | Self::ExportType { .. }
            | Self::Version { .. }
            | Self::Description(_) => "build the module with the SDK of the server's version",
            Self::MissingExport { .. } => {
                "build with the `syncline` SDK as a cdylib for wasm32-unknown-unknown"
            }
            Self::MemoryTooLarge { .. } => "make statics and the reserved stack smaller",
            Self::Schema(_) | Self::Describe(_) => return None,
        })
    }

    /// The error as it travels.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        let error = WireError::new(self.code(), self.to_string());
        match self.hint() {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Where imports of other worlds usually come from.
fn import_hint(module: &str) -> Option<&'static str> {
    Some(match module {
        "wasi_snapshot_preview1" | "wasi_unstable" => {
            "modules have no I/O; build for wasm32-unknown-unknown"
        }
        "wbg" | "__wbindgen_placeholder__" | "__wbindgen_externref_xform__" => {
            "a dependency is built for browsers: turn off its `js`, `wasm_js` or `wasmbind` feature"
        }
        "env" => "a dependency calls a function that is linked in from elsewhere, such as C code",
        other if other.starts_with("wasi:") => {
            "modules have no I/O; build for wasm32-unknown-unknown"
        }
        other if other.starts_with("syncline_") => {
            "build the module with the SDK of the server's version"
        }
        _ => return None,
    })
}

/// Why a call did not succeed. Whatever it is, the transaction has to be rolled back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The reducer returned this error.
    #[error("{0}")]
    Reducer(String),
    /// The reducer panicked with this message.
    #[error("the reducer panicked: {0}")]
    Panic(String),
    /// The module did what wasm or the ABI forbids.
    #[error("the reducer trapped: {0}")]
    Trap(String),
    /// The call ran longer than it may.
    #[error("the call ran longer than {ms} ms")]
    Deadline {
        /// What is allowed.
        ms: u64,
    },
    /// The module wanted more memory than it may have.
    #[error("the module needs more than {limit} bytes of memory")]
    Memory {
        /// What is allowed.
        limit: usize,
    },
    /// The call did more than it may.
    #[error("the call {0}")]
    Limit(CallLimit),
    /// No fresh instance could be made; the machine is out of something.
    #[error("the module cannot be instantiated: {0}")]
    Instantiate(String),
}

/// A limit of a call, in words that follow "the call".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallLimit {
    /// [`limits::CALL_ROWS_MAX`].
    #[error("changed more than {} rows", limits::CALL_ROWS_MAX)]
    Rows,
    /// [`limits::CALL_WRITE_BYTES_MAX`].
    #[error("wrote more than {} bytes", limits::CALL_WRITE_BYTES_MAX)]
    WriteBytes,
    /// [`limits::ROW_BYTES_MAX`].
    #[error("wrote a row of more than {} bytes", limits::ROW_BYTES_MAX)]
    RowBytes,
    /// [`limits::KEY_BYTES_MAX`].
    #[error("used a key of more than {} bytes", limits::KEY_BYTES_MAX)]
    KeyBytes,
    /// The table has as many rows as it can have.
    #[error("wrote to a table that is full")]
    TableFull,
    /// [`limits::CALL_CURSORS_MAX`].
    #[error("opened more than {} scans at a time", limits::CALL_CURSORS_MAX)]
    Cursors,
    /// [`limits::CALL_QUERY_BYTES_MAX`].
    #[error(
        "asked for over {} bytes of query results at a time",
        limits::CALL_QUERY_BYTES_MAX
    )]
    QueryBytes,
    /// [`limits::CALL_LOG_LINES_MAX`].
    #[error("logged more than {} lines", limits::CALL_LOG_LINES_MAX)]
    LogLines,
    /// [`limits::RESULT_BYTES_MAX`].
    #[error("returned more than {} bytes", limits::RESULT_BYTES_MAX)]
    ResultBytes,
    /// [`limits::ARGS_BYTES_MAX`].
    #[error("has more than {} bytes of arguments", limits::ARGS_BYTES_MAX)]
    ArgsBytes,
}

impl CallError {
    /// The code that travels.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Reducer(_) => ErrorCode::ReducerError,
            Self::Panic(_) => ErrorCode::ReducerPanic,
            Self::Trap(_) => ErrorCode::ReducerTrap,
            Self::Deadline { .. } => ErrorCode::CallDeadline,
            Self::Memory { .. } | Self::Limit(_) => ErrorCode::CallLimit,
            Self::Instantiate(_) => ErrorCode::Internal,
        }
    }

    /// The error as it travels.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        WireError::new(self.code(), self.to_string())
    }

    /// A trap of the host's own making.
    #[cold]
    pub(crate) fn trap(text: impl Into<String>) -> Self {
        Self::Trap(text.into())
    }
}

impl From<CallLimit> for CallError {
    fn from(limit: CallLimit) -> Self {
        Self::Limit(limit)
    }
}
