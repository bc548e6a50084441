//! Whether the policies and views of a schema mean something: asked before it is published.

use std::sync::Arc;

use syncline_protocol::param::Param;
use syncline_protocol::{Claims, ErrorCode, Identity, Type};
use syncline_store::{Database, DatabaseSchema};

use crate::Caller;
use crate::bind::{Mode, bind};
use crate::declared::Declared;
use crate::error::QueryError;
use crate::syntax::{Body, Item, Name, On, Position, Query, Relation, Select, Source};

/// Binds every policy and view against a schema. The first that is wrong is named by the error.
pub fn check_declarations(schema: &Arc<DatabaseSchema>) -> Result<(), QueryError> {
    let module = &schema.module;
    if module.policies.is_empty() && module.views.is_empty() {
        return Ok(());
    }
    let mut db = Database::new(0);
    if db.install(schema.clone()).is_err() {
        // An empty database takes every schema that holds together; others are refused elsewhere.
        return Ok(());
    }
    let declared = Declared::new(db.schema());
    for policy in &module.policies {
        let table = &module.tables[usize::from(policy.table)];
        check(&db, &declared, &table.name, &[])?;
    }
    for view in &module.views {
        let mut params = Vec::with_capacity(view.params.len());
        for param in &view.params {
            let Some(value) = sample(&param.ty) else {
                let (view, name, ty) = (&view.name, &param.name, &param.ty);
                let message =
                    format!("parameter `{name}` of view `{view}`: nobody can give a {ty}");
                return Err(QueryError::new(ErrorCode::SqlType, message)
                    .hint("a parameter is a scalar, an option or a list of such"));
            };
            params.push((param.name.clone(), value));
        }
        check(&db, &declared, &view.name, &params)?;
    }
    Ok(())
}

/// Some value of a type, if a parameter can have it.
fn sample(ty: &Type) -> Option<Param> {
    Some(match ty {
        Type::Option(_) => Param::Null,
        Type::List(_) => Param::List(Vec::new()),
        Type::Bool => Param::Bool(false),
        Type::String => Param::Text(String::new()),
        Type::Bytes => Param::Bytes(Vec::new()),
        Type::Struct(_) | Type::Enum(_) => return None,
        other => [
            Param::Int(0),
            Param::Float(0.0),
            Param::Text("0".to_owned()),
        ]
        .into_iter()
        .chain([32, 16].map(|len| Param::Bytes(vec![0; len])))
        .find(|value| value.coerce(other).is_some())?,
    })
}

/// Binds `SELECT * FROM name` for a client.
fn check(
    db: &Database,
    declared: &Declared,
    name: &str,
    params: &[(String, Param)],
) -> Result<(), QueryError> {
    let at = Position { line: 1, column: 1 };
    let name = Name {
        text: name.to_owned(),
        quoted: true,
        at,
    };
    let source = Source {
        relation: Relation::Table(name),
        alias: None,
        left: false,
        on: On::Nothing,
        swapped: false,
        at,
    };
    let select = Select {
        distinct: false,
        items: vec![Item::All],
        from: vec![source],
        filter: None,
        group: Vec::new(),
        having: None,
    };
    let query = Query {
        with: Vec::new(),
        body: Body::Select(Box::new(select)),
        order: Vec::new(),
        after: Vec::new(),
        limit: None,
        offset: None,
        at,
    };
    let client = Caller {
        identity: Identity::default(),
        admin: false,
        claims: Claims::NONE,
    };
    bind(db, declared, &query, params, &client, Mode::Live).map(|_| ())
}
