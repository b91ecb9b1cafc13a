//! Loads a [`Catalog`] over a session's own connection, with fixed queries and text results.
//!
//! The connection must owe us nothing: every earlier message answered, at ReadyForQuery. Knows no
//! policy; what an asynchronous message meanwhile said is handed back, not lost.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use super::login::{self, Credential, LoginError};
use super::needs::{self, Looker, Report};
use super::{Server, Target, Upstream, UpstreamError, loader_sql, privileges};
use crate::catalog::{
    Catalog, Column, Function, FunctionResult, Oid, Operator, QualifiedName, Relation, RelationKind, Type, TypeKind,
    UniqueKey,
};
use crate::tls::TlsError;
use crate::wire::backend::{self, TransactionStatus};
use crate::wire::frontend::Target as Named;
use crate::wire::startup::PROTOCOL_3_0;
use crate::wire::{BackendKind, ErrorFields, ProtocolError};

/// Where the connection stands while the catalog is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Outside a transaction block.
    Idle,
    /// Inside one that has not failed.
    InTransaction,
}

/// Why a catalog could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The connection ended or is out of step.
    #[error(transparent)]
    Connection(#[from] UpstreamError),
    /// The server does not let us in.
    #[error(transparent)]
    Login(LoginError),
    /// Certificates are not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// PostgreSQL refused a query.
    #[error("the catalog cannot be read: {}", .0.get(b'M').unwrap_or("unknown error"))]
    Server(ErrorFields),
    /// What is relied on is lacking.
    #[error("the database server, {engine}, is not supported: {objection}")]
    Unfit {
        /// What it is.
        engine: &'static str,
        /// What is lacking.
        objection: String,
    },
    /// A row is not of the form that was asked for.
    #[error("the catalog cannot be read: unexpected {0}")]
    Unexpected(&'static str),
}

impl From<LoginError> for LoadError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Connection(error) => Self::Connection(error),
            LoginError::Server(fields) => Self::Server(fields),
            LoginError::Asks(_) | LoginError::Scram(_) => Self::Login(error),
        }
    }
}

