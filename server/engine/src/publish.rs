//! Swapping the module between two transactions.

use std::sync::Arc;
use syncline_host::{Module, Runner};
use syncline_protocol::message::{SchemaChanged, ServerMessage};
use syncline_protocol::{
    ChangeSet, ConnectionId, ErrorCode, Lsn, ReducerKind, Schema, TableDef, TableId, WireError,
};
use syncline_query::{LiveQueries, check_declarations};
use syncline_store::{Database, DatabaseSchema, ModuleStore, PublishRecord, StoredModule};

use crate::command::Publish;
use crate::connections::Subscribers;
use crate::effect::{Answer, Published};
use crate::engine::{Engine, SchemaText};
use crate::live::quotas::Quotas;
use crate::reducer_query;
use crate::refusal::refusal;
use crate::reply;

/// Stores a module before the command that publishes it is given to the engine, so that its step does not wait for the
/// disk: [`Engine::modules`]. What this returns is kept until the answer is there.
pub fn store_module(
    modules: &ModuleStore,
    module: &Module,
    wasm: &[u8],
) -> Result<StoredModule, WireError> {
    modules
        .put(&module.hash(), wasm)
        .map_err(|error| refusal(&error))
}

impl Engine {
    /// Where modules are stored on another thread: [`store_module`].
    #[must_use]
    pub fn modules(&self) -> ModuleStore {
        self.log.modules()
    }

    pub(crate) fn publish(&mut self, publish: &Publish) {
        let ticket = publish.ticket;
        let answer = match self.try_publish(publish) {
            Ok(published) => Answer::Published(Box::new(published)),
            Err(error) => Answer::Failed(Box::new(error)),
        };
        self.confirmed.answer(ticket, answer);
    }

    /// Everything that can fail comes before the log record, and works on copies or undoes itself.
    fn try_publish(&mut self, publish: &Publish) -> Result<Published, WireError> {
        self.log
            .reserve(publish.wasm.len())
            .map_err(|error| refusal(&error))?;
        let old = self.database().schema().clone();
        let hash = publish.module.hash();
        let schema = old
            .evolve(publish.module.schema().clone(), hash, publish.clear_data)
            .map_err(|differences| conflict(&differences))?;
        check_declarations(&schema).map_err(|error| {
            let error = error.to_wire();
            WireError {
                code: ErrorCode::ModuleSchema.as_str().into(),
                ..error
            }
        })?;
        // Until the record names it.
        let _stored = self
            .log
            .put_module(&hash, &publish.wasm)
            .map_err(|error| refusal(&error))?;

        let mut runner = Runner::new(&publish.module).with_queries(reducer_query::answer);
        let is_first = old.module_hash.is_none();
        let mut changes = ChangeSet::new();
        if is_first || publish.clear_data {
            let fresh = self.fresh_database(&schema, publish, &mut runner, &mut changes)?;
            self.log
                .reserve(changes.byte_len())
                .map_err(|error| refusal(&error))?;
            self.database = Some(fresh);
            self.restart_live_queries("the data was cleared", publish.clear_data && !is_first);
        } else {
            let database = self.database.as_mut().expect("no transaction is open here");
            database
                .install(schema.clone())
                .map_err(|error| WireError::new(ErrorCode::SchemaConflict, error.to_string()))?;
            let lost = self.live.rebind(database);
            self.first_answers.clear();
            for (handle, error) in lost {
                self.end_instance(handle, &error.to_wire());
            }
        }
        let lsn = self.log_publish(publish, &schema, &changes);
        // What is live was bound with what was declared: everyone sees what may be seen now.
        if !is_seen_alike(&old.module, &schema.module) {
            self.ask_all_again(lsn);
        }
        self.runner = Some(runner);
        self.set_schema(&schema);
        self.announce_schema();
        Ok(summary(
            lsn,
            &hash,
            &old.module,
            &schema.module,
            publish.clear_data && !is_first,
        ))
    }

    /// A database with this schema, the connections of the old one, and what `init` puts into it.
    fn fresh_database(
        &mut self,
        schema: &Arc<DatabaseSchema>,
        publish: &Publish,
        runner: &mut Runner,
        changes: &mut ChangeSet,
    ) -> Result<Database, WireError> {
        let mut fresh = Database::new(self.database().hash_seed());
        let mut connections = ChangeSet::new();
        let table = self.database().table(TableId::CONNECTIONS);
        for row in table.expect("the system table is always there").rows() {
            connections.push(TableId::CONNECTIONS, None, Some(row));
        }
        let invalid = |error: String| WireError::new(ErrorCode::SchemaConflict, error);
        fresh
            .apply(&connections)
            .map_err(|error| invalid(error.to_string()))?;
        fresh
            .install(schema.clone())
            .map_err(|error| invalid(error.to_string()))?;
        let Some(init) = schema.module.lifecycle(ReducerKind::Init) else {
            return Ok(fresh);
        };
        let name = schema.module.reducers[init].name.clone();
        let context = self.call_context(publish.identity, ConnectionId::default());
        let mut lines = Vec::new();
        let (transaction, result) = runner.call(
            fresh.begin(),
            &schema.table_ids,
            init,
            &context,
            &[],
            &mut lines,
        );
        for line in lines {
            self.module_log
                .push(self.now, line.level_name(), &name, line.text);
        }
        match result {
            Ok(_) => Ok(transaction.commit(changes)),
            Err(error) => {
                self.log_failure(&name, &error);
                let error = reply::call_error(&name, &error);
                let message = format!("init failed: {}", error.message);
                Err(WireError::new(ErrorCode::InitFailed, message)
                    .hint("nothing was published; the old module and its data are as they were"))
            }
        }
    }

