//! What is written in `#[table(..)]` and before its fields, as it is written.

use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Expr, Ident, ItemStruct, LitStr, Meta, Token, parenthesized};

use crate::derive::merge;
use crate::names::plain;

/// What stands before a field.
#[derive(Default)]
pub(crate) struct Marks {
    pub(crate) primary_key: Option<Attribute>,
    pub(crate) auto_increment: Option<Attribute>,
    pub(crate) unique: Option<Attribute>,
    pub(crate) index: Option<(Attribute, Kind)>,
}

/// Takes the attributes that are ours off the fields.
pub(crate) fn take_marks(input: &mut ItemStruct) -> Result<Vec<Marks>, Error> {
    let mut wrong = None;
    let mut all = Vec::new();
    for field in &mut input.fields {
        let mut marks = Marks::default();
        for attribute in core::mem::take(&mut field.attrs) {
            let name = attribute.path().get_ident().map(plain).unwrap_or_default();
            let slot = match name.as_str() {
                "primary_key" => &mut marks.primary_key,
                "auto_increment" => &mut marks.auto_increment,
                "unique" => &mut marks.unique,
                "index" => {
                    match attribute.parse_args::<Kind>() {
                        Ok(_) if marks.index.is_some() => {
                            merge(&mut wrong, Err(twice(&attribute)));
                        }
                        Ok(kind) => marks.index = Some((attribute, kind)),
                        Err(_) => {
                            let message = "expected `#[index(hash)]` or `#[index(ordered)]`; an index of \
                                           several columns goes into `#[table(index(..))]`";
                            merge(&mut wrong, Err(Error::new_spanned(&attribute, message)));
                        }
                    }
                    continue;
                }
                _ => {
                    field.attrs.push(attribute);
                    continue;
                }
            };
            if !matches!(attribute.meta, Meta::Path(_)) {
                let message = format!("`#[{name}]` takes no arguments");
                merge(&mut wrong, Err(Error::new_spanned(&attribute, message)));
            } else if slot.is_some() {
                merge(&mut wrong, Err(twice(&attribute)));
            } else {
                *slot = Some(attribute);
            }
        }
        all.push(marks);
    }
    wrong.map_or(Ok(all), Err)
}

/// Takes `#[policy(..)]` off the struct: an expression that is the text of a condition.
pub(crate) fn take_policy(input: &mut ItemStruct) -> Result<Option<Expr>, Error> {
    let is_policy = |attribute: &Attribute| attribute.path().is_ident("policy");
    let found: Vec<Attribute> = input.attrs.extract_if(.., |a| is_policy(a)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => one.parse_args::<Expr>().map(Some).map_err(|_| {
            let message = "expected a condition in SQL: `#[policy(\"owner = :me\")]`";
            Error::new_spanned(one, message)
        }),
        [_, second, ..] => Err(twice(second)),
    }
}

pub(crate) fn twice(what: &impl ToTokens) -> Error {
    Error::new_spanned(what, "this is said twice")
}

/// `hash`, `ordered` or `ordered, counted`.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) ordered: bool,
    /// Only if it is ordered.
    pub(crate) counted: bool,
}

impl Parse for Kind {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let kind: Ident = input.parse()?;
        match plain(&kind).as_str() {
            "hash" => Ok(Self {
                ordered: false,
                counted: false,
            }),
            "ordered" => {
                let ahead = input.fork();
                let is_next = ahead.parse::<Token![,]>().is_ok();
                let counted = is_next && ahead.parse::<Ident>().is_ok_and(|it| it == "counted");
                if counted {
                    input.parse::<Token![,]>()?;
                    input.parse::<Ident>()?;
                }
                Ok(Self {
                    ordered: true,
                    counted,
                })
            }
            _ => Err(Error::new(
                kind.span(),
                "an index is `hash` or `ordered`, or `ordered, counted`",
            )),
        }
    }
}

/// An argument of `#[table(..)]`.
enum Argument {
    Public(Ident),
    Name(Ident, Ident),
    PrimaryKey(Ident, Vec<Ident>),
    Index(IndexArgument),
}

