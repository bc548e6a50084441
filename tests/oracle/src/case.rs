//! A case: tables, who may see what, and what happens. A seed makes one; it is data, so that it can be kept, run
//! again and made smaller.

use serde::{Deserialize, Serialize};
use syncline_protocol::packed::{self, Reader};
use syncline_protocol::{Claims, PolicyDef, Schema, TableDef, TableId, Type};
use syncline_query::{Budgets, Caller};
use syncline_store::{Database, Transaction};

use crate::failure::{Played, failure};
use crate::query::Query;
use crate::random::Random;
use crate::relational::Relational;
use crate::schema::{Domain, Tables, domain, packed_key, person, random_constant};
use crate::text::{Constant, Text, fill, same};

/// What happens, from beginning to end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) tables: Vec<TableDef>,
    /// The condition of each table's policy.
    pub(crate) policies: Vec<Option<Text>>,
    pub(crate) steps: Vec<Step>,
    /// The step at which the queries there are come to be asked in the other way too: see [`crate::shadow`].
    #[serde(default)]
    pub(crate) shadow_from: Option<u32>,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// A transaction.
    Write(Vec<Write>),
    /// A query is asked once and, if that is possible, lives from now on.
    Watch {
        id: u32,
        /// Who asks; [`ADMIN`] sees everything.
        user: u8,
        query: Query,
    },
    /// A live query gets other parameters.
    Move {
        id: u32,
        params: Vec<Constant>,
    },
    /// Its client asks for all rows anew.
    Again {
        id: u32,
    },
    Forget {
        id: u32,
    },
    /// The tables get other policies.
    Publish {
        policies: Vec<Option<Text>>,
    },
}

/// One change; one that the store refuses changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) table: u16,
    pub(crate) kind: Kind,
    pub(crate) row: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Kind {
    Insert,
    Update,
    Delete,
}

/// The user who sees all rows.
pub(crate) const ADMIN: u8 = 9;

/// Of cases that are played in two ways, if no policy changes in them: those take over twice as long.
const SHADOW_PERCENT: usize = 7;

const WATCHED: u32 = 10;
const TRANSACTIONS: usize = 26;

impl Case {
    /// The schema with these policies.
    pub(crate) fn schema(&self, policies: &[Option<Text>]) -> Schema {
        let names = self.names(&[]);
        let policies = policies.iter().enumerate();
        let policies = policies.filter_map(|(table, condition)| {
            Some(PolicyDef {
                table: table as u16,
                condition: condition.as_ref()?.ours(&names),
            })
        });
        Schema {
            tables: self.tables.clone(),
            policies: policies.collect(),
            ..Schema::default()
        }
    }

    /// A database without rows.
    pub(crate) fn database(&self) -> Played<Database> {
        let mut db = Database::new(1);
        let schema = db
            .schema()
            .evolve(self.schema(&self.policies), [0; 32], false);
        match schema.map(|schema| db.install(schema)) {
            Ok(Ok(())) => Ok(db),
            _ => failure("schema", None, "the schema is refused"),
        }
    }

    /// Whether policies change, which a second server does not hear of.
    pub(crate) fn has_publish(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::Publish { .. }))
    }

    /// The tables' names, with their policies; none at all if they do not matter.
    pub(crate) fn names(&self, policies: &[Option<Text>]) -> Vec<(String, Option<Text>)> {
        let policies = policies.iter().cloned().chain(std::iter::repeat(None));
        let names = self.tables.iter().map(|def| def.name.clone());
        names.zip(policies).collect()
    }

    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut tables = Tables::random(&mut random);
        // Mostly there are ways to whatever is asked for.
        if random.chance(85) {
            tables.index_all();
        }
        let is_big = random.chance(3);
        if is_big {
            tables.list[0].widen();
        }
        let mut making = Making {
            policies: tables.list.iter().map(|_| None).collect(),
            random,
            tables,
            steps: Vec::new(),
            last_id: 0,
            is_big,
        };
        making.policies();
        if is_big {
            making.fill();
        }
        making.history();
        let policies = making.policies.clone();
        making.publishes();
        let is_shadowed = !is_big && making.random.chance(SHADOW_PERCENT);
        let shadow_from = is_shadowed.then(|| {
            let count = making.steps.len();
            making.random.below(count) as u32
        });
        Self {
            shadow_from,
            tables: making.tables.list.into_iter().map(|t| t.def).collect(),
            policies,
            steps: making.steps,
        }
    }
}

/// Less than a server allows: steps are given up, and no query takes the time of a thousand others.
pub(crate) fn budgets() -> Budgets {
    Budgets {
        first_rows: 1_000_000,
        step_rows: 200_000,
        ..Budgets::default()
    }
}

