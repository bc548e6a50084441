//! What can go wrong, and how it is told: a sentence, a code, a hint, an exit code.

use std::fmt::Display;

use serde_json::json;
use syncline_protocol::WireError;

/// Why a command did not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused.
    Refused(WireError),
    /// The command line asks for something that makes no sense.
    Usage(Local),
    /// The server cannot be started or reached.
    Unreachable(Local),
    /// The module does not build.
    Build(Local),
    /// Something on this machine, a file mostly.
    Other(anyhow::Error),
}

/// A failure on this side.
#[derive(Debug)]
pub(crate) struct Local {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(Local {
            message: message.into(),
            hint: None,
        })
    }

    /// The server cannot be started or reached.
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self::Unreachable(Local {
            message: message.into(),
            hint: None,
        })
    }

    /// The module does not build.
    pub(crate) fn build(message: impl Into<String>) -> Self {
        Self::Build(Local {
            message: message.into(),
            hint: None,
        })
    }

    /// The same failure with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        match &mut self {
            Self::Refused(error) => error.hint = Some(hint.into()),
            Self::Usage(local) | Self::Unreachable(local) | Self::Build(local) => {
                local.hint = Some(hint.into());
            }
            Self::Other(_) => {}
        }
        self
    }

    /// Whether it is only that nobody reads our output any more.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        let Self::Other(error) = self else {
            return false;
        };
        let error = error.downcast_ref::<std::io::Error>();
        error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Build(_) => 4,
        }
    }

    /// The failure as an error of the wire: local ones have codes of their own.
    fn wire(&self) -> WireError {
        let local = |code: &str, local: &Local| WireError {
            code: code.to_owned(),
            message: local.message.clone(),
            hint: local.hint.clone(),
        };
        match self {
            Self::Refused(error) => error.clone(),
            Self::Usage(error) => local("USAGE", error),
            Self::Unreachable(error) => local("UNREACHABLE", error),
            Self::Build(error) => local("BUILD_FAILED", error),
            Self::Other(error) => WireError {
                code: "LOCAL".to_owned(),
                message: format!("{error:#}"),
                hint: None,
            },
        }
    }

    /// Text for stderr: lines for people, or `{"error": {"code", "message", "hint"}}`.
    pub(crate) fn render(&self, as_json: bool) -> String {
        let error = self.wire();
        if as_json {
            return json!({ "error": error }).to_string();
        }
        let mut lines = vec![format!("error: {}", error.message)];
        if matches!(self, Self::Refused(_)) {
            lines.push(format!(" code: {}", error.code));
        }
        lines.extend(error.hint.map(|hint| format!(" hint: {hint}")));
        lines.join("\n")
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::Refused(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// A failure of a file, with its name.
pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Other(anyhow::anyhow!("{}: {error}", path.display()))
}

/// An answer of the server that this version does not understand.
pub(crate) fn not_understood(reason: impl Display) -> Failure {
    Failure::unreachable(format!("the server's answer is not understood: {reason}"))
        .hint("is it a Syncline server of this version?")
}