pub(crate) struct IndexArgument {
    pub(crate) keyword: Ident,
    pub(crate) ordered: bool,
    pub(crate) counted: bool,
    pub(crate) unique: bool,
    pub(crate) name: Option<Ident>,
    pub(crate) columns: Vec<Ident>,
}

/// A name, written as an identifier or in quotes.
fn parse_name(input: ParseStream<'_>) -> Result<Ident, Error> {
    input.parse::<Token![=]>()?;
    if input.peek(LitStr) {
        input.parse::<LitStr>()?.parse()
    } else {
        input.parse()
    }
}

fn parse_columns(input: ParseStream<'_>) -> Result<Vec<Ident>, Error> {
    let content;
    parenthesized!(content in input);
    let columns = Punctuated::<Ident, Token![,]>::parse_terminated(&content)?;
    if columns.is_empty() {
        return Err(content.error("expected the names of columns"));
    }
    Ok(columns.into_iter().collect())
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let keyword: Ident = input.parse()?;
        match plain(&keyword).as_str() {
            "public" => Ok(Self::Public(keyword)),
            "name" => Ok(Self::Name(keyword, parse_name(input)?)),
            "primary_key" => Ok(Self::PrimaryKey(keyword, parse_columns(input)?)),
            "index" => parse_index(keyword, input).map(Self::Index),
            _ => Err(Error::new(
                keyword.span(),
                "expected `public`, `name = ..`, `primary_key(..)` or `index(..)` in #[table(..)]",
            )),
        }
    }
}

fn parse_index(keyword: Ident, input: ParseStream<'_>) -> Result<IndexArgument, Error> {
    let content;
    parenthesized!(content in input);
    let (mut kind, mut unique, mut name, mut columns) = (None, false, None, None);
    while !content.is_empty() {
        let part: Ident = content.fork().parse()?;
        match plain(&part).as_str() {
            "hash" | "ordered" if kind.is_none() => kind = Some(content.parse::<Kind>()?),
            "unique" if !unique => {
                content.parse::<Ident>()?;
                unique = true;
            }
            "name" if name.is_none() => {
                content.parse::<Ident>()?;
                name = Some(parse_name(&content)?);
            }
            "columns" if columns.is_none() => {
                content.parse::<Ident>()?;
                columns = Some(parse_columns(&content)?);
            }
            "hash" | "ordered" | "unique" | "name" | "columns" => return Err(twice(&part)),
            _ => {
                let message = "expected `hash`, `ordered` or `ordered, counted`; `unique`, `name = ..`, `columns(..)`";
                return Err(Error::new(part.span(), message));
            }
        }
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    let Some(Kind { ordered, counted }) = kind else {
        return Err(Error::new(
            keyword.span(),
            "say whether the index is `hash` or `ordered`",
        ));
    };
    let Some(columns) = columns else {
        return Err(Error::new(
            keyword.span(),
            "say which columns: `columns(a, b)`",
        ));
    };
    Ok(IndexArgument {
        keyword,
        ordered,
        counted,
        unique,
        name,
        columns,
    })
}

/// The arguments, each kind gathered.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) public: bool,
    pub(crate) name: Option<Ident>,
    pub(crate) primary_key: Option<(Ident, Vec<Ident>)>,
    pub(crate) indexes: Vec<IndexArgument>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let mut arguments = Self::default();
        for argument in Punctuated::<Argument, Token![,]>::parse_terminated(input)? {
            match argument {
                Argument::Public(keyword) if arguments.public => return Err(twice(&keyword)),
                Argument::Public(_) => arguments.public = true,
                Argument::Name(keyword, _) if arguments.name.is_some() => {
                    return Err(twice(&keyword));
                }
                Argument::Name(_, name) => arguments.name = Some(name),
                Argument::PrimaryKey(keyword, _) if arguments.primary_key.is_some() => {
                    return Err(twice(&keyword));
                }
                Argument::PrimaryKey(keyword, columns) => {
                    arguments.primary_key = Some((keyword, columns));
                }
                Argument::Index(index) => arguments.indexes.push(index),
            }
        }
        Ok(arguments)
    }
}