/// Who asks.
pub(crate) fn caller(user: u8) -> Caller {
    Caller {
        identity: person(usize::from(user)),
        admin: user == ADMIN,
        claims: Claims::NONE,
    }
}

struct Making {
    random: Random,
    tables: Tables,
    policies: Vec<Option<Text>>,
    steps: Vec<Step>,
    last_id: u32,
    /// Whether the first table has many rows.
    is_big: bool,
}

impl Making {
    fn history(&mut self) {
        for _ in 0..4 + self.random.below(10) {
            self.write();
        }
        let mut watched: Vec<(u32, Vec<Constant>)> = Vec::new();
        // Answers over many rows take their time.
        let (watched_count, count) = if self.is_big {
            (WATCHED / 3, TRANSACTIONS / 2)
        } else {
            (WATCHED, TRANSACTIONS)
        };
        for _ in 0..watched_count {
            watched.push(self.watch());
        }
        for _ in 0..count {
            self.write();
            if self.random.chance(25) {
                watched.push(self.watch());
            }
            if watched.is_empty() {
                continue;
            }
            let position = self.random.below(watched.len());
            let (id, params) = &watched[position];
            let id = *id;
            if self.random.chance(25) && !params.is_empty() {
                let mut params = params.clone();
                let place = self.random.below(params.len());
                params[place] = moved(&mut self.random, &params[place]);
                watched[position].1.clone_from(&params);
                self.steps.push(Step::Move { id, params });
            } else if self.random.chance(5) {
                self.steps.push(Step::Again { id });
            } else if self.random.chance(18) {
                watched.swap_remove(position);
                self.steps.push(Step::Forget { id });
            }
        }
    }

    /// A few tables have one.
    fn policies(&mut self) {
        if !self.random.chance(40) {
            return;
        }
        for number in 0..self.tables.list.len() {
            if self.random.chance(60) {
                self.policies[number] = self.policy(number);
            }
        }
    }

    /// Other policies, at some places of the history.
    fn publishes(&mut self) {
        if !self.random.chance(25) {
            return;
        }
        let is_first = |step: &Step| matches!(step, Step::Watch { .. });
        let first = self.steps.iter().position(is_first).unwrap_or_default();
        for _ in 0..=self.random.below(3) {
            let number = self.random.below(self.tables.list.len());
            self.policies[number] = if self.random.chance(70) {
                self.policy(number)
            } else {
                None
            };
            // Behind the one before, so that only one table's policy changes at once.
            let before = self
                .steps
                .iter()
                .rposition(|step| matches!(step, Step::Publish { .. }));
            let from = before.unwrap_or(first) + 1;
            let at = from + self.random.below(self.steps.len() + 1 - from);
            let policies = self.policies.clone();
            self.steps.insert(at, Step::Publish { policies });
        }
    }

