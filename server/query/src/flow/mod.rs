//! Live queries of any shape: joins, sub-queries, aggregates, DISTINCT, UNION, windows, derived tables.
//!
//! A query is compiled to a flow: its nodes are the query itself and the queries in its FROM and UNION,
//! children before parents. Changed rows enter at sites ([`Site`]) and become changed combinations of
//! rows, by ways over the tables' indexes ([`hops`]), with the tables as they were read through an
//! [`overlay`]; nothing of a table is copied. What a node makes of them (groups, counters of equal rows, an
//! order) is its state, one for each live instance, and only where mathematics demands it. Changes
//! between nodes are sets of rows with weights ([`zset`]).

mod answers;
mod eval;
mod first;
mod frame;
mod gate;
mod hops;
mod knock;
mod memo;
mod mutant;
mod outputs;
mod overlay;
mod reach;
mod reads;
mod relation;
mod rows;
mod sites;
mod state;
mod step;
mod zset;

use syncline_protocol::{RowLayout, TableId};
use syncline_store::{Database, IndexId};

use crate::error::QueryError;
use crate::plan::expr::ColumnSet;
use crate::plan::{Body, Query, Relation};
use crate::router::{Routes, site_routes};
pub(crate) use eval::{People, Person};
pub(crate) use hops::{From, Hop, Way};
#[cfg(test)]
pub(crate) use mutant::Mutant;
pub(crate) use overlay::Overlay;
pub(crate) use reach::Reach;
pub(crate) use reads::tables_of;
use relation::{Planner, SelectPlan, SubPlans, window_of};
pub(crate) use sites::Site;
use sites::{Feed, Finder};
pub(crate) use state::{Arranged, NodeState, NodeStates};
use state::{Groups, Ordered, WindowPlan};
pub(crate) use step::{Event, FlowScratch, Runner};
pub(crate) use zset::{Entry, ZSet};

/// A query as it lives.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Children before parents; the last one is the query.
    pub(crate) nodes: Vec<Node>,
    pub(crate) sites: Vec<Site>,
    /// Sub-queries that all combinations go through.
    gates: Vec<gate::Gate>,
    /// What each site is routed by; `None` if it is not.
    pub(crate) routes: Vec<Option<Routes>>,
    /// The columns of each site's table that decide where its ways lead: what keeps them leads as it did.
    steers: Vec<ColumnSet>,
    /// Of the outer tuple of what is no sub-query: nothing.
    no_outer: RowLayout,
    subs: SubPlans,
    /// Hidden indexes on its ways.
    pub(crate) hidden: Vec<(TableId, IndexId)>,
    /// Whether some change is a matter of every instance.
    pub(crate) asks_everyone: bool,
    pub(crate) is_stateful: bool,
}

/// A query of a flow.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) body: NodeBody,
    /// Equal rows are one.
    is_distinct: bool,
    window: Option<(WindowPlan, Option<u64>, u64)>,
    pub(crate) layout: RowLayout,
    /// The columns of the sets that its rows are kept in for the node above.
    pub(crate) sets: Vec<Vec<u16>>,
}

#[derive(Debug)]
pub(crate) enum NodeBody {
    Select(Box<SelectPlan>, Vec<Feed>),
    Union(Vec<u16>),
}

struct Compiler<'t> {
    planner: Planner<'t>,
    nodes: Vec<Node>,
    sites: Vec<Site>,
    gates: Vec<gate::Gate>,
}

