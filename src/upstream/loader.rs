//! Loads a [`Catalog`] over a session's own connection, with fixed queries and text results.
//!
//! Knows no policy.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::BytesMut;
use zeroize::Zeroizing;

use super::ask::{AskError, Results, Row, login, one_row, receive, rows, run, send, split};
use super::needs::{self, Looker, Report};
use super::{Server, Target, Upstream, UpstreamError, loader_sql, privileges};
use crate::catalog::{
    Catalog, Column, Function, FunctionResult, Oid, Operator, QualifiedName, Relation, RelationKind, Type, TypeKind,
    UniqueKey,
};

/// Where the connection stands while the catalog is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Outside a transaction block.
    Idle,
    /// Inside one that has not failed.
    InTransaction,
}

/// What came back.
#[derive(Debug)]
pub struct Loaded {
    /// The catalog, indexed.
    pub catalog: Catalog,
    /// Of all rows: two loads with the same digest saw the same catalog.
    pub digest: u64,
}

/// The settings that a session starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// `search_path`, as `SHOW` prints it.
    pub search_path: String,
    /// `standard_conforming_strings`
    pub standard_conforming_strings: String,
    /// `client_encoding`
    pub client_encoding: String,
    /// `server_encoding`
    pub server_encoding: String,
    /// `client_min_messages`
    pub client_min_messages: String,
}

/// Reads the settings that a session starts with.
///
/// # Errors
/// See [`AskError`].
pub async fn session_settings(upstream: &mut Upstream, aside: &mut BytesMut) -> Result<SessionSettings, AskError> {
    let results = run(upstream, loader_sql::SESSION, aside).await?;
    let mut row = one_row(&results, 0)?;
    Ok(SessionSettings {
        search_path: row.text("search_path")?,
        standard_conforming_strings: row.text("standard_conforming_strings")?,
        client_encoding: row.text("client_encoding")?,
        server_encoding: row.text("server_encoding")?,
        client_min_messages: row.text("client_min_messages")?,
    })
}

/// Loads the catalog; messages that the server sends by itself meanwhile are appended to `aside`.
///
/// # Errors
/// See [`AskError`]; the connection is at ReadyForQuery again, where it was, unless it ended.
pub async fn load(upstream: &mut Upstream, moment: Moment, aside: &mut BytesMut) -> Result<Loaded, AskError> {
    let (before, after): (&[&str], &[&str]) = match moment {
        Moment::Idle => (loader_sql::BEGIN_IDLE, &[]),
        Moment::InTransaction => (loader_sql::BEGIN_IN_TRANSACTION, loader_sql::END_IN_TRANSACTION),
    };
    for statements in [before, loader_sql::QUERIES, after] {
        statements.iter().for_each(|text| send(upstream, text));
    }
    upstream.sender.sync();
    let results = match receive(upstream, aside).await {
        Ok(results) => results,
        Err(error) => {
            if let (AskError::Server(_), Moment::InTransaction) = (&error, moment) {
                loader_sql::END_IN_TRANSACTION
                    .iter()
                    .for_each(|text| send(upstream, text));
                upstream.sender.sync();
                receive(upstream, aside).await?;
            }
            return Err(error);
        }
    };
    let queries = results.get(before.len()..before.len() + loader_sql::QUERIES.len());
    build(queries.ok_or(AskError::Unexpected("number of results"))?)
}

/// The system catalogs in which extensions have members that we look at, by their fixed oids.
mod class {
    pub(super) const RELATION: u32 = 1259;
    pub(super) const TYPE: u32 = 1247;
    pub(super) const FUNCTION: u32 = 1255;
    pub(super) const OPERATOR: u32 = 2617;
}

/// What several lists refer to.
struct Names {
    schemas: HashMap<Oid, String>,
    extensions: HashMap<(u32, Oid), String>,
}

