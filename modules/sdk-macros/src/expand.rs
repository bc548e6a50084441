//! `#[table]`: what it becomes.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FieldsNamed, ItemStruct, Type};

use crate::attributes::{take_marks, take_policy};
use crate::derive::{entries, packed_struct};
use crate::names::plain;
use crate::register::constructor;
use crate::table::{Index, Table, check};

/// The struct and everything that makes it a table, or what is wrong with it.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(mut input) = syn::parse2::<ItemStruct>(item.clone()) else {
        return Error::new_spanned(item, "#[table] goes before a struct").into_compile_error();
    };
    let (marks, policy) = (take_marks(&mut input), take_policy(&mut input));
    let checked = marks.and_then(|marks| check(args, &input, &marks, policy?));
    let expansion = checked.and_then(|(described, fields)| table(&input, &fields, &described));
    let expansion = expansion.unwrap_or_else(Error::into_compile_error);
    quote!(#input #expansion)
}

/// Everything but the struct itself.
fn table(input: &ItemStruct, fields: &FieldsNamed, table: &Table) -> Result<TokenStream, Error> {
    let row = &input.ident;
    let packed = packed_struct(row, fields)?;
    let entry = entry(fields, table);
    let key = types(fields, &table.primary_key);
    let put_keys = put_keys(fields, table);
    let never_null = never_null(fields, table);
    let set_assigned = set_assigned(fields, table);
    let constructor = constructor(&quote!(::syncline::__private::register_table));
    let handle = handle(input, fields, table);
    Ok(quote! {
        #handle
        const _: () = {
            #packed
            #never_null
            static ENTRY: ::syncline::__private::TableEntry = #entry;
            #[automatically_derived]
            impl ::syncline::Row for #row {
                type Key = #key;

                #[inline]
                fn entry() -> &'static ::syncline::__private::TableEntry {
                    &ENTRY
                }

                fn put_index_key(&self, index: u32, out: &mut ::std::vec::Vec<u8>) {
                    match index {
                        #put_keys
                        _ => ::core::unreachable!("an index of another table"),
                    }
                }

                #set_assigned
            }
            #constructor
        };
    })
}

/// The handle with a method per index, and the trait that adds the table to `Db`.
fn handle(input: &ItemStruct, fields: &FieldsNamed, table: &Table) -> TokenStream {
    let (row, visibility) = (&input.ident, &input.vis);
    let handle = format_ident!("{}Table", row);
    let access = format_ident!("{}Access", row);
    let accessor = &table.accessor;
    let name = &table.name;
    let methods = (1_u32..)
        .zip(&table.indexes)
        .map(|(number, index)| index_method(input, fields, number, index));
    let handle_doc = format!("Table `{name}`, within one transaction.");
    let access_doc =
        format!("Adds table `{name}` to [`syncline::Db`]; import it where the table is used.");
    let accessor_doc = format!("Table `{name}`.");
    quote! {
        #[doc = #handle_doc]
        #[derive(Clone, Copy)]
        #visibility struct #handle<'db> {
            table: ::syncline::Table<'db, #row>,
        }

        #[automatically_derived]
        impl<'db> ::core::ops::Deref for #handle<'db> {
            type Target = ::syncline::Table<'db, #row>;

            #[inline]
            fn deref(&self) -> &Self::Target {
                &self.table
            }
        }

        #[automatically_derived]
        #[allow(dead_code, reason = "an index may serve queries alone")]
        impl<'db> #handle<'db> {
            #(#methods)*
        }

        #[doc = #access_doc]
        #[allow(dead_code, reason = "a table may be used through its type alone")]
        #visibility trait #access {
            #[doc = #accessor_doc]
            fn #accessor(&self) -> #handle<'_>;
        }

        #[automatically_derived]
        impl #access for ::syncline::Db {
            #[inline]
            fn #accessor(&self) -> #handle<'_> {
                #handle { table: self.table() }
            }
        }
    }
}

