//! Whether a schema makes sense: what a server asks before it publishes a module.

use std::collections::{HashMap, HashSet};

use crate::limits::{
    COLUMNS_MAX, INDEXES_MAX, KEY_BYTES_MAX, NAME_BYTES_MAX, PARAMS_MAX, REDUCERS_MAX,
    ROW_BYTES_MAX, SQL_BYTES_MAX, TABLES_MAX, VIEWS_MAX,
};
use crate::packed::DEPTH_MAX;
use crate::schema::{IndexDef, PolicyDef, ReducerDef, ReducerKind, Schema, TableDef, ViewDef};
use crate::types::{Field, Type};

#[cfg(test)]
mod tests;

/// Variants of an enum: what a u8 tag can name.
const VARIANTS_MAX: usize = 256;

/// The first thing that is wrong with a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SchemaError {
    /// For example ``table `player`, column `name` ``.
    pub place: String,
    /// Lower-case sentence without a full stop.
    pub problem: String,
}

impl SchemaError {
    fn new(place: &str, problem: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            problem: problem.into(),
        }
    }
}

impl Schema {
    /// Checks everything that a schema promises to those who use it: names, limits, keys, indexes, types,
    /// lifecycle reducers, and what policies and views are of. The rules stand in docs/module-abi.md. That
    /// the SQL of policies and views means something is for the server's query engine to say.
    pub fn validate(&self) -> Result<(), SchemaError> {
        count_within("schema", "tables", self.tables.len(), TABLES_MAX)?;
        count_within("schema", "reducers", self.reducers.len(), REDUCERS_MAX)?;
        let mut types = NamedTypes::default();
        let mut names = Names::new("table");
        for table in &self.tables {
            names.add("schema", &table.name)?;
            check_table(table, &mut types)?;
        }
        self.check_policies()?;
        let mut names = Names::new("view");
        count_within("schema", "views", self.views.len(), VIEWS_MAX)?;
        for view in &self.views {
            names.add("schema", &view.name)?;
            self.check_view(view, &mut types)?;
        }
        let mut names = Names::new("reducer");
        for reducer in &self.reducers {
            names.add("schema", &reducer.name)?;
            check_reducer(reducer, &mut types)?;
        }
        for kind in [
            ReducerKind::Init,
            ReducerKind::Connected,
            ReducerKind::Disconnected,
        ] {
            let mut same = self.reducers.iter().filter(|reducer| reducer.kind == kind);
            if let (Some(first), Some(second)) = (same.next(), same.next()) {
                let place = format!("reducer `{}`", second.name);
                let kind = format!("{kind:?}").to_lowercase();
                let problem = format!("`{}` is the {kind} reducer already", first.name);
                return Err(SchemaError::new(&place, problem));
            }
        }
        Ok(())
    }
}

impl Schema {
    fn check_policies(&self) -> Result<(), SchemaError> {
        let mut last = None;
        for PolicyDef { table, condition } in &self.policies {
            let Some(def) = self.tables.get(usize::from(*table)) else {
                let problem = format!("a policy is of table {table}, which is not there");
                return Err(SchemaError::new("schema", problem));
            };
            let place = format!("policy of table `{}`", def.name);
            if last >= Some(*table) {
                let problem = "policies stand in the order of their tables, one each";
                return Err(SchemaError::new(&place, problem));
            }
            last = Some(*table);
            if !def.public {
                let problem = "clients see no row of the table: make it `public` as well";
                return Err(SchemaError::new(&place, problem));
            }
            check_sql(&place, condition)?;
        }
        Ok(())
    }

    fn check_view<'s>(
        &'s self,
        view: &'s ViewDef,
        types: &mut NamedTypes<'s>,
    ) -> Result<(), SchemaError> {
        let place = format!("view `{}`", view.name);
        if self.table(&view.name).is_some() {
            return Err(SchemaError::new(&place, "a table has that name"));
        }
        count_within(&place, "parameters", view.params.len(), PARAMS_MAX)?;
        types.check_fields(&place, "parameter", &view.params, 0)?;
        check_sql(&place, &view.sql)
    }
}

fn check_sql(place: &str, sql: &str) -> Result<(), SchemaError> {
    let problem = match sql.len() {
        0 => "its SQL is empty".to_owned(),
        len if len > SQL_BYTES_MAX => format!("its SQL is over {SQL_BYTES_MAX} bytes"),
        _ => return Ok(()),
    };
    Err(SchemaError::new(place, problem))
}