impl Flow {
    /// Compiles a query whose literals were lifted.
    pub(crate) fn compile(db: &Database, query: &Query) -> Result<Self, QueryError> {
        let planner = Planner {
            db,
            subs: SubPlans::default(),
            hidden: Vec::new(),
        };
        let mut compiler = Compiler {
            planner,
            nodes: Vec::new(),
            sites: Vec::new(),
            gates: Vec::new(),
        };
        compiler.node(query)?;
        let Compiler {
            planner,
            nodes,
            sites,
            gates,
        } = compiler;
        let routes = sites.iter().map(|site| {
            let direct = site.direct.as_ref();
            direct.and_then(|_| site_routes(&site.own))
        });
        let asks_everyone = sites.iter().any(|site| {
            let ways = site.free.iter().filter(|_| site.direct.is_none());
            let mut hops = ways.flat_map(|way| &way.hops);
            hops.any(|hop| matches!(hop, Hop::Everyone { .. }))
        });
        let routes: Vec<Option<Routes>> = routes.collect();
        let steering = |site: &Site| {
            let mut steers = ColumnSet::default();
            for way in site.direct.iter().chain(&site.free) {
                let routed = |number: u16| routes[usize::from(number)].as_deref();
                way.add_steering(site.source, &routed, &mut steers);
            }
            steers
        };
        Ok(Self {
            steers: sites.iter().map(steering).collect(),
            routes,
            gates,
            no_outer: RowLayout::new(Vec::new()),
            subs: planner.subs,
            hidden: planner.hidden,
            asks_everyone,
            is_stateful: nodes.iter().any(Node::is_stateful),
            nodes,
            sites,
        })
    }

    /// The states of a new instance, empty.
    pub(crate) fn new_states(&self) -> NodeStates {
        self.nodes.iter().map(Node::new_state).collect()
    }
}

impl Node {
    fn is_stateful(&self) -> bool {
        let is_select = match &self.body {
            NodeBody::Select(plan, _) => plan.grouping.is_some() || plan.is_distinct,
            NodeBody::Union(_) => false,
        };
        is_select || self.is_distinct || self.window.is_some() || !self.sets.is_empty()
    }

    fn new_state(&self) -> NodeState {
        let (groups, is_distinct) = match &self.body {
            NodeBody::Select(plan, _) => (
                plan.grouping.as_ref().map(|g| Groups::new(&g.plan)),
                plan.is_distinct,
            ),
            NodeBody::Union(_) => (None, false),
        };
        NodeState {
            groups,
            counter: (is_distinct || self.is_distinct).then(Box::default),
            window: self
                .window
                .as_ref()
                .map(|(_, limit, offset)| Box::new(Ordered::new(*limit, *offset))),
            arranged: (!self.sets.is_empty()).then(|| Box::new(Arranged::new(self.sets.len()))),
        }
    }
}

impl Compiler<'_> {
    /// Adds a query and those that it needs; its number.
    fn node(&mut self, query: &Query) -> Result<u16, QueryError> {
        let (body, is_distinct) = match &query.body {
            Body::Union { all, branches } => {
                let children = branches.iter().map(|branch| self.node(branch));
                (NodeBody::Union(children.collect::<Result<_, _>>()?), !all)
            }
            Body::Select(select) => {
                let mut arranged = Vec::new();
                for source in &select.sources {
                    if let Relation::Derived(inner) = &source.relation {
                        arranged.push((self.node(inner)?, Vec::new()));
                    }
                }
                let plan = self.planner.select(select, query, Some(&mut arranged))?;
                let mut finder = Finder {
                    planner: &mut self.planner,
                    node: self.nodes.len() as u16,
                    sites: &mut self.sites,
                    gates: &mut self.gates,
                    feeds: Vec::new(),
                    arranged: &mut arranged,
                };
                finder.find(select)?;
                let feeds = finder.feeds;
                for (node, sets) in arranged {
                    self.nodes[usize::from(node)].sets = sets;
                }
                (NodeBody::Select(Box::new(plan), feeds), false)
            }
        };
        let has_window = query.limit.is_some() || query.offset > 0;
        let window = window_of(query).filter(|_| has_window);
        self.nodes.push(Node {
            body,
            is_distinct,
            window: window.map(|window| (window, query.limit, query.offset)),
            layout: query.layout(),
            sets: Vec::new(),
        });
        Ok(self.nodes.len() as u16 - 1)
    }
}
