use std::sync::Arc;

use super::*;
use crate::schema::{ColumnDef, IndexKind};
use crate::types::{EnumType, StructType, Variant};

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
    }
}

fn structure(name: &str, fields: Vec<Field>) -> Type {
    Type::Struct(Arc::new(StructType {
        name: name.into(),
        fields,
    }))
}

fn enumeration(name: &str, count: usize) -> Type {
    let variants = (0..count)
        .map(|i| Variant {
            name: format!("V{i}"),
            payload: None,
        })
        .collect();
    Type::Enum(Arc::new(EnumType {
        name: name.into(),
        variants,
    }))
}

fn index(name: &str, columns: &[u16], unique: bool) -> IndexDef {
    IndexDef {
        name: name.into(),
        columns: columns.to_vec(),
        kind: IndexKind::Hash,
        unique,
    }
}

/// A schema with everything in it that is allowed.
fn sound() -> Schema {
    let columns = [
        ("id", Type::U64),
        ("name", Type::option(Type::String)),
        (
            "place",
            structure("Point", vec![field("x", Type::F32), field("y", Type::F32)]),
        ),
        ("team", enumeration("Team", 256)),
    ];
    let columns = columns.map(|(name, ty)| ColumnDef {
        name: name.into(),
        ty,
    });
    let player = TableDef {
        name: "player".into(),
        columns: columns.to_vec(),
        primary_key: vec![0],
        indexes: vec![
            index("by_name", &[1, 3], false),
            index("by_place", &[2], true),
        ],
        auto_increment: Some(0),
        public: true,
    };
    let reducer = |name: &str, kind| ReducerDef {
        name: name.into(),
        params: Vec::new(),
        returns: None,
        kind,
    };
    let mut join = reducer("join", ReducerKind::Call);
    join.params = vec![
        field("name", Type::String),
        field("at", player.columns[2].ty.clone()),
    ];
    join.returns = Some(Type::list(Type::option(Type::U64)));
    let start = reducer("start", ReducerKind::Init);
    Schema {
        tables: vec![player],
        reducers: vec![join, start],
        policies: vec![PolicyDef {
            table: 0,
            condition: "name = 'ada'".into(),
        }],
        views: vec![ViewDef {
            name: "team_of".into(),
            params: vec![field("id", Type::U64)],
            sql: "SELECT team FROM player WHERE id = :id".into(),
        }],
    }
}

#[test]
fn policies_and_views() {
    check("schema: a policy is of table 1, which is not there", |s| {
        s.policies[0].table = 1;
    });
    check(
        "policy of table `player`: policies stand in the order of their tables, one each",
        |s| s.policies.push(s.policies[0].clone()),
    );
    check(
        "policy of table `player`: clients see no row of the table: make it `public` as well",
        |s| s.tables[0].public = false,
    );
    check("policy of table `player`: its SQL is empty", |s| {
        s.policies[0].condition.clear();
    });
    check("view `player`: a table has that name", |s| {
        s.views[0].name = "player".into();
    });
    check("schema: view `team_of` is declared twice", |s| {
        s.views.push(s.views[0].clone());
    });
    check("view `team_of`: parameter `id` is declared twice", |s| {
        s.views[0].params.push(field("id", Type::U8));
    });
    check("view `team_of`: its SQL is over 16384 bytes", |s| {
        s.views[0].sql = "x".repeat(SQL_BYTES_MAX + 1);
    });
}

#[test]
fn a_sound_schema_passes() {
    assert_eq!(sound().validate(), Ok(()));
    assert_eq!(Schema::default().validate(), Ok(()));
}

fn check(expected: &str, change: impl FnOnce(&mut Schema)) {
    let mut schema = sound();
    change(&mut schema);
    let error = schema.validate().expect_err(expected);
    assert_eq!(error.to_string(), expected);
}

#[test]
fn names() {
    check("schema: a table has an empty name", |s| {
        s.tables[0].name.clear();
    });
    check(
        "schema: table `__t`: names that start with `__` are reserved",
        |s| {
            s.tables[0].name = "__t".into();
        },
    );
    for bad in ["1a", "a b", "ä", "a\u{1b}"] {
        let error = format!(
            "table `player`: column `{}`: a name has letters, digits and `_`, no digit first",
            bad.escape_debug()
        );
        check(&error, |s| s.tables[0].columns[1].name = bad.into());
    }
    check(
        "schema: the name of reducer `aaaaaaaaaaaaaaaaaaaa..` is over 128 bytes",
        |s| {
            s.reducers[0].name = "a".repeat(129);
        },
    );
    check("table `player`: column `id` is declared twice", |s| {
        s.tables[0].columns[1].name = "id".into();
    });
    check("table `player`: index `by_name` is declared twice", |s| {
        s.tables[0].indexes[1].name = "by_name".into();
    });
    check("schema: table `player` is declared twice", |s| {
        s.tables.push(s.tables[0].clone());
    });
    check("schema: reducer `join` is declared twice", |s| {
        s.reducers.push(s.reducers[0].clone());
    });
    check("reducer `join`: parameter `name` is declared twice", |s| {
        s.reducers[0].params[1].name = "name".into();
    });
}

