//! Builds the crate again when the pages that are built into it change.

use std::path::Path;

fn main() {
    // A path that is not there would count as changed at every build; its folder changes when it is made.
    let pages = Path::new("../../web-demo/dist");
    let watched = if pages.exists() {
        pages
    } else {
        Path::new("../../web-demo")
    };
    println!("cargo:rerun-if-changed={}", watched.display());
}