fn index_method(
    input: &ItemStruct,
    fields: &FieldsNamed,
    number: u32,
    index: &Index,
) -> TokenStream {
    let (row, visibility) = (&input.ident, &input.vis);
    let name = &index.name;
    let columns = types(fields, &index.columns);
    let kind = match (index.unique, index.ordered) {
        (false, false) => quote!(Hash),
        (false, true) => quote!(Ordered),
        (true, false) => quote!(Unique),
        (true, true) => quote!(UniqueOrdered),
    };
    let doc = format!("Index `{}`.", plain(name));
    quote! {
        #[doc = #doc]
        #[inline]
        #visibility fn #name(
            &self,
        ) -> ::syncline::Index<'db, #row, #columns, ::syncline::key::#kind> {
            ::syncline::Index::numbered(#number)
        }
    }
}

/// The types of some columns as a tuple.
fn types(fields: &FieldsNamed, columns: &[usize]) -> TokenStream {
    let types = columns.iter().map(|&column| &fields.named[column].ty);
    quote!((#(#types,)*))
}

fn entry(fields: &FieldsNamed, table: &Table) -> TokenStream {
    let Table { name, public, .. } = table;
    let columns = entries(fields);
    let primary_key = table.primary_key.iter().map(|&column| column as u16);
    let auto_increment = if let Some(column) = table.auto_increment {
        let column = column as u16;
        quote!(::core::option::Option::Some(#column))
    } else {
        quote!(::core::option::Option::None)
    };
    let policy = if let Some(policy) = &table.policy {
        quote!(::core::option::Option::Some(#policy))
    } else {
        quote!(::core::option::Option::None)
    };
    let indexes = table.indexes.iter().map(
        |Index {
             name,
             columns,
             ordered,
             counted,
             unique,
         }| {
            let name = plain(name);
            let columns = columns.iter().map(|&column| column as u16);
            quote! {
                ::syncline::__private::IndexEntry {
                    name: #name,
                    columns: &[#(#columns),*],
                    ordered: #ordered,
                    counted: #counted,
                    unique: #unique,
                }
            }
        },
    );
    quote! {
        ::syncline::__private::TableEntry {
            name: #name,
            public: #public,
            columns: &[#columns],
            primary_key: &[#(#primary_key),*],
            auto_increment: #auto_increment,
            indexes: &[#(#indexes),*],
            policy: #policy,
            number: ::syncline::__private::TableNumber::unknown(),
        }
    }
}

/// A primary key is never null. Only the compiler sees through a type alias.
fn never_null(fields: &FieldsNamed, table: &Table) -> TokenStream {
    table
        .primary_key
        .iter()
        .map(|&column| {
            let ty = &fields.named[column].ty;
            quote_spanned! {ty.span()=>
                const _: () = ::core::assert!(
                    !<#ty as ::syncline::Packed>::IS_OPTION,
                    "a column of a primary key is never null: it cannot be an Option"
                );
            }
        })
        .collect()
}

/// An arm per index that appends its columns.
fn put_keys(fields: &FieldsNamed, table: &Table) -> TokenStream {
    let secondary = table.indexes.iter().map(|index| &index.columns);
    core::iter::once(&table.primary_key)
        .chain(secondary)
        .zip(0_u32..)
        .map(|(columns, number)| {
            let idents = columns.iter().map(|&column| &fields.named[column].ident);
            quote!(#number => { #(::syncline::Packed::put(&self.#idents, out);)* })
        })
        .collect()
}

fn set_assigned(fields: &FieldsNamed, table: &Table) -> TokenStream {
    let Some(column) = table.auto_increment else {
        return quote! {
            fn set_assigned(&mut self, _assigned: &[u8]) {}
        };
    };
    let field = &fields.named[column];
    let (ident, ty): (_, &Type) = (&field.ident, &field.ty);
    let assigned = quote_spanned! {ty.span()=>
        <#ty as ::syncline::__private::AutoIncrement>::assigned(assigned)
    };
    quote! {
        #[inline]
        fn set_assigned(&mut self, assigned: &[u8]) {
            self.#ident = #assigned;
        }
    }
}
