//! The module `bank`, as the works use it.

use anyhow::{Context, Result, ensure};
use syncline_protocol::{Schema, Value};

use crate::load::calls::Calls;
use crate::socket::{Link, Target};

/// Accounts that transfers choose from.
pub(crate) const ACCOUNTS: u64 = 100_000;
const BALANCE: i64 = 1_000_000;
/// Accounts that one call opens: within the deadline of a call on a slow machine.
const OPENED_PER_CALL: u64 = 10_000;
/// Text of a row that is fanned out: with id and frame about 100 bytes on the wire.
const PAYLOAD: &[u8; 64] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A bank that was published and filled.
pub(crate) struct Bank {
    pub(crate) schema: Schema,
}

impl Bank {
    /// Name of the module, and of the database.
    pub(crate) const MODULE: &str = "bank";
    /// All rows that are fanned out; `id` is the number of the transaction.
    pub(crate) const EVENTS: &str = "SELECT * FROM event";
    /// The rows of one of many subscriptions.
    pub(crate) const ITEMS_OF_OWNER: &str = "SELECT * FROM item WHERE owner = :owner";

    /// Opens the accounts.
    pub(crate) fn open(target: &Target) -> Result<Self> {
        let mut link = Link::open(target)?;
        let schema = link.schema()?;
        Self::check(&schema)?;
        for _ in 0..ACCOUNTS / OPENED_PER_CALL {
            let args = [Value::U64(OPENED_PER_CALL), Value::I64(BALANCE)];
            link.must_call(&schema, "open_accounts", &args)?;
        }
        let bank = Self { schema };
        ensure!(
            Self::total(&mut link)? == Self::total_expected(),
            "the bank opened with a wrong sum"
        );
        Ok(bank)
    }

    /// What all balances must add up to, always.
    pub(crate) fn total_expected() -> i128 {
        i128::from(BALANCE) * i128::from(ACCOUNTS)
    }

    /// What they add up to, row by row.
    pub(crate) fn total(link: &mut Link) -> Result<i128> {
        let rows = link.query("SELECT balance FROM account", Vec::new())?;
        ensure!(
            rows.len() as u64 == ACCOUNTS,
            "there are {} accounts",
            rows.len()
        );
        let mut sum = 0;
        for row in rows {
            let Some(Value::I64(balance)) = row.first() else {
                anyhow::bail!("no balance")
            };
            sum += i128::from(*balance);
        }
        Ok(sum)
    }

    /// Calls of `transfer` between random accounts.
    pub(crate) fn transfers(seed: u64) -> Result<Calls> {
        let mut accounts = Accounts::new(seed);
        Calls::reducer("transfer", 24, move |_, _, args| {
            let (from, to) = accounts.pair();
            args[..8].copy_from_slice(&from.to_le_bytes());
            args[8..16].copy_from_slice(&to.to_le_bytes());
            args[16..].copy_from_slice(&1_i64.to_le_bytes());
        })
    }

    /// Calls of `empty`.
    pub(crate) fn empties() -> Result<Calls> {
        Calls::reducer("empty", 0, |_, _, _| {})
    }

    /// Calls of `post`, with the number of the request as id.
    pub(crate) fn posts() -> Result<Calls> {
        Calls::reducer("post", 8 + 4 + PAYLOAD.len(), |_, number, args| {
            args[..8].copy_from_slice(&u64::from(number).to_le_bytes());
            args[8..12].copy_from_slice(&(PAYLOAD.len() as u32).to_le_bytes());
            args[12..].copy_from_slice(PAYLOAD);
        })
    }

    /// Calls of `put_item`: lane and number of the request give id (0: a new one) and owner.
    pub(crate) fn items(
        mut item: impl FnMut(usize, u32) -> (u64, u64) + Send + 'static,
    ) -> Result<Calls> {
        Calls::reducer("put_item", 24, move |lane, number, args| {
            let (id, owner) = item(lane, number);
            args[..8].copy_from_slice(&id.to_le_bytes());
            args[8..16].copy_from_slice(&owner.to_le_bytes());
            args[16..].copy_from_slice(&u64::from(number).to_le_bytes());
        })
    }

    /// Fails unless the reducers take what the calls above carry.
    fn check(schema: &Schema) -> Result<()> {
        use syncline_protocol::Type;
        for (name, expected) in [
            ("transfer", &[Type::U64, Type::U64, Type::I64][..]),
            (
                "transfer_marked",
                &[Type::U64, Type::U64, Type::U64, Type::I64],
            ),
            ("empty", &[]),
            ("post", &[Type::U64, Type::String]),
            ("put_item", &[Type::U64, Type::U64, Type::U64]),
        ] {
            let (_, reducer) = schema
                .reducer(name)
                .with_context(|| format!("no reducer {name}"))?;
            ensure!(
                reducer.params.iter().map(|param| &param.ty).eq(expected),
                "{name} has other parameters than the bench knows"
            );
        }
        Ok(())
    }
}

/// Random pairs of different accounts (splitmix64: fast, and the same for the same seed).
pub(crate) struct Accounts(u64);

impl Accounts {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn pair(&mut self) -> (u64, u64) {
        let from = self.next() % ACCOUNTS;
        let to = (from + 1 + self.next() % (ACCOUNTS - 1)) % ACCOUNTS;
        (from, to)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