    fn log_publish(
        &mut self,
        publish: &Publish,
        schema: &Arc<DatabaseSchema>,
        changes: &ChangeSet,
    ) -> Lsn {
        let record = PublishRecord {
            time: self.now,
            caller: publish.identity,
            schema,
            clear_data: publish.clear_data,
        };
        let database = self.database.as_ref().expect("no transaction is open here");
        self.log.append_publish(&record, database, changes)
    }

    /// After the data was thrown away no live result is right any more: connections are closed, and
    /// their clients come back and ask anew.
    fn restart_live_queries(&mut self, reason: &str, close: bool) {
        let database = self.database.as_mut();
        let database = database.expect("no transaction is open here");
        // Nobody is left to use or to drop them.
        database.drop_hidden_indexes();
        self.live = LiveQueries::with_hash_seed(database.hash_seed());
        self.live.set_budgets(self.budgets);
        self.first_answers.clear();
        self.quotas = Quotas::default();
        self.subscribers = Subscribers::default();
        self.counters.subscriptions = 0;
        let keys: Vec<_> = self
            .connections
            .iter()
            .map(|connection| connection.key)
            .collect();
        for key in keys {
            let ended = self
                .connections
                .get_mut(key)
                .map_or(0, |connection| connection.subscriptions.drain(..).count());
            if close || ended > 0 {
                let error = WireError::new(ErrorCode::SchemaConflict, reason).hint("connect again");
                if let Some(queue) = self.queue(key) {
                    queue.close(key, error);
                }
            }
        }
    }

    /// Takes over what calls and Welcomes need to know of the schema.
    pub(crate) fn set_schema(&mut self, schema: &DatabaseSchema) {
        self.tables.clone_from(&schema.table_ids);
        let schema = &schema.module;
        self.reducers.clear();
        self.suspects.clear();
        for (index, reducer) in schema.reducers.iter().enumerate() {
            self.reducers.insert(reducer.name.as_str().into(), index);
        }
        let json = serde_json::to_string(schema).expect("a schema is plain data");
        self.schema_text = Arc::new(SchemaText {
            hash: reply::hex(&schema.hash()),
            json,
        });
    }

    fn announce_schema(&mut self) {
        let message = ServerMessage::SchemaChanged(SchemaChanged {
            schema_hash: self.schema_text.hash.clone(),
            schema: self.schema_text.json.clone(),
        });
        let receivers: Vec<_> = self
            .connections
            .iter()
            .map(|c| (c.key, c.encoding))
            .collect();
        for (conn, encoding) in receivers {
            if let Some(queue) = self.queue(conn) {
                queue.send(conn, false, |out| reply::put(encoding, &message, out));
            }
        }
    }
}

/// Whether a publish leaves it as it was who sees which rows: policies and whether tables are public, by the names of
/// the tables, since these may be in another order, and views.
pub(crate) fn is_seen_alike(old: &Schema, new: &Schema) -> bool {
    let conditions = |schema: &Schema, position: usize| {
        let own = schema.policies.iter();
        let own = own.filter(|policy| usize::from(policy.table) == position);
        let mut own: Vec<String> = own.map(|policy| policy.condition.clone()).collect();
        own.sort_unstable();
        own
    };
    let is_alike = |(position, table): (usize, &TableDef)| {
        let mut others = new.tables.iter().enumerate();
        let other = others.find(|(_, other)| other.name == table.name);
        other.is_none_or(|(at, other)| {
            table.public == other.public && conditions(old, position) == conditions(new, at)
        })
    };
    old.views == new.views && old.tables.iter().enumerate().all(is_alike)
}

fn conflict(differences: &[syncline_store::SchemaDifference]) -> WireError {
    let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
    WireError::new(ErrorCode::SchemaConflict, texts.join("; "))
        .hint("tables, indexes and reducers can be added; --clear-data throws the rows away and takes any schema")
}

fn summary(lsn: Lsn, hash: &[u8; 32], old: &Schema, new: &Schema, data_cleared: bool) -> Published {
    let mut indexes_added = Vec::new();
    for table in &new.tables {
        let Some((_, before)) = old.table(&table.name) else {
            continue;
        };
        let is_new = |name: &str| before.indexes.iter().all(|index| index.name != name);
        let added = table.indexes.iter().filter(|index| is_new(&index.name));
        indexes_added.extend(added.map(|index| format!("{}.{}", table.name, index.name)));
    }
    let tables = new
        .tables
        .iter()
        .filter(|table| old.table(&table.name).is_none());
    let added = new
        .reducers
        .iter()
        .filter(|reducer| old.reducer(&reducer.name).is_none());
    let removed = old
        .reducers
        .iter()
        .filter(|reducer| new.reducer(&reducer.name).is_none());
    Published {
        lsn,
        module_hash: reply::hex(hash),
        tables_added: tables.map(|table| table.name.clone()).collect(),
        indexes_added,
        reducers_added: added.map(|reducer| reducer.name.clone()).collect(),
        reducers_removed: removed.map(|reducer| reducer.name.clone()).collect(),
        data_cleared,
    }
}
