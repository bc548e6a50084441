//! What identifies a row of a select, by the equalities between its sources.
//!
//! A source is determined by others if an equality gives each column of one of its keys a value that
//! they have. The key of a join is those of its sources that no others determine.

use syncline_protocol::Type;
use syncline_store::Database;

use super::operand::nullable;
use crate::plan::expr::{Expr, Slot};
use crate::plan::{Relation, Select, Source};
use crate::scalar::is_nullable;
use crate::syntax::CompareOp;

/// Columns of a source.
type Columns = Vec<u16>;

/// The key that a source's rows have, and all sets of columns that are unique without NULLs.
fn keys_of(db: &Database, source: &Source) -> (Columns, Vec<Columns>) {
    match &source.relation {
        Relation::Derived(query) => (query.key.clone(), vec![query.key.clone()]),
        Relation::Table(id) => {
            let Some(table) = db.table(*id) else {
                return (Vec::new(), Vec::new());
            };
            let def = table.def();
            let never_null = |columns: &[u16]| {
                let mut types = columns.iter().map(|c| &def.columns[usize::from(*c)].ty);
                types.all(|ty| !is_nullable(ty))
            };
            let unique = def
                .indexes
                .iter()
                .filter(|index| index.unique && never_null(&index.columns));
            let mut keys = vec![def.primary_key.clone()];
            keys.extend(unique.map(|index| index.columns.clone()));
            (def.primary_key.clone(), keys)
        }
    }
}

/// The sources that an expression reads, as bits.
pub(crate) fn sources_of(expr: &Expr) -> u32 {
    let mut read = 0;
    expr.any(&mut |part| {
        if let Expr::Column(slot) | Expr::ColumnIs(slot, _) = part {
            read |= 1 << slot.source;
        }
        false
    });
    read
}

/// `column of the source = what`, and the sources that `what` reads.
fn equalities(condition: Option<&Expr>, source: usize) -> Vec<(u16, u32)> {
    let mut found = Vec::new();
    for atom in condition.map_or(&[][..], Expr::conjuncts) {
        let Expr::Compare(CompareOp::Equal, left, right) = atom else {
            continue;
        };
        for (side, other) in [(left, right), (right, left)] {
            if let Expr::Column(slot) = side.as_ref()
                && usize::from(slot.source) == source
                && sources_of(other) & (1 << source) == 0
            {
                found.push((slot.index, sources_of(other)));
            }
        }
    }
    found
}

/// Whether the chosen sources determine all others.
fn determine_all(sources: &[SourceKeys], chosen: u32) -> bool {
    let mut known = chosen;
    loop {
        let mut grown = known;
        for (number, source) in sources.iter().enumerate() {
            let is_given = |column: &u16| {
                let mut given = source.equal.iter();
                given.any(|(own, reads)| own == column && reads & !known == 0)
            };
            if source.unique.iter().any(|key| key.iter().all(is_given)) {
                grown |= 1 << number;
            }
        }
        if grown == known {
            return known.count_ones() as usize == sources.len();
        }
        known = grown;
    }
}

struct SourceKeys {
    own: Columns,
    unique: Vec<Columns>,
    equal: Vec<(u16, u32)>,
}

fn source_keys(db: &Database, select: &Select) -> Vec<SourceKeys> {
    let sources = select.sources.iter().enumerate();
    sources
        .map(|(number, source)| {
            let (own, unique) = keys_of(db, source);
            // What WHERE says of a row of NULLs does not determine the row that is missing.
            let condition = source.left_on.as_ref().or(select.filter.as_ref());
            SourceKeys {
                own,
                unique,
                equal: equalities(condition, number),
            }
        })
        .collect()
}

/// Whether the select, ungrouped, has at most one row.
pub(super) fn is_single(db: &Database, select: &Select) -> bool {
    determine_all(&source_keys(db, select), 0)
}

/// Expressions over the sources that are unique together in a select's rows before grouping.
pub(super) fn row_key(db: &Database, select: &Select) -> Vec<(Expr, Type)> {
    let sources = source_keys(db, select);
    let mut chosen: u32 = (1 << sources.len()) - 1;
    for number in (0..sources.len()).rev() {
        // One source alone keeps its key, though constants may determine it.
        let without = chosen & !(1 << number);
        if without != 0 && determine_all(&sources, without) {
            chosen = without;
        }
    }
    let mut key = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        if chosen & (1 << number) == 0 {
            continue;
        }
        let types = select.sources[number].layout.types();
        for column in &source.own {
            let ty = &types[usize::from(*column)];
            let expr = Expr::Column(Slot::of(number, usize::from(*column), ty));
            let is_left = select.sources[number].left_on.is_some();
            key.push((expr, if is_left { nullable(ty) } else { ty.clone() }));
        }
    }
    key
}