#[test]
fn limits() {
    check(
        "table `player`: 257 columns, at most 256 are allowed",
        |s| {
            let column = |i| ColumnDef {
                name: format!("c{i}"),
                ty: Type::U8,
            };
            s.tables[0].columns = (0..257).map(column).collect();
        },
    );
    check("table `player`: 33 indexes, at most 32 are allowed", |s| {
        s.tables[0].indexes = (0..33)
            .map(|i| index(&format!("i{i}"), &[0], false))
            .collect();
    });
    check(
        "reducer `join`: 65 parameters, at most 64 are allowed",
        |s| {
            s.reducers[0].params = (0..65).map(|i| field(&format!("p{i}"), Type::U8)).collect();
        },
    );
    check("schema: 513 tables, at most 512 are allowed", |s| {
        s.tables = vec![s.tables[0].clone(); 513];
    });
    check("schema: 1025 reducers, at most 1024 are allowed", |s| {
        s.reducers = vec![s.reducers[0].clone(); 1025];
    });
}

#[test]
fn keys() {
    check("table `player`: a table has at least one column", |s| {
        s.tables[0].columns.clear();
    });
    check("table `player`, primary key: it has no columns", |s| {
        s.tables[0].primary_key.clear();
    });
    check(
        "table `player`, primary key: it names column 4, but the table has 4",
        |s| {
            s.tables[0].primary_key = vec![4];
        },
    );
    check(
        "table `player`, primary key: it names column `id` twice",
        |s| {
            s.tables[0].primary_key = vec![0, 3, 0];
        },
    );
    check(
        "table `player`, primary key: column `name` is an option: a key is never null",
        |s| s.tables[0].primary_key = vec![1],
    );
    check("table `player`, index `by_place`: it has no columns", |s| {
        s.tables[0].indexes[1].columns.clear();
    });
    check(
        "table `player`, primary key: a key has over 4096 bytes",
        |s| {
            let part = |name: &str| field(name, Type::Identity);
            let fields = (0..129).map(|i| part(&format!("f{i}"))).collect();
            s.tables[0].columns[0].ty = structure("Wide", fields);
        },
    );
}

#[test]
fn auto_increment() {
    check(
        "table `player`, auto_increment: it names column 9, but the table has 4",
        |s| {
            s.tables[0].auto_increment = Some(9);
        },
    );
    check(
        "table `player`, auto_increment: column `name` is a option<string>, not an integer",
        |s| {
            s.tables[0].auto_increment = Some(1);
        },
    );
    let alone =
        "table `player`, auto_increment: column `id` must be the primary key or unique by itself";
    check(alone, |s| s.tables[0].primary_key = vec![0, 3]);
    let mut schema = sound();
    schema.tables[0].primary_key = vec![0, 3];
    schema.tables[0].indexes.push(index("by_id", &[0], true));
    assert_eq!(schema.validate(), Ok(()));
}

#[test]
fn types() {
    let column = "table `player`, column `name`";
    check(
        &format!("{column}: options do not nest: option<option<u8>>"),
        |s| {
            s.tables[0].columns[1].ty = Type::option(Type::option(Type::U8));
        },
    );
    check(
        &format!("{column}, struct `Empty`: a struct has at least one field"),
        |s| {
            s.tables[0].columns[1].ty = structure("Empty", Vec::new());
        },
    );
    check(
        &format!("{column}, enum `Never`: an enum has at least one variant"),
        |s| {
            s.tables[0].columns[1].ty = enumeration("Never", 0);
        },
    );
    check(
        &format!("{column}, enum `Big`: 257 variants, at most 256 are allowed"),
        |s| {
            s.tables[0].columns[1].ty = enumeration("Big", 257);
        },
    );
    check(&format!("{column}: types nest over 16 deep"), |s| {
        s.tables[0].columns[1].ty = (0..17).fold(Type::U8, |ty, _| Type::list(ty));
    });
    check(
        "reducer `join`, parameter `name`: type `Point` has another definition elsewhere",
        |s| {
            s.reducers[0].params[0].ty = enumeration("Point", 1);
        },
    );
    check(
        &format!("{column}, struct `S`: field `a` is declared twice"),
        |s| {
            let fields = vec![field("a", Type::U8), field("a", Type::U8)];
            s.tables[0].columns[1].ty = structure("S", fields);
        },
    );
    check(
        "reducer `join`, result: options do not nest: option<option<u8>>",
        |s| {
            s.reducers[0].returns = Some(Type::option(Type::option(Type::U8)));
        },
    );
}

#[test]
fn lifecycle_reducers() {
    check(
        "reducer `start`: a lifecycle reducer has no parameters",
        |s| {
            s.reducers[1].params = vec![field("a", Type::U8)];
        },
    );
    check(
        "reducer `start`: a lifecycle reducer returns nothing",
        |s| {
            s.reducers[1].returns = Some(Type::U8);
        },
    );
    check(
        "reducer `again`: `start` is the init reducer already",
        |s| {
            let mut again = s.reducers[1].clone();
            again.name = "again".into();
            s.reducers.push(again);
        },
    );
}
