//! `#[reducer]`.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, Pat, ReturnType, Signature, Type};

use crate::column_type;
use crate::derive::merge;
use crate::names::{checked, plain};
use crate::register::constructor;

/// A checked reducer.
struct Reducer {
    kind: Ident,
    /// Name in the schema and type of each parameter behind the context.
    params: Vec<(String, Type)>,
}

pub(crate) fn expand(args: &TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        return Error::new_spanned(item, "#[reducer] goes before a function").into_compile_error();
    };
    let registration = match parse(args, &function.sig) {
        Ok(reducer) => registration(&reducer, &function.sig),
        Err(error) => error.into_compile_error(),
    };
    quote! {
        #[allow(clippy::needless_pass_by_value, reason = "arguments are decoded for the reducer")]
        #function
        #registration
    }
}

fn parse(args: &TokenStream, signature: &Signature) -> Result<Reducer, Error> {
    let kind = kind(args)?;
    let mut wrong = None;
    merge(&mut wrong, checked(&signature.ident).map(|_name| ()));
    merge(&mut wrong, plain_function(signature));
    let mut inputs = signature.inputs.iter();
    merge(&mut wrong, context_first(inputs.next(), signature));
    let mut params = Vec::new();
    for input in inputs {
        match param(input) {
            Ok(param) => params.push(param),
            Err(error) => merge(&mut wrong, Err(error)),
        }
    }
    if kind != "Call" && signature.inputs.len() > 1 {
        let message = "a lifecycle reducer has no parameters but the context: nobody passes any";
        merge(
            &mut wrong,
            Err(Error::new_spanned(&signature.inputs, message)),
        );
    }
    match wrong {
        Some(error) => Err(error),
        None => Ok(Reducer { kind, params }),
    }
}

/// The variant of `ReducerKind` that the attribute's argument stands for.
fn kind(args: &TokenStream) -> Result<Ident, Error> {
    const EXPECTED: &str =
        "expected nothing, `init`, `connected` or `disconnected` in #[reducer(..)]";
    if args.is_empty() {
        return Ok(Ident::new("Call", Span::call_site()));
    }
    let kind: Ident = syn::parse2(args.clone()).map_err(|_| Error::new_spanned(args, EXPECTED))?;
    let variant = match plain(&kind).as_str() {
        "init" => "Init",
        "connected" => "Connected",
        "disconnected" => "Disconnected",
        _ => return Err(Error::new(kind.span(), EXPECTED)),
    };
    Ok(Ident::new(variant, kind.span()))
}

fn plain_function(signature: &Signature) -> Result<(), Error> {
    let mut wrong = None;
    if let Some(token) = &signature.asyncness {
        let message = "a reducer is one transaction and cannot wait: remove `async`";
        merge(&mut wrong, Err(Error::new(token.span(), message)));
    }
    if let Some(token) = &signature.unsafety {
        merge(
            &mut wrong,
            Err(Error::new(
                token.span(),
                "clients call it: a reducer is safe",
            )),
        );
    }
    if !signature.generics.params.is_empty() {
        let message = "clients call it by name: a reducer has no generic parameters";
        merge(
            &mut wrong,
            Err(Error::new_spanned(&signature.generics, message)),
        );
    }
    if let ReturnType::Type(_, ty) = &signature.output
        && matches!(**ty, Type::Reference(_) | Type::ImplTrait(_))
    {
        merge(&mut wrong, column_type::check(ty));
    }
    wrong.map_or(Ok(()), Err)
}

fn context_first(first: Option<&FnArg>, signature: &Signature) -> Result<(), Error> {
    const EXPECTED: &str = "the first parameter of a reducer is `ctx: &Context`";
    match first {
        None => Err(Error::new(signature.paren_token.span.join(), EXPECTED)),
        Some(FnArg::Typed(arg)) => match &*arg.ty {
            Type::Reference(reference) if reference.mutability.is_none() => Ok(()),
            other => Err(Error::new(other.span(), EXPECTED)),
        },
        Some(receiver) => Err(Error::new(
            receiver.span(),
            "a reducer is a function, not a method",
        )),
    }
}

fn param(input: &FnArg) -> Result<(String, Type), Error> {
    let FnArg::Typed(input) = input else {
        return Err(Error::new(
            input.span(),
            "a reducer is a function, not a method",
        ));
    };
    let Pat::Ident(pattern) = &*input.pat else {
        let message = "parameters have names in the schema: write `name: Type`";
        return Err(Error::new(input.pat.span(), message));
    };
    column_type::check(&input.ty)?;
    Ok((checked(&pattern.ident)?, (*input.ty).clone()))
}

fn registration(reducer: &Reducer, signature: &Signature) -> TokenStream {
    let Reducer { kind, params } = reducer;
    let function = &signature.ident;
    let name = plain(function);
    let output = match &signature.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, ty) => quote!(#ty),
    };
    let output_span = match &signature.output {
        ReturnType::Default => function.span(),
        ReturnType::Type(_, ty) => ty.span(),
    };
    let entries = params.iter().map(|(name, ty)| {
        quote_spanned!(ty.span()=> (#name, <#ty as ::syncline::Packed>::ty as fn() -> _))
    });
    let bound: Vec<_> = (0..params.len())
        .map(|position| format_ident!("arg_{position}"))
        .collect();
    let takes = bound.iter().zip(params).map(
        |(bound, (_, ty))| quote!(let #bound = <#ty as ::syncline::Packed>::take(&mut args)?;),
    );
    let mutable = (!params.is_empty()).then(|| quote!(mut));
    let lifecycle = (kind != "Call").then(|| {
        quote_spanned! {output_span=>
            const _: fn() = || {
                fn returns_nothing<T: ::syncline::__private::LifecycleOutcome>() {}
                returns_nothing::<#output>();
            };
        }
    });
    let returns = quote_spanned!(output_span=> <#output as ::syncline::__private::Outcome>::ty);
    let write = quote_spanned! {output_span=>
        <#output as ::syncline::__private::Outcome>::write(outcome, out);
    };
    let constructor = constructor(&quote!(::syncline::__private::register_reducer));
    quote! {
        const _: () = {
            #lifecycle
            static ENTRY: ::syncline::__private::ReducerEntry = ::syncline::__private::ReducerEntry {
                name: #name,
                kind: ::syncline::__private::ReducerKind::#kind,
                params: &[#(#entries),*],
                returns: #returns,
                run: __run,
            };
            fn __run(
                ctx: &::syncline::Context,
                #mutable args: ::syncline::__private::Reader<'_>,
                out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), ::syncline::__private::CodecError> {
                #(#takes)*
                args.finish()?;
                let outcome: #output = #function(ctx, #(#bound),*);
                #write
                ::core::result::Result::Ok(())
            }
            #constructor
        };
    }
}
