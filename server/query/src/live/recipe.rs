//! How the parameters of a statement become those of its template, without binding it again.

use std::sync::Arc;

use syncline_protocol::RowLayout;
use syncline_protocol::param::Param;
use syncline_store::{Database, DatabaseSchema};

use crate::bind::pack_param;
use crate::plan::expr::Params;
use crate::syntax::Query;

/// Recipes that a template remembers.
pub(super) const RECIPES_MAX: usize = 4;

/// Holds for one statement, as long as the schema is the one that it was bound against.
#[derive(Debug)]
pub(super) struct Recipe {
    query: Arc<Query>,
    schema: Arc<DatabaseSchema>,
    names: Vec<String>,
    /// For each parameter of the template the name that it comes from; `None` is a constant of the statement or
    /// the caller.
    sources: Vec<Option<u16>>,
}

impl Recipe {
    /// `uses` are the positions of the parameters that binding used, `origins` the uses that the parameters of
    /// the template come from. `None` if a use decided anything but the value of a parameter.
    pub(super) fn new(
        db: &Database,
        query: &Arc<Query>,
        params: &[(String, Param)],
        uses: &[u16],
        origins: &[u16],
    ) -> Option<Self> {
        let used = |origin: &u16| (*origin > 0).then(|| uses[usize::from(*origin) - 1]);
        let mut numbers = 1..=u16::try_from(uses.len()).ok()?;
        if !numbers.all(|number| origins.contains(&number)) {
            return None;
        }
        Some(Self {
            query: Arc::clone(query),
            schema: Arc::clone(db.schema()),
            names: params.iter().map(|(name, _)| name.clone()).collect(),
            sources: origins.iter().map(used).collect(),
        })
    }

    pub(super) fn is_of(&self, db: &Database, query: &Arc<Query>) -> bool {
        Arc::ptr_eq(&self.query, query) && Arc::ptr_eq(&self.schema, db.schema())
    }

    /// The template's parameters for these; constants are taken from `own`, those of an instance of the
    /// statement. `None` if binding must look at them.
    pub(super) fn pack(
        &self,
        layout: &RowLayout,
        own: &[u8],
        params: &[(String, Param)],
    ) -> Option<Vec<u8>> {
        if params.len() != self.names.len() {
            return None;
        }
        let own = Params {
            layout,
            packed: own,
        };
        let value = |source: u16| {
            let (at, name) = (usize::from(source), &self.names[usize::from(source)]);
            let is_it = |given: &&(String, Param)| given.0 == *name;
            let given = params.get(at).filter(is_it);
            given.or_else(|| params.iter().find(is_it))
        };
        let mut packed = Vec::with_capacity(own.packed.len());
        for (column, ty) in layout.types().iter().enumerate() {
            match self.sources[column] {
                None => packed.extend_from_slice(own.get(column as u16)),
                Some(source) => {
                    let (_, value) = value(source)?;
                    if !pack_param(value, ty, &mut packed) {
                        return None;
                    }
                }
            }
        }
        Some(packed)
    }
}
