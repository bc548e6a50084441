//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the server refused (its error is printed with code and hint), or a file cannot be used
  2  the command line is wrong
  3  the server cannot be started or reached
  4  the module does not build

Documentation: docs/cli.md";

/// Syncline: a database that runs your WASM modules and keeps every client in sync.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Address of the server
    #[arg(
        long,
        global = true,
        env = "SYNCLINE_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:4510",
        help_heading = "Global options"
    )]
    pub(crate) server: String,
    /// Data folder of the server, for its admin token and for check, salvage and compact [env: SYNCLINE_DATA=] [default: ./syncline-data]
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        help_heading = "Global options"
    )]
    pub(crate) data: Option<PathBuf>,
    /// Token to come with; without one the admin token of the data folder, if it is there
    #[arg(
        long,
        global = true,
        env = "SYNCLINE_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Global options"
    )]
    pub(crate) token: Option<String>,
    /// Trust this authority as well (PEM), for a server with https:// whose certificate is of one's own making
    #[arg(
        long,
        global = true,
        env = "SYNCLINE_CACERT",
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub(crate) cacert: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a server
    Start(Start),
    /// Make a project: a module and a TypeScript client that build and publish at once
    Init(Init),
    /// Build, publish and regenerate types whenever a source of the module changes
    Dev(Dev),
    /// Build a module and publish it to a database
    Publish(Publish),
    /// Call a reducer
    Call(Call),
    /// Evaluate a query once
    Query(Query),
    /// Follow a live query
    Subscribe(Subscribe),
    /// Show what the module logs
    Logs(Logs),
    /// Show tables and reducers of a database
    Schema(Schema),
    /// Write typed client code for a database or a module
    Generate(Generate),
    /// Write the rows of a database as JSON Lines or CSV
    Export(Export),
    /// Take rows in from JSON Lines or CSV
    Import(Import),
    /// Write all that is kept of a database to a file, while it runs
    Backup(Backup),
    /// Make a new database of a backup, as it was at its end or before
    Restore(Restore),
    /// Verify databases of a server that does not run, or a backup
    Check(Check),
    /// Copy what is provably good of a damaged database into a new one, while no server runs
    Salvage(Salvage),
    /// Give up the past of a database, while no server runs: less room, and nothing to replay
    Compact(Compact),
    /// Make a new database that is what another one is, or was
    Fork(Fork),
    /// Show what has become of a row: when, by whom, by which call
    History(History),
    /// Issue a token for a user of a database
    Token(Token),
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:4510", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Keep nothing: the data is gone when the server ends
    #[arg(long)]
    pub(crate) in_memory: bool,
    /// Pages of this origin may connect, as https://example.com; can be repeated, `*` allows all
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
    /// Connections to take at most
    #[arg(long, value_name = "COUNT")]
    pub(crate) max_connections: Option<usize>,
    /// Time that a call may take, milliseconds
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) call_ms_max: Option<u64>,
    /// Take only views of the module as live queries, but from the admin
    #[arg(long)]
    pub(crate) no_adhoc_live: bool,
    /// Memory that the live queries of a database may take, MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) live_mib_max: Option<u32>,
    /// Leave caller, reducer and arguments out of the commit log
    #[arg(long)]
    pub(crate) no_audit: bool,
    /// Threads that run databases; by default one less than there are cores, at most 8
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) home_threads: Option<u16>,
    /// Hours between two readings of all files of a database, to find what the disk has let rot; 0 is never
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    pub(crate) scrub_hours: u32,
    /// Form of the server's own log on stderr; SYNCLINE_LOG filters it (`debug`, `syncline_server=trace`)
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// Form of the server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder to make; if it is a project already, its unpacked SDK is renewed
    pub(crate) folder: PathBuf,
    /// Name of database and module; by default the folder's
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Where the sources of a module are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Source {
    /// Folder of the project or of the module's crate
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) project: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    #[command(flatten)]
    pub(crate) source: Source,
    /// Database to publish to; by default the one that syncline.toml names
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Start with empty tables at every publish, and so take any schema
    #[arg(long)]
    pub(crate) clear_data: bool,
    /// File for the TypeScript types; by default the one that syncline.toml names
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// A module that is built already; without it the project is built
    #[arg(value_name = "WASM")]
    pub(crate) wasm: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Database to publish to, made if there is none; by default the one that syncline.toml names
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Give up all data of the database
    #[arg(long)]
    pub(crate) clear_data: bool,
}

/// As whom to come.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct As {
    /// Come as somebody new, even if there is a token
    #[arg(long)]
    pub(crate) anonymous: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// Name of the database
    pub(crate) database: String,
    /// Name of the reducer
    pub(crate) reducer: String,
    /// Arguments in order, each as JSON; what is no JSON is a text
    #[arg(allow_negative_numbers = true, value_name = "ARG")]
    pub(crate) values: Vec<String>,
    /// All arguments at once: a JSON array, or an object by name
    #[arg(long, value_name = "JSON", conflicts_with = "values")]
    pub(crate) args: Option<String>,
    #[command(flatten)]
    pub(crate) who: As,
}

