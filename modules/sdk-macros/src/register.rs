//! The constructor that registers an entry before anything else runs.

use proc_macro2::TokenStream;
use quote::quote;

/// Calls `function(&ENTRY)` at start. On wasm the SDK runs the constructors itself; elsewhere, in tests,
/// the loader does.
pub(crate) fn constructor(function: &TokenStream) -> TokenStream {
    quote! {
        extern "C" fn __register() {
            #function(&ENTRY);
        }
        #[used]
        #[cfg_attr(
            not(any(target_vendor = "apple", windows)),
            unsafe(link_section = ".init_array")
        )]
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
        #[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
        static __REGISTER: extern "C" fn() = __register;
    }
}
