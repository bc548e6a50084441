//! Views: named queries of the module, in place of a table or as the whole query.

use syncline_protocol::limits::SQL_DEPTH_MAX;
use syncline_protocol::{ErrorCode, Type, Value, packed};
use syncline_store::Database;

use syncline_protocol::param::Param;

use super::binder::Binder;
use super::names;
use super::operand::Operand;
use super::scopes::Frame;
use crate::Caller;
use crate::declared::Declared;
use crate::error::QueryError;
use crate::plan::Query;
use crate::plan::expr::Expr;
use crate::syntax::{self, Body, Item, Name, Node, Position, Relation};

/// Views in views.
const NESTING_MAX: usize = 4;
const _: () = assert!(
    NESTING_MAX < SQL_DEPTH_MAX,
    "views are a part of what nests"
);

impl<'a> Binder<'a> {
    /// Position of the view that a name means, if no table has it.
    pub(super) fn find_view(&self, name: &Name) -> Option<usize> {
        let is_table = names::table(self.db, name, &self.caller).is_ok();
        if is_table {
            return None;
        }
        names::pick(name, self.declared.views())
    }

    pub(super) fn no_view(&self, name: &Name) -> QueryError {
        let message = format!("there is no view `{}`", name.text);
        let error = QueryError::new(ErrorCode::SqlUnknownTable, message).at(name.at);
        let names: Vec<&str> = self.declared.views().map(|(name, _)| name).collect();
        match names::suggestion(&name.text, &names) {
            Some(hint) => error.hint(hint),
            None => error.hint("views are declared in the module: #[view]"),
        }
    }

    /// The view itself, if the query is `SELECT * FROM view` and no more: its order and limit are those of the
    /// result then.
    pub(super) fn whole_view(
        &mut self,
        query: &'a syntax::Query,
    ) -> Result<Option<Query>, QueryError> {
        let Some((name, args, at)) = whole(query) else {
            return Ok(None);
        };
        match self.find_view(name) {
            Some(view) => self.view(view, args, at).map(Some),
            None => Ok(None),
        }
    }

    /// Binds a view. Without arguments its parameters are those of the query by the same names.
    pub(super) fn view(
        &mut self,
        view: usize,
        args: Option<&'a [Node]>,
        at: Position,
    ) -> Result<Query, QueryError> {
        if self.view_depth == NESTING_MAX {
            let message = format!("views stand in each other over {NESTING_MAX} deep");
            return Err(QueryError::new(ErrorCode::QueryLimit, message).at(at));
        }
        let (def, query) = self.declared.view(view);
        let within = |error: QueryError| QueryError {
            message: format!("view `{}`: {}", def.name, error.to_wire().message),
            position: Some(at),
            ..error
        };
        let query = query.map_err(|error| within(error.clone()))?;
        if let Some(args) = args
            && args.len() != def.params.len()
        {
            let (is, wants) = (args.len(), def.params.len());
            let message = format!("view `{}` takes {wants} arguments, not {is}", def.name);
            return Err(QueryError::new(ErrorCode::SqlParameter, message).at(at));
        }
        let mut local = Vec::with_capacity(def.params.len());
        self.frames.push(Frame::Wall);
        for (position, param) in def.params.iter().enumerate() {
            let (operand, at) = match args {
                Some(args) => (self.operand(&args[position])?, args[position].at),
                None => (self.parameter(&param.name, at)?, at),
            };
            let value = argument(operand, &param.ty).ok_or_else(|| {
                let (view, name, ty) = (&def.name, &param.name, &param.ty);
                let message = format!("`{name}` of view `{view}` takes a value of type {ty}");
                QueryError::new(ErrorCode::SqlType, message)
                    .at(at)
                    .hint("an argument is a literal or a parameter")
            })?;
            local.push((param.name.as_str(), value, param.ty.clone()));
        }
        self.frames.pop();
        let outside = self.local.replace(local);
        self.view_depth += 1;
        let bound = self.walled(query, 0);
        self.view_depth -= 1;
        self.local = outside;
        bound.map_err(within)
    }
}

/// Whether a query is a view of the module and no more: `SELECT * FROM view(..)`.
pub(crate) fn asks_view(
    db: &Database,
    declared: &Declared,
    query: &syntax::Query,
    caller: &Caller,
) -> bool {
    whole(query).is_some_and(|(name, ..)| {
        let is_view = names::pick(name, declared.views()).is_some();
        is_view && names::table(db, name, caller).is_err()
    })
}

/// The name, arguments and place of the relation in `SELECT * FROM relation`.
fn whole(query: &syntax::Query) -> Option<(&Name, Option<&[Node]>, Position)> {
    let Body::Select(select) = &query.body else {
        return None;
    };
    let is_plain = query.with.is_empty()
        && query.order.is_empty()
        && query.after.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && select.filter.is_none()
        && select.group.is_empty()
        && select.having.is_none()
        && !select.distinct
        && select.items.as_slice() == [Item::All];
    let ([source], true) = (select.from.as_slice(), is_plain) else {
        return None;
    };
    match &source.relation {
        Relation::Table(name) => Some((name, None, source.at)),
        Relation::View(name, args) => Some((name, Some(args.as_slice()), source.at)),
        Relation::Query(_) => None,
    }
}

/// An argument as a value of the parameter's type.
fn argument(operand: Operand, ty: &Type) -> Option<Expr> {
    let value: Value = match operand {
        Operand::Free(free) => match free.value.coerce(ty) {
            None if free.is_claim => Param::Null.coerce(ty)?,
            value => value?,
        },
        Operand::Typed(expr @ Expr::Literal(_), own) => {
            return match (&expr, ty) {
                _ if own == *ty => Some(expr),
                (Expr::Literal(literal), Type::Option(inner)) if **inner == own => {
                    let some = [&[0], &*literal.packed].concat();
                    Some(Expr::literal(ty.clone(), some))
                }
                _ => None,
            };
        }
        Operand::Typed(..) => return None,
    };
    let mut bytes = Vec::new();
    packed::encode(ty, &value, &mut bytes).ok()?;
    Some(Expr::literal(ty.clone(), bytes))
}
