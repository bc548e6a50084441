//! `#[view]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Ident, ItemConst, Token, Type};

use crate::attributes::twice;
use crate::column_type;
use crate::derive::merge;
use crate::names::{checked, plain};
use crate::register::constructor;

/// A parameter of the query: `room: u64`.
struct Param {
    name: Ident,
    ty: Type,
}

impl Parse for Param {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let name = input.parse()?;
        input.parse::<Token![:]>()?;
        let ty = input.parse()?;
        Ok(Self { name, ty })
    }
}

/// The arguments of `#[view(..)]`.
struct Params(Vec<Param>);

impl Parse for Params {
    fn parse(input: ParseStream<'_>) -> Result<Self, Error> {
        let params = Punctuated::<Param, Token![,]>::parse_terminated(input)?;
        Ok(Self(params.into_iter().collect()))
    }
}

pub(crate) fn expand(args: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(constant) = syn::parse2::<ItemConst>(item.clone()) else {
        let message = "#[view] goes before a constant text: `const INBOX: &str = \"SELECT ..\";`";
        return Error::new_spanned(item, message).into_compile_error();
    };
    let registration = match params(args, &constant) {
        Ok(params) => registration(&params, &constant),
        Err(error) => error.into_compile_error(),
    };
    quote!(#constant #registration)
}

fn params(args: TokenStream, constant: &ItemConst) -> Result<Vec<(String, Type)>, Error> {
    let Params(written) = syn::parse2(args)?;
    let mut wrong = None;
    merge(&mut wrong, checked(&constant.ident).map(|_name| ()));
    let mut params: Vec<(String, Type)> = Vec::new();
    for Param { name, ty } in written {
        merge(&mut wrong, column_type::check(&ty));
        match checked(&name) {
            Ok(text) if params.iter().any(|(other, _)| *other == text) => {
                merge(&mut wrong, Err(twice(&name)));
            }
            Ok(text) if text == "me" => {
                let message = "`:me` is the caller wherever it stands: it is no parameter";
                merge(&mut wrong, Err(Error::new(name.span(), message)));
            }
            Ok(text) => params.push((text, ty)),
            Err(error) => merge(&mut wrong, Err(error)),
        }
    }
    wrong.map_or(Ok(params), Err)
}

fn registration(params: &[(String, Type)], constant: &ItemConst) -> TokenStream {
    let sql = &constant.ident;
    let name = plain(sql).to_lowercase();
    let entries = params.iter().map(|(name, ty)| {
        quote_spanned!(ty.span()=> (#name, <#ty as ::syncline::Packed>::ty as fn() -> _))
    });
    let constructor = constructor(&quote!(::syncline::__private::register_view));
    quote! {
        const _: () = {
            static ENTRY: ::syncline::__private::ViewEntry = ::syncline::__private::ViewEntry {
                name: #name,
                params: &[#(#entries),*],
                sql: #sql,
            };
            #constructor
        };
    }
}
