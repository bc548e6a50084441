//! How a query is computed for one instance: the joins' ways, then what is done with their rows. The same
//! plan serves the first answer, a sub-query for one outer tuple, and one combination of rows in a step.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use syncline_protocol::{ErrorCode, RowLayout, TableId};
use syncline_store::{Database, IndexId, Table};

use super::hops::{Cond, From, Hop, Map, NoWay, Stop, Way, Wish, refs_of};
use super::memo::Given;
use super::outputs::Outputs;
use super::overlay::Side;
use super::reads::params_of;
use super::state::{GroupPlan, WindowPlan};
use crate::error::QueryError;
use crate::plan::expr::{Expr, Params};
use crate::plan::{Body, Grouping, Query, Relation, Select, SubQuery};

/// A query as it is computed.
#[derive(Debug)]
pub(crate) struct Rel {
    pub(crate) arms: Vec<Arm>,
    /// Equal rows of the arms are one.
    pub(crate) is_distinct: bool,
    pub(crate) window: Option<WindowPlan>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    /// Of the outer tuple, if it is a sub-query.
    pub(crate) outer: RowLayout,
    /// Parameters that it reads, ascending.
    params: Box<[u16]>,
}

impl Rel {
    /// The parameters that it reads: whoever gives the same ones gets the same rows.
    pub(super) fn given(&self, params: Params<'_>) -> Given {
        let mut given = Given::new();
        for index in &self.params {
            given.extend_from_slice(params.get(*index));
        }
        given
    }
}

/// A branch of a union; a query without one is its only branch.
#[derive(Debug)]
pub(crate) enum Arm {
    Select(Box<SelectPlan>),
    Query(Box<Rel>),
}

/// A select as it is computed.
#[derive(Debug)]
pub(crate) struct SelectPlan {
    /// Of the sources' rows.
    pub(crate) layouts: Vec<RowLayout>,
    /// The queries among the sources, which are computed first; empty where they are arranged nodes.
    pub(crate) derived: Vec<Derived>,
    /// Leads through the inner sources.
    pub(crate) way: Way,
    pub(crate) inner_count: usize,
    pub(crate) lefts: Vec<Left>,
    /// Conditions on the whole combination.
    pub(crate) residual: Vec<Expr>,
    pub(crate) grouping: Option<GroupingPlan>,
    pub(crate) outputs: Outputs,
    pub(crate) is_distinct: bool,
    /// See [`Self::shows_only`].
    shown: Option<u8>,
}

impl SelectPlan {
    /// Whether a combination is let through and what it becomes depends on the row of one source alone, and
    /// on no parameter.
    pub(crate) fn shows_only(&self, source: u8) -> bool {
        self.shown == Some(source)
    }

    /// The only source that the outputs read, if they are columns and nothing happens to combinations on
    /// the way to them.
    fn only_shown(&self) -> Option<u8> {
        if !self.lefts.is_empty() || !self.residual.is_empty() || self.grouping.is_some() {
            return None;
        }
        let mut only = None;
        for expr in self.outputs.exprs() {
            match expr {
                Expr::Column(slot) if only.is_none_or(|only| only == slot.source) => {
                    only = Some(slot.source);
                }
                _ => return None,
            }
        }
        only
    }
}

/// A query among the sources, and the columns of the sets that its rows are arranged in.
#[derive(Debug)]
pub(crate) struct Derived {
    pub(crate) rel: Rel,
    pub(crate) layout: RowLayout,
    pub(crate) sets: Vec<Vec<u16>>,
}

/// A LEFT JOIN: the rows of its source, and the conditions that they must meet.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) source: u8,
    pub(crate) hop: Hop,
    pub(crate) on: Vec<Expr>,
}

#[derive(Debug)]
pub(crate) struct GroupingPlan {
    pub(crate) plan: GroupPlan,
    /// The keys, then the arguments of the calls that have one.
    pub(crate) inputs: Outputs,
    pub(crate) having: Option<Expr>,
    /// Of the groups' rows.
    pub(crate) layout: RowLayout,
}

/// The sub-queries of a flow, by where the flow's expressions have them in memory.
#[derive(Debug, Default)]
pub(crate) struct SubPlans(HashMap<usize, Rel, FixedState>);

impl SubPlans {
    pub(crate) fn get(&self, sub_query: &SubQuery) -> Option<&Rel> {
        self.0.get(&std::ptr::from_ref(sub_query).addr())
    }
}

/// Arranged nodes, with the columns of their sets of rows.
pub(crate) type Nodes = Vec<(u16, Vec<Vec<u16>>)>;

/// Makes plans.
pub(crate) struct Planner<'t> {
    pub(crate) db: &'t Database,
    pub(crate) subs: SubPlans,
    /// Hidden indexes on the ways of its plans.
    pub(crate) hidden: Vec<(TableId, IndexId)>,
}

/// Whether an expression has a sub-query.
pub(crate) fn has_sub_query(expr: &Expr) -> bool {
    expr.any(&mut |part| part.sub_query().is_some())
}