/// The names of one kind of thing in one place: identifiers, each once.
struct Names<'s> {
    kind: &'static str,
    seen: HashSet<&'s str>,
}

impl<'s> Names<'s> {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            seen: HashSet::new(),
        }
    }

    fn add(&mut self, place: &str, name: &'s str) -> Result<(), SchemaError> {
        check_name(place, self.kind, name)?;
        if self.seen.insert(name) {
            return Ok(());
        }
        Err(SchemaError::new(
            place,
            format!("{} `{name}` is declared twice", self.kind),
        ))
    }
}

fn check_name(place: &str, kind: &str, name: &str) -> Result<(), SchemaError> {
    let problem = if name.is_empty() {
        format!("a {kind} has an empty name")
    } else if name.len() > NAME_BYTES_MAX {
        let start: String = name.chars().take(20).collect();
        format!("the name of {kind} `{start}..` is over {NAME_BYTES_MAX} bytes")
    } else if name.starts_with("__") {
        format!("{kind} `{name}`: names that start with `__` are reserved")
    } else if name.starts_with(|c: char| c.is_ascii_digit())
        || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    {
        format!(
            "{kind} `{}`: a name has letters, digits and `_`, no digit first",
            name.escape_debug()
        )
    } else {
        return Ok(());
    };
    Err(SchemaError::new(place, problem))
}

fn count_within(place: &str, what: &str, count: usize, max: usize) -> Result<(), SchemaError> {
    if count <= max {
        return Ok(());
    }
    Err(SchemaError::new(
        place,
        format!("{count} {what}, at most {max} are allowed"),
    ))
}

/// Structs and enums by name: one name, one definition, or generated code could not name them.
#[derive(Default)]
struct NamedTypes<'s> {
    by_name: HashMap<&'s str, &'s Type>,
}