impl Names {
    /// `None`: it lives in a temporary schema of another session, or came and went meanwhile.
    fn qualified(&self, schema: Oid, name: String) -> Option<QualifiedName> {
        Some(QualifiedName::new(self.schemas.get(&schema)?, name))
    }

    fn extension(&self, class: u32, oid: Oid) -> Option<String> {
        self.extensions.get(&(class, oid)).cloned()
    }
}

fn build(results: &Results) -> Result<Loaded, AskError> {
    let mut head = one_row(results, 0)?;
    let server_version = head.number("server_version_num")?;
    let database = head.text("database")?;
    let temp_schema = head.optional("temporary schema")?;
    let mut schemas = HashMap::new();
    for row in rows(results, 1)? {
        let mut row = row?;
        schemas.insert(row.number("schema")?, row.text("schema")?);
    }
    let mut extensions = HashMap::new();
    for row in rows(results, 9)? {
        let mut row = row?;
        extensions.insert(
            (row.number("extension")?, row.number("extension")?),
            row.text("extension")?,
        );
    }
    let names = Names { schemas, extensions };
    let mut catalog = Catalog::default();
    catalog.database = database;
    catalog.server_version = server_version;
    catalog.relations = relations(results, &names)?;
    catalog.types = types(results, &names)?;
    catalog.functions = functions(results, &names)?;
    catalog.operators = operators(results, &names)?;
    for row in rows(results, 10)? {
        catalog.trigger_functions.push(row?.number("trigger")?);
    }
    catalog.schemas = names.schemas.into_values().collect();
    catalog.schemas.sort();
    catalog.temp_schema = temp_schema;
    Ok(Loaded {
        catalog: catalog.indexed(),
        digest: digest(results),
    })
}

/// Over rows in whatever order they came, so that a moved row is not a new catalog.
fn digest(results: &Results) -> u64 {
    let mut sum = 0u64;
    for (index, rows) in results.iter().enumerate() {
        for row in rows {
            let mut hasher = DefaultHasher::new();
            (index, row).hash(&mut hasher);
            sum = sum.wrapping_add(hasher.finish());
        }
    }
    sum
}

fn relations(results: &Results, names: &Names) -> Result<Vec<Arc<Relation>>, AskError> {
    let mut columns = columns(results)?;
    let mut parents: HashMap<Oid, Vec<Oid>> = HashMap::new();
    for row in rows(results, 4)? {
        let mut row = row?;
        parents
            .entry(row.number("child")?)
            .or_default()
            .push(row.number("parent")?);
    }
    let mut keys: HashMap<Oid, Vec<i16>> = HashMap::new();
    let mut unique: HashMap<Oid, Vec<UniqueKey>> = HashMap::new();
    for row in rows(results, 5)? {
        let mut row = row?;
        let oid = row.number("key")?;
        let mut columns: Vec<i16> = row.numbers("key")?;
        columns.truncate(row.number("key")?);
        if row.flag("key")? {
            keys.insert(oid, columns.clone());
        }
        unique.entry(oid).or_default().push(UniqueKey {
            name: row.text("key")?,
            columns,
            plain: row.flag("key")?,
        });
    }
    let mut all = Vec::new();
    for row in rows(results, 2)? {
        let mut row = row?;
        let oid: Oid = row.number("relation")?;
        let schema = row.number("relation")?;
        let Some(name) = names.qualified(schema, row.text("relation")?) else {
            continue;
        };
        all.push(Arc::new(Relation {
            oid,
            name,
            kind: relation_kind(row.letter("relkind")?),
            columns: columns.remove(&oid).unwrap_or_default(),
            parents: parents.remove(&oid).unwrap_or_default(),
            definition: row.optional("definition")?.map(|d| d.trim_end_matches(';').to_owned()),
            security_barrier: row.flag("security_barrier")?,
            has_rules: row.flag("rules")?,
            primary_key: keys.remove(&oid).unwrap_or_default(),
            unique_keys: unique.remove(&oid).unwrap_or_default(),
            extension: names.extension(class::RELATION, oid),
        }));
    }
    Ok(all)
}