pub(crate) fn has_outer(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part, Expr::Outer(_)))
}

pub(crate) fn unsupported(message: &str, hint: &str) -> QueryError {
    QueryError::new(ErrorCode::LiveUnsupported, message).hint(hint)
}

/// The parts of a select's filter: conditions on inner rows alone, and all others.
pub(crate) fn split_filter(select: &Select) -> (Vec<Expr>, Vec<Expr>) {
    let inner_count = select
        .sources
        .iter()
        .filter(|s| s.left_on.is_none())
        .count();
    let inner: u32 = (1 << inner_count) - 1;
    let conjuncts = select.filter.iter().flat_map(Expr::conjuncts).cloned();
    conjuncts.partition(|expr| !has_sub_query(expr) && refs_of(expr).0 & !inner == 0)
}

impl<'t> Planner<'t> {
    pub(crate) fn table(&self) -> impl Fn(TableId) -> Option<&'t Table> + use<'t> {
        let db = self.db;
        move |id| db.table(id)
    }

    /// The error of a source that no index leads to.
    pub(crate) fn no_way(&self, no_way: &NoWay) -> QueryError {
        let table = no_way.table.and_then(|id| self.db.table(id));
        let Some(def) = table.map(Table::def) else {
            return unsupported(
                "no condition leads to the rows of a derived table",
                "compare its columns with those of another table",
            );
        };
        let message = format!("no index leads to the rows of `{}` in this query", def.name);
        let error = QueryError::new(ErrorCode::LiveNoAccessPath, message);
        let Some(missing) = &no_way.missing else {
            return error
                .hint("compare a column of it with a column of another table or a parameter");
        };
        let name = |column: &u16| def.columns[usize::from(*column)].name.as_str();
        let columns: Vec<&str> = missing.columns.iter().map(name).collect();
        let (kind, columns) = (missing.kind(), columns.join(", "));
        let hint = format!("declare {kind} on {}({columns}) in the module", def.name);
        QueryError {
            missing: Some(Box::new(missing.clone())),
            ..error.hint(hint)
        }
    }

    /// Notes the hidden indexes of a way.
    pub(crate) fn note_hidden(&mut self, hops: &[Hop]) {
        for index in hops.iter().filter_map(Hop::hidden_index) {
            if !self.hidden.contains(&index) {
                self.hidden.push(index);
            }
        }
    }

    /// Plans every sub-query of an expression that stays where it is.
    pub(crate) fn register(&mut self, expr: &Expr) -> Result<(), QueryError> {
        let mut found: Vec<&SubQuery> = Vec::new();
        collect(expr, &mut found);
        for sub_query in found {
            let mut rel = self.rel(&sub_query.query)?;
            let outer = sub_query.outer.iter().map(|(_, ty)| ty.clone());
            rel.outer = RowLayout::new(outer.collect());
            let place = std::ptr::from_ref(sub_query).addr();
            self.subs.0.insert(place, rel);
        }
        Ok(())
    }

    /// Plans a query that is computed from tables alone.
    pub(crate) fn rel(&mut self, query: &Query) -> Result<Rel, QueryError> {
        let (arms, is_distinct) = match &query.body {
            Body::Select(select) => {
                let plan = self.select(select, query, None)?;
                (vec![Arm::Select(Box::new(plan))], false)
            }
            Body::Union { all, branches } => {
                let arms = branches
                    .iter()
                    .map(|branch| Ok(Arm::Query(Box::new(self.rel(branch)?))));
                (arms.collect::<Result<_, QueryError>>()?, !all)
            }
        };
        Ok(Rel {
            arms,
            is_distinct,
            window: window_of(query),
            limit: query.limit,
            offset: query.offset,
            outer: RowLayout::new(Vec::new()),
            params: params_of(query),
        })
    }

