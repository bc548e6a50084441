//! Errors: of the codecs, and those that travel to a client.

/// Why bytes are not what their type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Bytes end inside a value.
    #[error("the bytes end inside a value")]
    Truncated,
    /// Bytes are left over after the last value.
    #[error("bytes are left over after the last value")]
    TrailingBytes,
    /// A bool other than 0 and 1, an option or enum tag out of range.
    #[error("a bool, option or enum has a tag out of range")]
    BadTag,
    /// A string is not UTF-8.
    #[error("a string is not UTF-8")]
    NotUtf8,
    /// A decimal or JSON text has another form than the one that its value has.
    #[error("a decimal or a JSON text is not in its canonical form")]
    NotCanonical,
    /// A count or length exceeds what the input can hold or a limit allows.
    #[error("a length is over its limit")]
    TooLong,
    /// A value is not of the type it should have.
    #[error("a value is not of its type")]
    TypeMismatch,
    /// Types or messages nest deeper than allowed.
    #[error("values nest too deep")]
    TooDeep,
    /// A message or description has a version or tag that this build does not know.
    #[error("an unknown version or message tag")]
    Unknown,
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// Stable code of an error on the wire. docs/errors.md has meaning and remedy of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$doc])* $variant,)* }

        impl ErrorCode {
            /// Every code, in the order of docs/errors.md.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text that travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The code with this text; unknown ones (of a newer peer) are `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

error_codes! {
    /// The frame violates RFC 6455 or the subprotocol.
    BadFrame = "BAD_FRAME",
    /// The message does not decode.
    BadMessage = "BAD_MESSAGE",
    /// A frame or message is over `frame_bytes_max`.
    FrameTooLarge = "FRAME_TOO_LARGE",
    /// No Hello came in time, or something else came first.
    HelloExpected = "HELLO_EXPECTED",
    /// The token is malformed, forged, or for another database.
    BadToken = "BAD_TOKEN",
    /// The token's time is over.
    TokenExpired = "TOKEN_EXPIRED",
    /// The action needs the admin token.
    AdminRequired = "ADMIN_REQUIRED",
    /// The page's origin is not allowed to connect.
    OriginRefused = "ORIGIN_REFUSED",
    /// The server has as many connections as it takes.
    TooManyConnections = "TOO_MANY_CONNECTIONS",
    /// The connection has as many subscriptions as it may.
    TooManySubscriptions = "TOO_MANY_SUBSCRIPTIONS",
    /// The client does not read what it is sent.
    SlowClient = "SLOW_CLIENT",
    /// The server is going down.
    ServerShutdown = "SERVER_SHUTDOWN",
    /// No database of that name.
    NoDatabase = "NO_DATABASE",
    /// The database did not open when the server started.
    DatabaseClosed = "DATABASE_CLOSED",
    /// There is a database of that name already.
    DatabaseExists = "DATABASE_EXISTS",
    /// What is asked for is older than what is kept.
    NotKept = "NOT_KEPT",
    /// What should be a backup is none, or is damaged.
    BadBackup = "BAD_BACKUP",
    /// The database has no module yet.
    NoModule = "NO_MODULE",
    /// No reducer of that name.
    NoReducer = "NO_REDUCER",
    /// Arguments are not those of the reducer.
    BadArguments = "BAD_ARGUMENTS",
    /// Lifecycle reducers are called by the server only.
    LifecycleReducer = "LIFECYCLE_REDUCER",
    /// The reducer returned an error; its changes are undone.
    ReducerError = "REDUCER_ERROR",
    /// The reducer panicked; its changes are undone.
    ReducerPanic = "REDUCER_PANIC",
    /// The reducer trapped; its changes are undone.
    ReducerTrap = "REDUCER_TRAP",
    /// The reducer ran longer than `call_ms_max`.
    CallDeadline = "CALL_DEADLINE",
    /// The reducer used more memory, rows or bytes than a call may.
    CallLimit = "CALL_LIMIT",
    /// Whether the call took effect is not known.
    OutcomeUnknown = "OUTCOME_UNKNOWN",
    /// The disk failed; the database refuses everything until it is restarted.
    Poisoned = "POISONED",
    /// No room on the disk; writes are refused, reads go on.
    DiskFull = "DISK_FULL",
    /// The inbox of the database is full.
    Overloaded = "OVERLOADED",
    /// A reserved field or feature that this version does not have.
    NotSupported = "NOT_SUPPORTED",
    /// No subscription of that id on this connection.
    NoSubscription = "NO_SUBSCRIPTION",
    /// The id is already in use on this connection.
    DuplicateId = "DUPLICATE_ID",
    /// The SQL text does not parse.
    SqlSyntax = "SQL_SYNTAX",
    /// The SQL uses a feature that is not there (yet).
    SqlUnsupported = "SQL_UNSUPPORTED",
    /// No table of that name, or a private one.
    SqlUnknownTable = "SQL_UNKNOWN_TABLE",
    /// No column of that name.
    SqlUnknownColumn = "SQL_UNKNOWN_COLUMN",
    /// Operands or parameters have types that do not meet.
    SqlType = "SQL_TYPE",
    /// A parameter is missing, unknown or unusable.
    SqlParameter = "SQL_PARAMETER",
    /// The query works once but not live.
    LiveUnsupported = "LIVE_UNSUPPORTED",
    /// The live query needs an index that is not there.
    LiveNoAccessPath = "LIVE_NO_ACCESS_PATH",
    /// Live queries would take more memory or work than a budget allows.
    LiveLimit = "LIVE_LIMIT",
    /// Only views of the module may be live.
    AdhocLiveOff = "ADHOC_LIVE_OFF",
    /// The query is over a budget of rows, bytes or parts.
    QueryLimit = "QUERY_LIMIT",
    /// The wasm does not validate or is too large.
    ModuleInvalid = "MODULE_INVALID",
    /// The wasm does not speak a module ABI that this server knows.
    ModuleAbi = "MODULE_ABI",
    /// The module's schema is not valid.
    ModuleSchema = "MODULE_SCHEMA",
    /// The new schema does not fit the data that is there; or connections must come again after a publish.
    SchemaConflict = "SCHEMA_CONFLICT",
    /// `init` failed; nothing was published.
    InitFailed = "INIT_FAILED",
    /// A row of an import is malformed or does not fit those that are there.
    BadRow = "BAD_ROW",
    /// The HTTP request is malformed.
    BadRequest = "BAD_REQUEST",
    /// No such page.
    NotFound = "NOT_FOUND",
    /// A bug in the server; its log has more.
    Internal = "INTERNAL",
}

/// An error as it travels: code for programs, message for people, hint where one can act.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize, serde::Deserialize))]
pub struct WireError {
    /// Text of an [`ErrorCode`], kept as text so that a newer peer's code survives.
    pub code: String,
    /// Lower-case sentence without a full stop.
    pub message: String,
    /// What to do about it.
    #[cfg_attr(feature = "wire", serde(default))]
    pub hint: Option<String>,
}

impl WireError {
    /// An error without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code: code.as_str().into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The code, if this build knows it.
    #[must_use]
    pub fn known_code(&self) -> Option<ErrorCode> {
        ErrorCode::parse(&self.code)
    }
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for WireError {}
