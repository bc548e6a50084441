//! `#[derive(Type)]`, and the packed form of structs that `#[table]` shares with it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, FieldsNamed, Generics, Ident, Variant};

use crate::column_type;
use crate::names::{checked, plain};

/// `syncline_protocol::Type` numbers variants with a u8.
const VARIANTS_MAX: usize = 256;

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    parse(item).unwrap_or_else(Error::into_compile_error)
}

fn parse(item: TokenStream) -> Result<TokenStream, Error> {
    let input: DeriveInput = syn::parse2(item)?;
    refuse_generics(&input.generics)?;
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => packed_struct(&input.ident, fields),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let ty = &fields.unnamed[0].ty;
                column_type::check(ty)?;
                Ok(packed_newtype(&input.ident, ty))
            }
            Fields::Unnamed(fields) => Err(Error::new(
                fields.span(),
                "name the fields: they have names in the schema",
            )),
            Fields::Unit => Err(Error::new(
                input.ident.span(),
                "a struct has at least one field",
            )),
        },
        Data::Enum(data) => packed_enum(&input.ident, data),
        Data::Union(data) => Err(Error::new(
            data.union_token.span,
            "a union cannot be stored or sent: use an enum",
        )),
    }
}

/// A schema has concrete types only.
pub(crate) fn refuse_generics(generics: &Generics) -> Result<(), Error> {
    if generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        generics.span(),
        "a type of the schema has no generic parameters or lifetimes",
    ))
}