    /// Plans a select. `nodes` are the arranged nodes of its derived sources, with the columns of their
    /// sets; without them the plan computes those sources itself.
    pub(crate) fn select(
        &mut self,
        select: &Select,
        query: &Query,
        mut nodes: Option<&mut Nodes>,
    ) -> Result<SelectPlan, QueryError> {
        let (stops, mut derived) = self.stops(select, nodes.as_deref())?;
        let inner_count = stops.iter().filter(|stop| stop.is_wanted).count();
        let (pure, residual) = split_filter(select);
        let conds = pure.into_iter().map(|expr| Cond::new(expr, None)).collect();
        let mut map = Map { stops, conds };
        let tables = self.table();
        let mut sets = |node: u16, columns: Vec<u16>| {
            let sets = match &mut nodes {
                Some(nodes) => nodes
                    .iter_mut()
                    .find(|(own, _)| *own == node)
                    .map(|(_, sets)| sets),
                None => derived
                    .get_mut(usize::from(node))
                    .map(|derived| &mut derived.sets),
            };
            set_number(sets.expect("sources name nodes that are there"), columns)
        };
        let is_correlated = map.conds.iter().any(|cond| has_outer(&cond.expr));
        let wish = Wish {
            start: None,
            is_bound: true,
            may_route_start: false,
            may_scan: !is_correlated,
        };
        // Sources of LEFT JOINs are found for each combination, after the others.
        let lefts_from = inner_count;
        let left_stops = map.stops.split_off(lefts_from);
        let way = map
            .way(&tables, wish, &mut sets)
            .map_err(|no_way| self.no_way(&no_way))?;
        self.note_hidden(&way.hops);
        let mut lefts = Vec::new();
        for (offset, stop) in left_stops.into_iter().enumerate() {
            let source = (lefts_from + offset) as u8;
            let on = select.sources[usize::from(source)].left_on.as_ref();
            let on: Vec<Expr> = on.iter().flat_map(|on| on.conjuncts()).cloned().collect();
            let pure = on.iter().filter(|expr| !has_sub_query(expr));
            let mut conds: Vec<Cond> = pure.map(|expr| Cond::new(expr.clone(), None)).collect();
            std::mem::swap(&mut conds, &mut map.conds);
            map.stops.push(stop);
            let found = map.hop_to(source, &tables, &mut sets);
            let hop = found.map_err(|no_way| self.no_way(&no_way))?;
            self.note_hidden(std::slice::from_ref(&hop));
            lefts.push(Left { source, hop, on });
        }
        let grouping = select.grouping.as_ref().map(grouping_plan);
        let types = query.outputs.iter().map(|output| output.ty.clone());
        let mut plan = SelectPlan {
            layouts: map.stops.iter().map(|stop| stop.layout.clone()).collect(),
            derived,
            way,
            inner_count,
            lefts,
            residual,
            grouping,
            outputs: Outputs::new(select.exprs.iter().cloned().zip(types).collect()),
            is_distinct: select.distinct,
            shown: None,
        };
        plan.shown = plan.only_shown();
        self.register_all(&plan)?;
        Ok(plan)
    }

    /// The sources as stops, and the plans of those that are not nodes.
    fn stops(
        &mut self,
        select: &Select,
        nodes: Option<&Nodes>,
    ) -> Result<(Vec<Stop>, Vec<Derived>), QueryError> {
        let mut derived = Vec::new();
        let mut stops = Vec::new();
        let mut node_count = 0;
        for source in &select.sources {
            let from = match &source.relation {
                Relation::Table(id) => From::Table(*id),
                Relation::Derived(inner) => {
                    node_count += 1;
                    if let Some(nodes) = &nodes {
                        From::Node(nodes[node_count - 1].0)
                    } else {
                        derived.push(Derived {
                            rel: self.rel(inner)?,
                            layout: source.layout.clone(),
                            sets: Vec::new(),
                        });
                        From::Node(derived.len() as u16 - 1)
                    }
                }
            };
            stops.push(Stop {
                from,
                layout: source.layout.clone(),
                side: Side::After,
                is_wanted: source.left_on.is_none(),
                site: None,
            });
        }
        Ok((stops, derived))
    }

    fn register_all(&mut self, plan: &SelectPlan) -> Result<(), QueryError> {
        let lefts = plan.lefts.iter().flat_map(|left| &left.on);
        for expr in lefts.chain(&plan.residual) {
            self.register(expr)?;
        }
        let outputs = plan.outputs.exprs();
        match &plan.grouping {
            None => outputs.clone().try_for_each(|expr| self.register(expr)),
            Some(grouping) => {
                if outputs.clone().chain(&grouping.having).any(has_sub_query) {
                    return Err(unsupported(
                        "a sub-query beside GROUP BY, over its groups, is not live",
                        "group in a derived table and compare with the sub-query around it",
                    ));
                }
                let mut inputs = grouping.inputs.exprs();
                inputs.try_for_each(|expr| self.register(expr))
            }
        }
    }
}

/// The number of a set by these columns.
fn set_number(sets: &mut Vec<Vec<u16>>, columns: Vec<u16>) -> usize {
    let found = sets.iter().position(|own| *own == columns);
    found.unwrap_or_else(|| {
        sets.push(columns);
        sets.len() - 1
    })
}

fn grouping_plan(grouping: &Grouping) -> GroupingPlan {
    let args = grouping.calls.iter().filter_map(|call| {
        let arg = call.arg.clone()?;
        Some((arg, call.arg_ty.clone()))
    });
    GroupingPlan {
        plan: GroupPlan::new(grouping),
        inputs: Outputs::new(grouping.keys.iter().cloned().chain(args).collect()),
        having: grouping.having.clone(),
        layout: grouping.layout(),
    }
}

/// The window of a query that has one; an order without a limit is the client's business.
pub(crate) fn window_of(query: &Query) -> Option<WindowPlan> {
    let order = query.total_order();
    (!order.is_empty() || query.limit.is_some() || query.offset > 0).then(|| WindowPlan {
        order,
        layout: query.layout(),
    })
}

fn collect<'e>(expr: &'e Expr, out: &mut Vec<&'e SubQuery>) {
    out.extend(expr.sub_query());
    expr.for_each_part(&mut |part| collect(part, out));
}
