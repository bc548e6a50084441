use syncline::prelude::*;

#[reducer]
fn without_context() {}

#[reducer]
fn context_by_value(_ctx: Context) {}

#[reducer]
async fn waits(_ctx: &Context) {}

#[reducer]
fn generic<T>(_ctx: &Context, _value: Vec<T>) {}

#[reducer]
fn borrows(_ctx: &Context, _name: &str, _count: usize) {}

#[reducer]
fn pattern(_ctx: &Context, (_a, _b): (u32, u32)) {}

#[reducer(init)]
fn with_parameter(_ctx: &Context, _name: String) {}

#[reducer(connected)]
fn returns(_ctx: &Context) -> u64 {
    0
}

struct Secret;

#[reducer]
fn returns_unknown(_ctx: &Context) -> Secret {
    Secret
}

#[reducer]
fn fails_with_unknown(_ctx: &Context) -> Result<u32, Secret> {
    Err(Secret)
}

#[reducer]
fn takes_unknown(_ctx: &Context, _secret: Secret) {}

fn main() {}
