//! A client as its user sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use syncline_protocol::param::Param;
use syncline_protocol::{
    ConnectionId, Epoch, ErrorCode, Identity, ReducerDef, Schema, WireError, json, packed,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::query::IntoQuery;
use crate::rows::{Outcome, Rows};
use crate::shared::{Command, Shared};
use crate::{ConnectionState, Error};

/// A connection to a database that comes back when it is lost. A clone is another handle of the same
/// connection; it ends when the last handle and the last subscription are dropped, or with
/// [`Client::close`].
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
}

impl Client {
    pub(crate) fn commands(&self) -> &mpsc::Sender<Command> {
        &self.commands
    }

    pub(crate) fn new(shared: Arc<Shared>, commands: mpsc::Sender<Command>) -> Self {
        Self { shared, commands }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Calls a reducer. `args` is what becomes a JSON array (a tuple, `()` for none) with the arguments by
    /// position, or an object (a struct, a map) with them by name. When this returns, the live rows
    /// hold the effects of the call.
    pub async fn call(&self, reducer: &str, args: impl Serialize) -> Result<Outcome, Error> {
        let def = self.reducer(reducer)?;
        let args = serde_json::to_value(args).map_err(|e| Error::Arguments(e.to_string()))?;
        let args = json::args_to_packed(&def.params, &args).map_err(Error::Arguments)?;
        self.send_call(def.name, args).await
    }

    /// Calls a reducer with packed arguments, one after the other.
    pub async fn call_packed(
        &self,
        reducer: &str,
        args: impl Into<Vec<u8>>,
    ) -> Result<Outcome, Error> {
        let (def, args) = (self.reducer(reducer)?, args.into());
        packed::validate(def.params.iter().map(|param| &param.ty), &args)
            .map_err(|error| Error::Arguments(error.to_string()))?;
        self.send_call(def.name, args).await
    }

    fn reducer(&self, name: &str) -> Result<ReducerDef, Error> {
        let found = self.schema().reducer(name).map(|(_, def)| def.clone());
        found.ok_or_else(|| {
            let message = format!("no reducer `{name}`");
            Error::Server(WireError::new(ErrorCode::NoReducer, message))
        })
    }

    async fn send_call(&self, reducer: String, args: Vec<u8>) -> Result<Outcome, Error> {
        self.ask(|answer| Command::Call {
            reducer,
            args,
            answer,
        })
        .await
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.commands
            .send(command(answer))
            .await
            .map_err(|_| Error::Closed)?;
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Evaluates a query once: SQL text, or one of the [builder](crate::query). `params` are the values
    /// of its `:name` parameters.
    pub async fn query(
        &self,
        query: impl IntoQuery,
        params: &[(&str, Param)],
    ) -> Result<Rows, Error> {
        let (form, params) = (query.form(), owned(params));
        self.ask(|answer| Command::Query {
            form,
            params,
            answer,
        })
        .await
    }

    /// Evaluates a query of the builder once: its rows, each as the query has typed it.
    pub async fn fetch<Q: IntoQuery>(
        &self,
        query: Q,
        params: &[(&str, Param)],
    ) -> Result<Vec<Q::Row>, Error> {
        let read = query.reader();
        let rows = self.query(query, params).await?;
        rows.iter().map(|row| read(&row)).collect()
    }

    /// Renews the token of the connection, for the same identity.
    pub async fn authenticate(&self, token: impl Into<String>) -> Result<(), Error> {
        let token = token.into();
        self.ask(|answer| Command::Auth { token, answer }).await
    }

    /// How long the server takes to answer. Everything it said before has been applied then.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.ask(|answer| Command::Ping { answer }).await?;
        Ok(start.elapsed())
    }

    /// Closes the connection for all handles.
    pub async fn close(&self) {
        if self.commands.send(Command::Close).await.is_ok() {
            let mut state = self.state_changes();
            let is_closed = |state: &ConnectionState| state.is_closed();
            // The sender lives in `shared`, which this handle holds.
            drop(state.wait_for(is_closed).await);
        }
    }

    /// Whether the client is connected now.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.shared.state.borrow().clone()
    }

    /// Follows [`Self::state`].
    #[must_use]
    pub fn state_changes(&self) -> watch::Receiver<ConnectionState> {
        self.shared.state.subscribe()
    }

    /// Who the server says the client is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.shared.facts.lock().identity
    }

    /// The present connection, or the last one.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.shared.facts.lock().connection
    }

    /// The token to come back as the same identity.
    #[must_use]
    pub fn token(&self) -> Option<String> {
        self.shared.facts.lock().token.clone()
    }

    /// Counts the opens of the database, as of the last Welcome.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.shared.facts.lock().epoch
    }

    /// The schema of the database, as of the last that the server said of it.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        self.shared.facts.lock().schema.clone()
    }

    /// The server's version.
    #[must_use]
    pub fn server(&self) -> String {
        self.shared.facts.lock().server.clone()
    }
}

pub(crate) fn owned(params: &[(&str, Param)]) -> Vec<(String, Param)> {
    params
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()))
        .collect()
}