const fn relation_kind(letter: char) -> RelationKind {
    match letter {
        'r' => RelationKind::Table,
        'p' => RelationKind::PartitionedTable,
        'v' => RelationKind::View,
        'm' => RelationKind::MaterializedView,
        'f' => RelationKind::ForeignTable,
        'S' => RelationKind::Sequence,
        'c' => RelationKind::CompositeType,
        // Indexes and TOAST tables; what a later PostgreSQL adds cannot be read either.
        _ => RelationKind::Other,
    }
}

fn columns(results: &Results) -> Result<HashMap<Oid, Vec<Column>>, AskError> {
    let mut all: HashMap<Oid, Vec<Column>> = HashMap::new();
    for row in rows(results, 3)? {
        let mut row = row?;
        let relation = row.number("column")?;
        all.entry(relation).or_default().push(Column {
            number: row.number("column")?,
            name: row.text("column")?,
            type_oid: row.number("column")?,
            type_sql: row.text("column type")?,
            not_null: row.flag("column")?,
            generated: row.flag("column")?,
        });
    }
    Ok(all)
}

fn types(results: &Results, names: &Names) -> Result<Vec<Type>, AskError> {
    let mut all = Vec::new();
    for row in rows(results, 6)? {
        let mut row = row?;
        let oid = row.number("type")?;
        let schema = row.number("type")?;
        let name = row.text("type")?;
        let letter = row.letter("typtype")?;
        let relation = row.number("type")?;
        let base = row.number("type")?;
        let kind = match letter {
            'b' => TypeKind::Base,
            'c' => TypeKind::Composite(relation),
            'd' => TypeKind::Domain(base),
            'e' => TypeKind::Enum,
            'p' => TypeKind::Pseudo,
            'r' => TypeKind::Range,
            'm' => TypeKind::Multirange,
            _ => return Err(AskError::Unexpected("typtype")),
        };
        let Some(name) = names.qualified(schema, name) else {
            continue;
        };
        all.push(Type {
            oid,
            name,
            kind,
            category: row.letter("typcategory")?,
            element: row.number("typelem")?,
            extension: names.extension(class::TYPE, oid),
        });
    }
    Ok(all)
}

fn functions(results: &Results, names: &Names) -> Result<Vec<Function>, AskError> {
    let mut all = Vec::new();
    for row in rows(results, 7)? {
        let mut row = row?;
        let oid = row.number("function")?;
        let schema = row.number("function")?;
        let Some(name) = names.qualified(schema, row.text("function")?) else {
            continue;
        };
        let arguments = row.numbers("proargtypes")?;
        let defaults = row.number("pronargdefaults")?;
        let variadic = row.flag("provariadic")?;
        let result = row.number("prorettype")?;
        let returns_set = row.flag("proretset")?;
        let kind = row.letter("prokind")?;
        let signature = row.text("signature")?;
        all.push(Function {
            oid,
            name,
            arguments,
            defaults,
            variadic,
            result: output_columns(&mut row)?.unwrap_or(FunctionResult::Type(result)),
            returns_set,
            kind,
            signature,
            extension: names.extension(class::FUNCTION, oid),
        });
    }
    Ok(all)
}

