//! `#[table]`: what is written, checked.

use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Error, Expr, Field, Fields, FieldsNamed, Ident, ItemStruct};

use crate::attributes::{Arguments, IndexArgument, Marks, twice};
use crate::derive::{merge, refuse_generics};
use crate::names::{checked, plain, snake_case};

/// Columns of a key that the SDK's traits go up to.
const KEY_COLUMNS_MAX: usize = 4;
/// Methods that every table's handle has: an index of that name would hide one.
const METHODS: [&str; 10] = [
    "insert", "find", "contains", "update", "upsert", "delete", "clear", "iter", "count", "deref",
];

/// A checked table.
pub(crate) struct Table {
    pub(crate) name: String,
    /// For the method on `Db`, with the span of what named it.
    pub(crate) accessor: Ident,
    pub(crate) public: bool,
    pub(crate) primary_key: Vec<usize>,
    pub(crate) auto_increment: Option<usize>,
    pub(crate) indexes: Vec<Index>,
    /// Condition for the rows that a client sees.
    pub(crate) policy: Option<Expr>,
}

/// A checked secondary index.
pub(crate) struct Index {
    pub(crate) name: Ident,
    pub(crate) columns: Vec<usize>,
    pub(crate) ordered: bool,
    /// Only if it is ordered.
    pub(crate) counted: bool,
    pub(crate) unique: bool,
}

/// Reads and checks a table; marks and policy are those that were taken off its fields and itself.
pub(crate) fn check(
    args: TokenStream,
    input: &ItemStruct,
    marks: &[Marks],
    policy: Option<Expr>,
) -> Result<(Table, FieldsNamed), Error> {
    let arguments: Arguments = syn::parse2(args)?;
    refuse_generics(&input.generics)?;
    let Fields::Named(fields) = &input.fields else {
        return Err(Error::new(
            input.ident.span(),
            "a table is a struct with named fields",
        ));
    };
    let mut wrong = None;
    let accessor = arguments.name.clone().unwrap_or_else(|| {
        let snake = snake_case(&plain(&input.ident));
        // A struct `Type` makes a table `type`, whose method is `r#type`.
        match syn::parse_str::<Ident>(&snake) {
            Ok(_) => Ident::new(&snake, input.ident.span()),
            Err(_) => Ident::new_raw(&snake, input.ident.span()),
        }
    });
    let primary_key = primary_key(&arguments, input, fields, marks).unwrap_or_else(|error| {
        merge(&mut wrong, Err(error));
        Vec::new()
    });
    let auto_increment = auto_increment(marks).unwrap_or_else(|error| {
        merge(&mut wrong, Err(error));
        None
    });
    let indexes = indexes(&arguments, fields, marks, &primary_key).unwrap_or_else(|error| {
        merge(&mut wrong, Err(error));
        Vec::new()
    });
    if let (None, Some(column)) = (&wrong, auto_increment) {
        merge(
            &mut wrong,
            unique_alone(fields, column, &primary_key, &indexes),
        );
    }
    let name = checked(&accessor).unwrap_or_else(|error| {
        merge(&mut wrong, Err(error));
        String::new()
    });
    if let (Some(policy), false) = (&policy, arguments.public) {
        let message = "clients see no row of this table: a policy needs `#[table(public)]`";
        merge(&mut wrong, Err(Error::new_spanned(policy, message)));
    }
    if let Some(error) = wrong {
        return Err(error);
    }
    let table = Table {
        name,
        accessor,
        public: arguments.public,
        primary_key,
        auto_increment,
        indexes,
        policy,
    };
    Ok((table, fields.clone()))
}

fn position(fields: &FieldsNamed, column: &Ident) -> Result<usize, Error> {
    let is_it = |field: &Field| field.ident.as_ref() == Some(column);
    fields.named.iter().position(is_it).ok_or_else(|| {
        let names: Vec<_> = fields
            .named
            .iter()
            .filter_map(|field| field.ident.as_ref())
            .map(plain)
            .collect();
        let message = format!(
            "there is no column `{column}`; there are {}",
            names.join(", ")
        );
        Error::new(column.span(), message)
    })
}

/// Positions of the columns of a key, each at most once.
fn key_columns(fields: &FieldsNamed, columns: &[Ident]) -> Result<Vec<usize>, Error> {
    let mut positions = Vec::new();
    for column in columns {
        let position = position(fields, column)?;
        if positions.contains(&position) {
            return Err(twice(column));
        }
        positions.push(position);
    }
    if let Some(beyond) = columns.get(KEY_COLUMNS_MAX) {
        let message = format!("a key has at most {KEY_COLUMNS_MAX} columns");
        return Err(Error::new(beyond.span(), message));
    }
    Ok(positions)
}