/// A query and its parameters.
#[derive(Debug, Args)]
pub(crate) struct Sql {
    /// Name of the database
    pub(crate) database: String,
    /// The query, as "SELECT * FROM message WHERE room = :room"
    #[arg(value_name = "SQL")]
    pub(crate) text: String,
    /// Value of a parameter of the query, as JSON; what is no JSON is a text. Can be repeated
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = crate::parse::param)]
    pub(crate) params: Vec<(String, serde_json::Value)>,
    #[command(flatten)]
    pub(crate) who: As,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) sql: Sql,
    /// Ask the database as it was: an Lsn, or a time like 2026-11-25T12:00:00Z, or 15m for so long ago
    #[arg(long, value_name = "LSN|TIME", value_parser = crate::parse::as_of)]
    pub(crate) as_of: Option<serde_json::Value>,
}

#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    #[command(flatten)]
    pub(crate) sql: Sql,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Name of the database
    pub(crate) database: String,
    /// Go on with lines as they are written
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Lines of the past to show
    #[arg(long, short = 'n', default_value_t = 100, value_name = "COUNT")]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Name of the database
    pub(crate) database: String,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Language of the code
    #[arg(long, value_enum, default_value_t = Language::Typescript)]
    pub(crate) lang: Language,
    /// File to write; without it the code is printed
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Take the schema of a database of the server
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    pub(crate) database: Option<String>,
    /// Take the schema of this: a module (.wasm), a schema (.json), or the folder of a project
    #[arg(value_name = "FROM")]
    pub(crate) from: Option<PathBuf>,
}

/// A language that code is generated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// For @syncline/client
    #[value(alias = "ts")]
    Typescript,
    /// For syncline-client
    #[value(alias = "rs")]
    Rust,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// A JSON object a line
    Jsonl,
    /// RFC 4180, the first record has the names of the columns
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Name of the database
    pub(crate) database: String,
    /// Table to export; without it all of them, in lines like {"table": .., "row": {..}}
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// Form of the rows; by default that of the file's ending, or jsonl
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<RowFormat>,
    /// File to write, once it is whole; `-` is stdout
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Name of the database
    pub(crate) database: String,
    /// File to read; `-` is stdin
    pub(crate) file: PathBuf,
    /// Table to import into; without it each line names its table, as an export without one writes them
    #[arg(long, value_name = "NAME")]
    pub(crate) table: Option<String>,
    /// Form of the rows; by default that of the file's ending, or jsonl
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<RowFormat>,
    /// What to do with a row whose primary key is there already
    #[arg(long, value_enum, value_name = "MODE", default_value_t = ImportMode::Insert)]
    pub(crate) mode: ImportMode,
    /// Leave out so many rows at the start: they are in already
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    pub(crate) skip: u64,
}

/// What to do with a row whose primary key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportMode {
    /// Stop: it is an error
    Insert,
    /// Replace the row that is there
    Upsert,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Name of the database
    pub(crate) database: String,
    /// File to write, once it is whole; by default DATABASE.backup
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Do not read the backup again and replay all of it, which takes as long as a restart
    #[arg(long)]
    pub(crate) no_check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Name of the new database
    pub(crate) database: String,
    /// The backup
    pub(crate) file: PathBuf,
    /// As it was: an Lsn, or a time like 2026-11-25T12:00:00Z; by default at the backup's end
    #[arg(long, value_name = "LSN|TIME", value_parser = crate::parse::as_of)]
    pub(crate) as_of: Option<serde_json::Value>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Names of databases; without any all of the data folder
    #[arg(value_name = "DATABASE", conflicts_with = "backup")]
    pub(crate) databases: Vec<String>,
    /// Verify this backup instead
    #[arg(long, value_name = "FILE")]
    pub(crate) backup: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Salvage {
    /// Name of the damaged database, which stays as it is
    pub(crate) database: String,
    /// Name of the new one
    pub(crate) new: String,
}

#[derive(Debug, Args)]
pub(crate) struct Compact {
    /// Name of the database
    pub(crate) database: String,
}

#[derive(Debug, Args)]
pub(crate) struct Fork {
    /// Name of the new database
    pub(crate) database: String,
    /// Database to make it of
    #[arg(long, value_name = "NAME")]
    pub(crate) from: String,
    /// As it was: an Lsn, or a time like 2026-11-25T12:00:00Z, or 15m for so long ago; by default as it is
    #[arg(long, value_name = "LSN|TIME", value_parser = crate::parse::as_of)]
    pub(crate) as_of: Option<serde_json::Value>,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Name of the database
    pub(crate) database: String,
    /// Name of the table
    pub(crate) table: String,
    /// Primary key of the row, as JSON; what is no JSON is a text. One value for each column of the key
    #[arg(required = true, allow_negative_numbers = true, value_name = "KEY")]
    pub(crate) key: Vec<String>,
    /// Events to show, the last ones
    #[arg(long, short = 'n', default_value_t = 100, value_name = "COUNT")]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Name of the database
    pub(crate) database: String,
    /// Who the token is for; the same subject is the same identity
    #[arg(long)]
    pub(crate) subject: String,
    /// How long it is good, as 90s, 15m, 12h or 30d; for ever if not said
    #[arg(long, value_parser = crate::parse::duration)]
    pub(crate) ttl: Option<Duration>,
    /// What queries call auth.NAME: true, false and integers are that, all else is text; again for more
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(crate) claims: Vec<String>,
}

#[cfg(test)]
mod tests;