/// OUT, INOUT and TABLE parameters, if there are any.
fn output_columns(row: &mut Row) -> Result<Option<FunctionResult>, AskError> {
    let types: Vec<Oid> = row.numbers("proallargtypes")?;
    let modes = row.optional("proargmodes")?.unwrap_or_default();
    let names: Option<Vec<String>> = match row.optional("proargnames")? {
        Some(json) => serde_json::from_str(&json).map_err(|_| AskError::Unexpected("proargnames"))?,
        None => None,
    };
    let names = names.unwrap_or_default();
    let columns: Vec<(String, Oid)> = split(&modes)
        .zip(types)
        .enumerate()
        .filter(|(_, (mode, _))| matches!(*mode, "o" | "b" | "t"))
        .map(|(i, (_, oid))| (names.get(i).cloned().unwrap_or_default(), oid))
        .enumerate()
        // PostgreSQL calls an unnamed one `columnN`.
        .map(|(i, (name, oid))| match name.is_empty() {
            true => (format!("column{}", i + 1), oid),
            false => (name, oid),
        })
        .collect();
    Ok((!columns.is_empty()).then_some(FunctionResult::Columns(columns)))
}

fn operators(results: &Results, names: &Names) -> Result<Vec<Operator>, AskError> {
    let mut all = Vec::new();
    for row in rows(results, 8)? {
        let mut row = row?;
        let oid = row.number("operator")?;
        let schema = row.number("operator")?;
        let Some(name) = names.qualified(schema, row.text("operator")?) else {
            continue;
        };
        all.push(Operator {
            name,
            left: row.number("operator")?,
            right: row.number("operator")?,
            function: row.number("operator")?,
            extension: names.extension(class::OPERATOR, oid),
        });
    }
    Ok(all)
}

/// Loads the catalog over a connection of its own, for tools that have no session.
///
/// # Errors
/// See [`AskError`]; a server that asks for a password that the URL does not give, or in a way
/// other than in clear text.
pub fn load_blocking(target: &Target) -> Result<Catalog, AskError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(UpstreamError::Io)?;
    runtime.block_on(async {
        let server = Server::of(target)?;
        let mut upstream = login(&server, target).await?;
        let report = needs::look(&mut upstream, Looker::Tool, &mut BytesMut::new()).await?;
        if let Some(objection) = report.objections.into_iter().next() {
            let engine = report.engine;
            return Err(AskError::Unfit { engine, objection });
        }
        let mut catalog = load(&mut upstream, Moment::Idle, &mut BytesMut::new()).await?.catalog;
        catalog.privileges = Some(privileges::load(&mut upstream).await?);
        upstream.sender.terminate();
        upstream.sender.write_all().await?;
        Ok(catalog)
    })
}

/// Looks at a server over a connection of its own, and says to the log what was found.
///
/// # Errors
/// See [`AskError`].
pub(super) async fn look_at(server: &Server, target: &Target) -> Result<Report, AskError> {
    let mut upstream = login(server, target).await?;
    let report = needs::look(&mut upstream, Looker::Tool, &mut BytesMut::new()).await?;
    report.tell(&upstream.address);
    upstream.sender.terminate();
    upstream.sender.write_all().await?;
    Ok(report)
}

/// What the server keeps of a role's password, read by a role that may read it; none: nothing, or nobody of that name
/// who may log in now.
///
/// # Errors
/// See [`AskError`].
pub async fn verifier_of(server: &Server, target: &Target, role: &str) -> Result<Option<Zeroizing<String>>, AskError> {
    let mut upstream = login(server, target).await?;
    let length = i32::try_from(role.len()).map_err(|_| AskError::Unexpected("length"))?;
    // No format codes, one parameter, all results as text.
    let parameter = [&[0, 0, 0, 1][..], &length.to_be_bytes(), role.as_bytes(), &[0, 0]].concat();
    let sender = &mut upstream.sender;
    sender.parse_fixed("", loader_sql::VERIFIER);
    sender.bind("", "", &parameter);
    sender.execute_fixed("");
    sender.sync();
    let results = receive(&mut upstream, &mut BytesMut::new()).await?;
    upstream.sender.terminate();
    upstream.sender.write_all().await?;
    let row = rows(&results, 0)?.next().transpose()?;
    let found = row.map(|mut row| row.optional("verifier")).transpose()?;
    Ok(found.flatten().map(Zeroizing::new))
}