fn primary_key(
    arguments: &Arguments,
    input: &ItemStruct,
    fields: &FieldsNamed,
    marks: &[Marks],
) -> Result<Vec<usize>, Error> {
    let marked: Vec<_> = (0..)
        .zip(marks)
        .filter_map(|(i, m)| Some((i, m.primary_key.as_ref()?)))
        .collect();
    match (&arguments.primary_key, marked.as_slice()) {
        (Some((_, columns)), []) => key_columns(fields, columns),
        (None, [(position, _)]) => Ok(vec![*position]),
        (Some((keyword, _)), [..]) => Err(Error::new(
            keyword.span(),
            "the primary key is either `primary_key(..)` here or `#[primary_key]` before one column",
        )),
        (None, [_, (_, second), ..]) => Err(Error::new_spanned(
            second,
            "for a key of several columns write `#[table(primary_key(a, b))]`, which says their order",
        )),
        (None, []) => Err(Error::new(
            input.ident.span(),
            "a table needs a primary key: `#[primary_key]` before a column, or \
             `#[table(primary_key(a, b))]`",
        )),
    }
}

fn auto_increment(marks: &[Marks]) -> Result<Option<usize>, Error> {
    let mut marked = (0..)
        .zip(marks)
        .filter_map(|(i, m)| Some((i, m.auto_increment.as_ref()?)));
    let first = marked.next();
    match marked.next() {
        Some((_, second)) => Err(Error::new_spanned(
            second,
            "a table has at most one auto-increment column",
        )),
        None => Ok(first.map(|(position, _)| position)),
    }
}

/// Two rows with the same number would be of no use.
fn unique_alone(
    fields: &FieldsNamed,
    column: usize,
    primary_key: &[usize],
    indexes: &[Index],
) -> Result<(), Error> {
    let is_unique = |index: &Index| index.unique && index.columns == [column];
    if primary_key == [column] || indexes.iter().any(is_unique) {
        return Ok(());
    }
    let message = "an auto-increment column is the primary key or has `#[unique]`";
    Err(Error::new(fields.named[column].span(), message))
}

fn indexes(
    arguments: &Arguments,
    fields: &FieldsNamed,
    marks: &[Marks],
    primary_key: &[usize],
) -> Result<Vec<Index>, Error> {
    let mut wrong = None;
    let mut indexes: Vec<Index> = Vec::new();
    for (column, (marks, field)) in marks.iter().zip(&fields.named).enumerate() {
        let ordered = marks.index.as_ref().is_some_and(|(_, kind)| kind.ordered);
        let counted = marks.index.as_ref().is_some_and(|(_, kind)| kind.counted);
        let Some(mark) = marks
            .unique
            .as_ref()
            .or(marks.index.as_ref().map(|(mark, _)| mark))
        else {
            continue;
        };
        if primary_key == [column] && (marks.unique.is_some() || !ordered) {
            let message = "the primary key is unique and can be found by already; only \
                           `#[index(ordered)]` adds something to it";
            merge(&mut wrong, Err(Error::new_spanned(mark, message)));
            continue;
        }
        let name = default_name(fields, &[column], field.span());
        let unique = marks.unique.is_some();
        indexes.push(Index {
            name,
            columns: vec![column],
            ordered,
            counted,
            unique,
        });
    }
    for argument in &arguments.indexes {
        match key_columns(fields, &argument.columns) {
            Ok(columns) => {
                let span = argument.keyword.span();
                let name = argument.name.clone();
                let name = name.unwrap_or_else(|| default_name(fields, &columns, span));
                let IndexArgument {
                    ordered,
                    counted,
                    unique,
                    ..
                } = *argument;
                indexes.push(Index {
                    name,
                    columns,
                    ordered,
                    counted,
                    unique,
                });
            }
            Err(error) => merge(&mut wrong, Err(error)),
        }
    }
    for (position, index) in indexes.iter().enumerate() {
        merge(&mut wrong, checked(&index.name).map(|_name| ()));
        let name = plain(&index.name);
        if indexes[..position]
            .iter()
            .any(|other| plain(&other.name) == name)
        {
            let message = format!("there are two indexes `{name}`: give one a `name = ..`");
            merge(&mut wrong, Err(Error::new(index.name.span(), message)));
        }
        if METHODS.contains(&name.as_str()) {
            let message = format!("an index cannot be named `{name}`: the table has that method");
            merge(&mut wrong, Err(Error::new(index.name.span(), message)));
        }
    }
    wrong.map_or(Ok(indexes), Err)
}

/// `by_` and the columns.
fn default_name(fields: &FieldsNamed, columns: &[usize], span: proc_macro2::Span) -> Ident {
    let mut name = "by".to_owned();
    for &column in columns {
        name.push('_');
        name.extend(fields.named[column].ident.as_ref().map(plain));
    }
    Ident::new(&name, span)
}