/// `Packed` for a struct: its fields in order.
pub(crate) fn packed_struct(name: &Ident, fields: &FieldsNamed) -> Result<TokenStream, Error> {
    if fields.named.is_empty() {
        return Err(Error::new(name.span(), "a struct has at least one field"));
    }
    let text = checked(name)?;
    check_fields(fields)?;
    let entries = entries(fields);
    let (mut puts, mut takes) = (TokenStream::new(), TokenStream::new());
    for field in &fields.named {
        let (ident, ty) = (&field.ident, &field.ty);
        puts.extend(
            quote_spanned!(ty.span()=> <#ty as ::syncline::Packed>::put(&self.#ident, out);),
        );
        takes.extend(
            quote_spanned!(ty.span()=> #ident: <#ty as ::syncline::Packed>::take(reader)?,),
        );
    }
    Ok(quote! {
        #[automatically_derived]
        impl ::syncline::Packed for #name {
            fn ty() -> ::syncline::__private::Type {
                ::syncline::__private::struct_type(#text, &[#entries])
            }

            #[inline]
            fn put(&self, out: &mut ::std::vec::Vec<u8>) {
                #puts
            }

            #[inline]
            fn take(
                reader: &mut ::syncline::__private::Reader<'_>,
            ) -> ::core::result::Result<Self, ::syncline::__private::CodecError> {
                ::core::result::Result::Ok(Self { #takes })
            }
        }

        #[automatically_derived]
        impl ::syncline::QueryRow for #name {
            fn types() -> ::std::vec::Vec<::syncline::__private::Type> {
                ::syncline::__private::field_types::<Self>()
            }

            fn take(
                reader: &mut ::syncline::__private::Reader<'_>,
            ) -> ::core::result::Result<Self, ::syncline::__private::CodecError> {
                <Self as ::syncline::Packed>::take(reader)
            }
        }
    })
}

fn check_fields(fields: &FieldsNamed) -> Result<(), Error> {
    let mut wrong = None;
    for field in &fields.named {
        merge(&mut wrong, column_type::check(&field.ty));
        if let Some(ident) = &field.ident {
            merge(&mut wrong, checked(ident).map(|_name| ()));
        }
    }
    wrong.map_or(Ok(()), Err)
}

/// `("name", <T as Packed>::ty)` for each field.
pub(crate) fn entries(fields: &FieldsNamed) -> TokenStream {
    fields
        .named
        .iter()
        .map(|field| {
            let name = field.ident.as_ref().map(plain);
            let ty = &field.ty;
            quote_spanned!(ty.span()=> (#name, <#ty as ::syncline::Packed>::ty as fn() -> _),)
        })
        .collect()
}

/// `Packed` for a struct around one value: the value.
fn packed_newtype(name: &Ident, ty: &syn::Type) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl ::syncline::Packed for #name {
            const IS_OPTION: bool = <#ty as ::syncline::Packed>::IS_OPTION;

            fn ty() -> ::syncline::__private::Type {
                <#ty as ::syncline::Packed>::ty()
            }

            #[inline]
            fn put(&self, out: &mut ::std::vec::Vec<u8>) {
                ::syncline::Packed::put(&self.0, out);
            }

            #[inline]
            fn take(
                reader: &mut ::syncline::__private::Reader<'_>,
            ) -> ::core::result::Result<Self, ::syncline::__private::CodecError> {
                <#ty as ::syncline::Packed>::take(reader).map(Self)
            }
        }
    }
}

/// `Packed` for an enum: a tag, and what the variant carries.
fn packed_enum(name: &Ident, data: &DataEnum) -> Result<TokenStream, Error> {
    if data.variants.is_empty() || data.variants.len() > VARIANTS_MAX {
        return Err(Error::new(
            name.span(),
            format!("an enum has 1 to {VARIANTS_MAX} variants"),
        ));
    }
    let text = checked(name)?;
    let (mut entries, mut puts, mut takes) =
        (TokenStream::new(), TokenStream::new(), TokenStream::new());
    let mut wrong = None;
    for (tag, variant) in (0_u8..=u8::MAX).zip(&data.variants) {
        merge(&mut wrong, checked(&variant.ident).map(|_name| ()));
        match carried(&text, variant) {
            Ok(carried) => {
                let (ident, name) = (&variant.ident, plain(&variant.ident));
                let Carried {
                    ty,
                    pattern,
                    put,
                    take,
                } = carried;
                entries.extend(quote!((#name, #ty),));
                puts.extend(quote!(Self::#ident #pattern => { out.push(#tag); #put }));
                takes.extend(quote!([#tag] => { #take Self::#ident #pattern }));
            }
            Err(error) => merge(&mut wrong, Err(error)),
        }
    }
    if let Some(error) = wrong {
        return Err(error);
    }
    Ok(quote! {
        #[automatically_derived]
        impl ::syncline::Packed for #name {
            fn ty() -> ::syncline::__private::Type {
                ::syncline::__private::enum_type(#text, &[#entries])
            }

            #[inline]
            fn put(&self, out: &mut ::std::vec::Vec<u8>) {
                match self {
                    #puts
                }
            }

            #[inline]
            fn take(
                reader: &mut ::syncline::__private::Reader<'_>,
            ) -> ::core::result::Result<Self, ::syncline::__private::CodecError> {
                ::core::result::Result::Ok(match reader.array::<1>()? {
                    #takes
                    _ => return ::core::result::Result::Err(
                        ::syncline::__private::CodecError::BadTag,
                    ),
                })
            }
        }
    })
}

/// The code for what a variant carries.
struct Carried {
    /// `Option<fn() -> Type>`.
    ty: TokenStream,
    /// Binds (or builds from) the variables that `put` and `take` use.
    pattern: TokenStream,
    put: TokenStream,
    take: TokenStream,
}

fn carried(enum_name: &str, variant: &Variant) -> Result<Carried, Error> {
    match &variant.fields {
        Fields::Unit => Ok(Carried {
            ty: quote!(::core::option::Option::None),
            pattern: TokenStream::new(),
            put: TokenStream::new(),
            take: TokenStream::new(),
        }),
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            let ty = &fields.unnamed[0].ty;
            column_type::check(ty)?;
            let carried = format_ident!("carried");
            Ok(Carried {
                ty: quote_spanned! {ty.span()=>
                    ::core::option::Option::Some(<#ty as ::syncline::Packed>::ty as fn() -> _)
                },
                pattern: quote!((#carried)),
                put: put(ty, &carried),
                take: take(ty, &carried),
            })
        }
        Fields::Named(fields) if !fields.named.is_empty() => {
            check_fields(fields)?;
            // Fields may be called `out` or `reader`: bind them under names of ours.
            let name = format!("{enum_name}{}", plain(&variant.ident));
            let entries = entries(fields);
            let (mut pattern, mut puts, mut takes) =
                (TokenStream::new(), TokenStream::new(), TokenStream::new());
            for (position, field) in fields.named.iter().enumerate() {
                let (ident, ty) = (&field.ident, &field.ty);
                let bound = format_ident!("field_{position}");
                pattern.extend(quote!(#ident: #bound,));
                puts.extend(put(ty, &bound));
                takes.extend(take(ty, &bound));
            }
            Ok(Carried {
                ty: quote! {
                    ::core::option::Option::Some(
                        (|| ::syncline::__private::struct_type(#name, &[#entries])) as fn() -> _
                    )
                },
                pattern: quote!({ #pattern }),
                put: puts,
                take: takes,
            })
        }
        Fields::Named(fields) => Err(Error::new(
            fields.span(),
            "a variant without fields is written without braces",
        )),
        Fields::Unnamed(fields) => Err(Error::new(
            fields.span(),
            "a variant carries nothing, one value, or named fields: `Circle { x: f32, y: f32 }`",
        )),
    }
}

/// Puts what a variable refers to. An error of the type is told where the type is.
fn put(ty: &syn::Type, variable: &Ident) -> TokenStream {
    quote_spanned!(ty.span()=> <#ty as ::syncline::Packed>::put(#variable, out);)
}

/// Takes a value into a variable.
fn take(ty: &syn::Type, variable: &Ident) -> TokenStream {
    quote_spanned!(ty.span()=> let #variable = <#ty as ::syncline::Packed>::take(reader)?;)
}

/// Collects errors, so that all are reported at once.
pub(crate) fn merge(all: &mut Option<Error>, result: Result<(), Error>) {
    if let Err(error) = result {
        match all {
            Some(all) => all.combine(error),
            None => *all = Some(error),
        }
    }
}
