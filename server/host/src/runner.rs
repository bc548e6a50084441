//! Runs reducers, one after the other, on a reused instance.

use syncline_protocol::abi::CALL_HEADER_BYTES;
use syncline_protocol::limits::ARGS_BYTES_MAX;
use syncline_protocol::{ConnectionId, Identity, TableId};
use syncline_store::Transaction;

use crate::error::{CallError, CallLimit};
use crate::instance::{Instance, RunLimits};
use crate::module::Module;
use crate::state::{AnswerQuery, LogLine};

/// Who calls, and all that a reducer may know of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallContext {
    /// Who calls.
    pub caller: Identity,
    /// The caller's connection; all zero if there is none.
    pub connection: ConnectionId,
    /// Commit time in microseconds since the Unix epoch.
    pub time: i64,
    /// All randomness of the call.
    pub seed: [u8; 32],
}

/// Runs the reducers of one module. It keeps one instance from call to call, and drops it after a call
/// that did not succeed, whatever the reason, and when its memory has grown past half its limit; the next
/// call makes a fresh one. So nothing that a failed call left in globals or memory is ever seen.
pub struct Runner {
    module: Module,
    limits: RunLimits,
    queries: Option<AnswerQuery>,
    instance: Option<Instance>,
}

impl Runner {
    /// A runner with the limits of the module's host.
    #[must_use]
    pub fn new(module: &Module) -> Self {
        Self::with_limits(module, module.limits())
    }

    /// A runner with its own limits.
    #[must_use]
    pub fn with_limits(module: &Module, limits: RunLimits) -> Self {
        Self {
            module: module.clone(),
            limits,
            queries: None,
            instance: None,
        }
    }

    /// Reducers may ask queries, and this answers them.
    #[must_use]
    pub fn with_queries(mut self, answer: AnswerQuery) -> Self {
        self.queries = Some(answer);
        self
    }

    /// The module it runs.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Drops the instance; the next call gets a fresh one. Nothing changes by that for a module that keeps
    /// its state in tables, and tests use it to show so.
    pub fn renew(&mut self) {
        self.instance = None;
    }

    /// Runs the reducer at this position of the schema within `transaction`, which comes back to be
    /// committed if the result is `Ok` and rolled back if not. `tables` are the ids of the module's
    /// tables by position; `args` are packed and checked by [`crate::validate_args`] or its like. Ok is
    /// the packed return value, nothing for a reducer that returns nothing. What the reducer logs is
    /// appended to `log`, in a failed call too.
    ///
    /// # Panics
    /// If the module has no such reducer or another number of tables.
    pub fn call(
        &mut self,
        transaction: Transaction,
        tables: &[TableId],
        reducer: usize,
        context: &CallContext,
        args: &[u8],
        log: &mut Vec<LogLine>,
    ) -> (Transaction, Result<Vec<u8>, CallError>) {
        if let Err(error) = self.prepare(context, args) {
            self.instance = None;
            return (transaction, Err(error));
        }
        let instance = self
            .instance
            .as_mut()
            .expect("prepare made sure that there is one");
        let returns = self.module.schema().reducers[reducer].returns.as_ref();
        let queries = (context.caller, self.queries);
        instance.state().enter(transaction, tables, queries, log);
        let result = instance.run(reducer as u32, CALL_HEADER_BYTES + args.len(), returns);
        let transaction = instance.state().leave(log);
        if result.is_err() || instance.is_bloated() {
            self.instance = None;
        }
        (transaction, result)
    }

    /// Makes an instance if there is none, and writes the call block into its memory.
    fn prepare(&mut self, context: &CallContext, args: &[u8]) -> Result<(), CallError> {
        if args.len() > ARGS_BYTES_MAX {
            return Err(CallLimit::ArgsBytes.into());
        }
        if self.instance.is_none() {
            self.instance = Some(self.module.instantiate(self.limits)?);
        }
        let instance = self.instance.as_mut().expect("it has just been made");
        let block = instance.prepare(CALL_HEADER_BYTES + args.len())?;
        let (header, rest) = block.split_at_mut(CALL_HEADER_BYTES);
        context.write(header);
        rest.copy_from_slice(args);
        Ok(())
    }
}

impl CallContext {
    /// Fills the header of a call block.
    fn write(&self, header: &mut [u8]) {
        let (caller, rest) = header.split_at_mut(Identity::LEN);
        let (connection, rest) = rest.split_at_mut(ConnectionId::LEN);
        let (time, seed) = rest.split_at_mut(size_of::<i64>());
        caller.copy_from_slice(&self.caller.0);
        connection.copy_from_slice(&self.connection.0);
        time.copy_from_slice(&self.time.to_le_bytes());
        seed.copy_from_slice(&self.seed);
    }
}