impl<'s> NamedTypes<'s> {
    fn check(&mut self, place: &str, ty: &'s Type, depth: usize) -> Result<(), SchemaError> {
        if depth > DEPTH_MAX {
            return Err(SchemaError::new(
                place,
                format!("types nest over {DEPTH_MAX} deep"),
            ));
        }
        match ty {
            Type::Option(inner) if matches!(**inner, Type::Option(_)) => Err(SchemaError::new(
                place,
                format!("options do not nest: {ty}"),
            )),
            Type::Option(inner) | Type::List(inner) => self.check(place, inner, depth + 1),
            Type::Struct(inner) => {
                let inside = format!("{place}, struct `{}`", inner.name);
                self.define(place, "struct", &inner.name, ty)?;
                if inner.fields.is_empty() {
                    return Err(SchemaError::new(&inside, "a struct has at least one field"));
                }
                count_within(&inside, "fields", inner.fields.len(), COLUMNS_MAX)?;
                self.check_fields(&inside, "field", &inner.fields, depth + 1)
            }
            Type::Enum(inner) => {
                let inside = format!("{place}, enum `{}`", inner.name);
                self.define(place, "enum", &inner.name, ty)?;
                if inner.variants.is_empty() {
                    return Err(SchemaError::new(
                        &inside,
                        "an enum has at least one variant",
                    ));
                }
                count_within(&inside, "variants", inner.variants.len(), VARIANTS_MAX)?;
                let mut names = Names::new("variant");
                for variant in &inner.variants {
                    names.add(&inside, &variant.name)?;
                    if let Some(payload) = &variant.payload {
                        let inside = format!("{inside}, variant `{}`", variant.name);
                        self.check(&inside, payload, depth + 1)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_fields(
        &mut self,
        place: &str,
        kind: &'static str,
        fields: &'s [Field],
        depth: usize,
    ) -> Result<(), SchemaError> {
        let mut names = Names::new(kind);
        for field in fields {
            names.add(place, &field.name)?;
            self.check(
                &format!("{place}, {kind} `{}`", field.name),
                &field.ty,
                depth,
            )?;
        }
        Ok(())
    }

    fn define(
        &mut self,
        place: &str,
        kind: &str,
        name: &'s str,
        ty: &'s Type,
    ) -> Result<(), SchemaError> {
        check_name(place, kind, name)?;
        if *self.by_name.entry(name).or_insert(ty) == ty {
            return Ok(());
        }
        Err(SchemaError::new(
            place,
            format!("type `{name}` has another definition elsewhere"),
        ))
    }
}

fn check_table<'s>(table: &'s TableDef, types: &mut NamedTypes<'s>) -> Result<(), SchemaError> {
    let place = format!("table `{}`", table.name);
    if table.columns.is_empty() {
        return Err(SchemaError::new(&place, "a table has at least one column"));
    }
    count_within(&place, "columns", table.columns.len(), COLUMNS_MAX)?;
    count_within(&place, "indexes", table.indexes.len(), INDEXES_MAX)?;
    let mut names = Names::new("column");
    let mut row_bytes = 0;
    for column in &table.columns {
        names.add(&place, &column.name)?;
        types.check(&format!("{place}, column `{}`", column.name), &column.ty, 0)?;
        row_bytes += column.ty.fixed_len().unwrap_or(0);
    }
    if row_bytes > ROW_BYTES_MAX {
        let problem = format!("a row has over {ROW_BYTES_MAX} bytes");
        return Err(SchemaError::new(&place, problem));
    }
    check_key(&format!("{place}, primary key"), table, &table.primary_key)?;
    for &column in &table.primary_key {
        let column = &table.columns[usize::from(column)];
        if matches!(column.ty, Type::Option(_)) {
            let problem = format!("column `{}` is an option: a key is never null", column.name);
            return Err(SchemaError::new(&format!("{place}, primary key"), problem));
        }
    }
    let mut names = Names::new("index");
    for index in &table.indexes {
        names.add(&place, &index.name)?;
        check_key(
            &format!("{place}, index `{}`", index.name),
            table,
            &index.columns,
        )?;
    }
    check_auto_increment(&place, table)
}

fn check_key(place: &str, table: &TableDef, columns: &[u16]) -> Result<(), SchemaError> {
    if columns.is_empty() {
        return Err(SchemaError::new(place, "it has no columns"));
    }
    let mut seen = HashSet::new();
    let mut key_bytes = 0;
    for &position in columns {
        let Some(column) = table.columns.get(usize::from(position)) else {
            let count = table.columns.len();
            let problem = format!("it names column {position}, but the table has {count}");
            return Err(SchemaError::new(place, problem));
        };
        if !seen.insert(position) {
            let problem = format!("it names column `{}` twice", column.name);
            return Err(SchemaError::new(place, problem));
        }
        if column.ty.has_json() {
            let problem = format!(
                "column `{}` has JSON in it, which has no order: keep what is looked up in a column of its own",
                column.name
            );
            return Err(SchemaError::new(place, problem));
        }
        key_bytes += column.ty.fixed_len().unwrap_or(0);
    }
    if key_bytes > KEY_BYTES_MAX {
        return Err(SchemaError::new(
            place,
            format!("a key has over {KEY_BYTES_MAX} bytes"),
        ));
    }
    Ok(())
}

fn check_auto_increment(place: &str, table: &TableDef) -> Result<(), SchemaError> {
    let Some(position) = table.auto_increment else {
        return Ok(());
    };
    let place = format!("{place}, auto_increment");
    let Some(column) = table.columns.get(usize::from(position)) else {
        let count = table.columns.len();
        let problem = format!("it names column {position}, but the table has {count}");
        return Err(SchemaError::new(&place, problem));
    };
    if !column.ty.is_integer() {
        let problem = format!(
            "column `{}` is a {}, not an integer",
            column.name, column.ty
        );
        return Err(SchemaError::new(&place, problem));
    }
    let is_alone = |columns: &[u16]| columns == [position];
    let is_unique = |index: &IndexDef| index.unique && is_alone(&index.columns);
    if is_alone(&table.primary_key) || table.indexes.iter().any(is_unique) {
        return Ok(());
    }
    let problem = format!(
        "column `{}` must be the primary key or unique by itself",
        column.name
    );
    Err(SchemaError::new(&place, problem))
}

fn check_reducer<'s>(
    reducer: &'s ReducerDef,
    types: &mut NamedTypes<'s>,
) -> Result<(), SchemaError> {
    let place = format!("reducer `{}`", reducer.name);
    let is_lifecycle = reducer.kind != ReducerKind::Call;
    if is_lifecycle && !reducer.params.is_empty() {
        return Err(SchemaError::new(
            &place,
            "a lifecycle reducer has no parameters",
        ));
    }
    if is_lifecycle && reducer.returns.is_some() {
        return Err(SchemaError::new(
            &place,
            "a lifecycle reducer returns nothing",
        ));
    }
    count_within(&place, "parameters", reducer.params.len(), PARAMS_MAX)?;
    types.check_fields(&place, "parameter", &reducer.params, 0)?;
    match &reducer.returns {
        Some(ty) => types.check(&format!("{place}, result"), ty, 0),
        None => Ok(()),
    }
}