    fn policy(&mut self, number: usize) -> Option<Text> {
        let own = &self.tables.list[number].def;
        let column = |def: &TableDef, wanted: &dyn Fn(&Type) -> bool| {
            let mut columns = def.columns.iter();
            let found = columns.find(|column| wanted(&column.ty))?;
            Some(format!("{}.{}", def.name, found.name))
        };
        let is_id = |ty: &Type| domain(ty) == Domain::Id;
        let owner = column(own, &is_id).map(|name| fill(&format!("{name} = {{}}"), &[&Text::Me]));
        // Rows of another table say who sees this one's.
        let other = self.random.below(self.tables.list.len());
        let other_def = &self.tables.list[other].def;
        let granted = (other != number).then(|| {
            let user = column(other_def, &is_id)?;
            let key = &own.columns[usize::from(own.primary_key[0])];
            let same_type = |ty: &Type| *ty.non_null() == key.ty;
            let mut columns = other_def.columns.iter();
            let link = columns.find(|column| same_type(&column.ty) && !is_id(&column.ty))?;
            let pattern = format!(
                "EXISTS (SELECT 1 FROM {0} WHERE {0}.{1} = {2}.{3} AND {user} = {{}})",
                other_def.name, link.name, own.name, key.name
            );
            Some(fill(&pattern, &[&Text::Me]))
        });
        let granted = granted.flatten();
        let of = self.random.below(own.columns.len());
        let some = &own.columns[of];
        let value = match domain(&some.ty) {
            Domain::Id => Constant::Null,
            Domain::Bytes | Domain::Decimal => return owner.or(granted),
            domain => random_constant(&mut self.random, domain),
        };
        let plain = match value {
            Constant::Null => same(format!("{} IS NOT NULL", some.name)),
            value => same(format!("{} <> {}", some.name, value.literal())),
        };
        Some(match (owner, granted) {
            (Some(owner), Some(granted)) => fill("({} OR {})", &[&owner, &granted]),
            (Some(one), None) | (None, Some(one)) if self.random.chance(50) => {
                fill("({} OR {})", &[&one, &plain])
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => plain,
        })
    }

    fn watch(&mut self) -> (u32, Vec<Constant>) {
        self.last_id += 1;
        let kinds = if self.is_big { 5 } else { 10 };
        let query = match self.random.below(kinds) {
            0..3 => Query::random(&mut self.random, &self.tables),
            3 => Query::random_once(&mut self.random, &self.tables),
            _ => Relational::random(&mut self.random, &self.tables),
        };
        let user = if self.random.chance(15) {
            ADMIN
        } else {
            self.random.below(3) as u8
        };
        let (id, params) = (self.last_id, query.params.clone());
        self.steps.push(Step::Watch { id, user, query });
        (id, params)
    }

    fn write(&mut self) {
        let count = if self.random.chance(6) {
            30
        } else {
            2 + self.random.below(10)
        };
        let writes = (0..count).map(|_| {
            let table = self.random.below(self.tables.list.len());
            let row = self.tables.list[table].random_row(&mut self.random);
            let kind = match self.random.below(10) {
                0..4 => Kind::Insert,
                4..8 => Kind::Update,
                _ => Kind::Delete,
            };
            let table = table as u16;
            Write { table, kind, row }
        });
        let writes = writes.collect();
        self.steps.push(Step::Write(writes));
    }

    /// Over a thousand rows in the first table.
    fn fill(&mut self) {
        let writes = (0..2400).map(|_| Write {
            table: 0,
            kind: Kind::Insert,
            row: self.tables.list[0].random_row(&mut self.random),
        });
        let writes = writes.collect();
        self.steps.push(Step::Write(writes));
    }
}

/// Another constant of the same kind.
fn moved(random: &mut Random, old: &Constant) -> Constant {
    match old {
        Constant::Null => Constant::Null,
        Constant::Int(_) => random_constant(random, Domain::Int),
        Constant::Float(_) => random_constant(random, Domain::Float),
        Constant::Text(_) => random_constant(random, Domain::Text),
        Constant::Bool(_) => random_constant(random, Domain::Bool),
        Constant::Bytes(bytes) if bytes.len() == 32 => random_constant(random, Domain::Id),
        Constant::Bytes(_) => random_constant(random, Domain::Bytes),
    }
}

impl Step {
    /// For people.
    pub(crate) fn words(&self, case: &Case) -> String {
        match self {
            Self::Write(writes) => {
                let writes: Vec<String> = writes.iter().map(|write| write.words(case)).collect();
                format!("transaction: {}", writes.join("; "))
            }
            Self::Watch { id, user, query } => {
                let text = query.text.ours(&case.names(&[]));
                format!("query {id} of user {user}: {text} with {:?}", query.params)
            }
            Self::Move { id, params } => format!("query {id} moves to {params:?}"),
            Self::Again { id } => format!("query {id} is reset"),
            Self::Forget { id } => format!("query {id} ends"),
            Self::Publish { policies } => {
                let names = case.names(&[]);
                let policies = names.iter().zip(policies);
                let words = policies.map(|((name, _), policy)| match policy {
                    Some(policy) => format!("{name}: {}", policy.ours(&names)),
                    None => format!("{name}: none"),
                });
                let words: Vec<String> = words.collect();
                format!("publish with policies of {}", words.join("; "))
            }
        }
    }
}

impl Write {
    /// One change in a transaction: keys that are there, rows that are not, both are what a random change meets.
    pub(crate) fn apply(&self, case: &Case, transaction: &mut Transaction) {
        let id = TableId(TableId::FIRST_USER.0 + u32::from(self.table));
        let def = &case.tables[usize::from(self.table)];
        match self.kind {
            Kind::Insert => drop(transaction.insert(id, &mut self.row.clone())),
            Kind::Update => drop(transaction.update(id, &mut self.row.clone())),
            Kind::Delete => drop(transaction.delete(id, &packed_key(def, &self.row))),
        }
    }

    fn words(&self, case: &Case) -> String {
        let def = &case.tables[usize::from(self.table)];
        let mut reader = Reader::new(&self.row);
        let values =
            def.columns.iter().map(
                |column| match packed::decode_from(&column.ty, &mut reader) {
                    Ok(value) => format!("{value:?}"),
                    Err(error) => error.to_string(),
                },
            );
        let values: Vec<String> = values.collect();
        format!("{:?} {} ({})", self.kind, def.name, values.join(", "))
    }
}