impl From<ProtocolError> for LoadError {
    fn from(error: ProtocolError) -> Self {
        Self::Connection(error.into())
    }
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
/// See [`LoadError`].
pub async fn session_settings(upstream: &mut Upstream, aside: &mut BytesMut) -> Result<SessionSettings, LoadError> {
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
/// See [`LoadError`]; the connection is at ReadyForQuery again, where it was, unless it ended.
pub async fn load(upstream: &mut Upstream, moment: Moment, aside: &mut BytesMut) -> Result<Loaded, LoadError> {
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
            if let (LoadError::Server(_), Moment::InTransaction) = (&error, moment) {
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
    build(queries.ok_or(LoadError::Unexpected("number of results"))?)
}

/// Of the statement and the portal that each text is run under in turn.
const NAME: &str = "pgpurpose: catalog";

fn send(upstream: &mut Upstream, text: &'static str) {
    let sender = &mut upstream.sender;
    // One that failed half-way may have left it behind.
    sender.close(Named::Statement, NAME);
    sender.parse_fixed(NAME, text);
    // No parameters, all results as text.
    sender.bind(NAME, NAME, &[0; 6]);
    sender.execute_fixed(NAME);
    sender.close(Named::Portal, NAME);
    sender.close(Named::Statement, NAME);
}

/// Runs fixed statements as one pipeline, one transaction where none is open.
pub(super) async fn pipeline(
    upstream: &mut Upstream,
    statements: &[&'static str],
    aside: &mut BytesMut,
) -> Result<Vec<Vec<Bytes>>, LoadError> {
    statements.iter().for_each(|text| send(upstream, text));
    upstream.sender.sync();
    receive(upstream, aside).await
}

/// The rows of each statement, undecoded.
pub(super) type Results = [Vec<Bytes>];

/// Runs one fixed simple query to its end.
pub(super) async fn run(
    upstream: &mut Upstream,
    text: &'static str,
    aside: &mut BytesMut,
) -> Result<Vec<Vec<Bytes>>, LoadError> {
    upstream.sender.query_fixed(text);
    receive(upstream, aside).await
}

/// Reads results up to a ReadyForQuery.
pub(super) async fn receive(upstream: &mut Upstream, aside: &mut BytesMut) -> Result<Vec<Vec<Bytes>>, LoadError> {
    let mut results: Vec<Vec<Bytes>> = Vec::new();
    let mut failure = None;
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::RowDescription | BackendKind::BindComplete => results.push(Vec::new()),
            BackendKind::DataRow => match results.last_mut() {
                Some(rows) => rows.push(frame.body()),
                None => return Err(LoadError::Unexpected("row")),
            },
            BackendKind::ParseComplete | BackendKind::CloseComplete | BackendKind::CommandComplete => {}
            BackendKind::ErrorResponse => {
                let fields = ErrorFields::read(frame.body())?;
                if fields.is_fatal() {
                    return Err(LoadError::Server(fields));
                }
                failure.get_or_insert(fields);
            }
            BackendKind::ReadyForQuery => {
                TransactionStatus::read(&frame.body())?;
                return match failure {
                    None => Ok(results),
                    Some(fields) => Err(LoadError::Server(fields)),
                };
            }
            // Said by the server on its own; the search_path and the encoding that it reports are ours, for a moment.
            BackendKind::ParameterStatus => {
                let (name, _) = backend::parameter_status(frame.body())?;
                if !matches!(name.as_str(), "search_path" | "client_encoding") {
                    aside.extend_from_slice(&frame.bytes);
                }
            }
            // The key comes once, behind a login of our own.
            BackendKind::NoticeResponse | BackendKind::NotificationResponse | BackendKind::BackendKeyData => {}
            BackendKind::Authentication
            | BackendKind::CopyData
            | BackendKind::CopyDone
            | BackendKind::CopyInResponse
            | BackendKind::CopyOutResponse
            | BackendKind::CopyBothResponse
            | BackendKind::EmptyQueryResponse
            | BackendKind::FunctionCallResponse
            | BackendKind::NegotiateProtocolVersion
            | BackendKind::NoData
            | BackendKind::ParameterDescription
            | BackendKind::PortalSuspended => return Err(LoadError::Unexpected("message")),
        }
    }
}

/// A row, read from its first column on.
pub(super) struct Row {
    values: std::vec::IntoIter<Option<Bytes>>,
}

impl Row {
    fn read(body: &Bytes) -> Result<Self, LoadError> {
        Ok(Self {
            values: backend::data_row(body.clone())?.into_iter(),
        })
    }

    pub(super) fn optional(&mut self, what: &'static str) -> Result<Option<String>, LoadError> {
        match self.values.next() {
            None => Err(LoadError::Unexpected(what)),
            Some(None) => Ok(None),
            Some(Some(raw)) => match std::str::from_utf8(&raw) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(LoadError::Unexpected(what)),
            },
        }
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<String, LoadError> {
        self.optional(what)?.ok_or(LoadError::Unexpected(what))
    }

    /// All that are left.
    pub(super) fn all(mut self) -> Result<Vec<Option<String>>, LoadError> {
        (0..self.values.len()).map(|_| self.optional("value")).collect()
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self, what: &'static str) -> Result<N, LoadError> {
        self.text(what)?.parse().map_err(|_| LoadError::Unexpected(what))
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, LoadError> {
        Ok(self.optional(what)?.as_deref() == Some("t"))
    }

    fn letter(&mut self, what: &'static str) -> Result<char, LoadError> {
        self.text(what)?.chars().next().ok_or(LoadError::Unexpected(what))
    }

    /// `oidvector`, `int2vector` (`1 2`) and arrays of numbers (`{1,2}`).
    fn numbers<N: std::str::FromStr>(&mut self, what: &'static str) -> Result<Vec<N>, LoadError> {
        split(&self.optional(what)?.unwrap_or_default())
            .map(|n| n.parse().map_err(|_| LoadError::Unexpected(what)))
            .collect()
    }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.trim_matches(['{', '}'])
        .split([' ', ','])
        .filter(|part| !part.is_empty())
}

pub(super) fn rows(
    results: &Results,
    index: usize,
) -> Result<impl Iterator<Item = Result<Row, LoadError>> + use<'_>, LoadError> {
    let rows = results.get(index).ok_or(LoadError::Unexpected("number of results"))?;
    Ok(rows.iter().map(Row::read))
}

fn one_row(results: &Results, index: usize) -> Result<Row, LoadError> {
    rows(results, index)?
        .next()
        .ok_or(LoadError::Unexpected("number of rows"))?
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

fn build(results: &Results) -> Result<Loaded, LoadError> {
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

fn relations(results: &Results, names: &Names) -> Result<Vec<Arc<Relation>>, LoadError> {
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

fn columns(results: &Results) -> Result<HashMap<Oid, Vec<Column>>, LoadError> {
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

fn types(results: &Results, names: &Names) -> Result<Vec<Type>, LoadError> {
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
            _ => return Err(LoadError::Unexpected("typtype")),
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

fn functions(results: &Results, names: &Names) -> Result<Vec<Function>, LoadError> {
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
fn output_columns(row: &mut Row) -> Result<Option<FunctionResult>, LoadError> {
    let types: Vec<Oid> = row.numbers("proallargtypes")?;
    let modes = row.optional("proargmodes")?.unwrap_or_default();
    let names: Option<Vec<String>> = match row.optional("proargnames")? {
        Some(json) => serde_json::from_str(&json).map_err(|_| LoadError::Unexpected("proargnames"))?,
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

fn operators(results: &Results, names: &Names) -> Result<Vec<Operator>, LoadError> {
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
/// See [`LoadError`]; a server that asks for a password that the URL does not give, or in a way
/// other than in clear text.
pub fn load_blocking(target: &Target) -> Result<Catalog, LoadError> {
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
            return Err(LoadError::Unfit { engine, objection });
        }
        let mut catalog = load(&mut upstream, Moment::Idle, &mut BytesMut::new()).await?.catalog;
        catalog.privileges = Some(privileges::load(&mut upstream).await?);
        upstream.sender.terminate();
        upstream.sender.write_all().await?;
        Ok(catalog)
    })
}

/// Logs in as the target says, up to the first ReadyForQuery.
///
/// # Errors
/// See [`LoadError`].
pub(super) async fn login(server: &Server, target: &Target) -> Result<Upstream, LoadError> {
    let user = target.user.clone().unwrap_or_else(|| "postgres".into());
    let database = target.database.clone().unwrap_or_else(|| user.clone());
    let credential = match &target.password {
        Some(password) => Credential::Password(password.clone()),
        None => Credential::Nothing,
    };
    let mut upstream = server.connect().await.map_err(UpstreamError::Io)?;
    let parameters = [
        ("user".into(), user.clone()),
        ("database".into(), database),
        ("application_name".into(), "pgpurpose".into()),
        ("client_encoding".into(), "UTF8".into()),
    ];
    upstream.sender.startup(PROTOCOL_3_0, &parameters);
    login::authenticate(&mut upstream, &user, &credential).await?;
    receive(&mut upstream, &mut BytesMut::new()).await?;
    Ok(upstream)
}

/// Looks at a server over a connection of its own, and says to the log what was found.
///
/// # Errors
/// See [`LoadError`].
pub(super) async fn look_at(server: &Server, target: &Target) -> Result<Report, LoadError> {
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
/// See [`LoadError`].
pub async fn verifier_of(server: &Server, target: &Target, role: &str) -> Result<Option<Zeroizing<String>>, LoadError> {
    let mut upstream = login(server, target).await?;
    let length = i32::try_from(role.len()).map_err(|_| LoadError::Unexpected("length"))?;
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
