//! Questions of our own to a server: fixed texts in a pipeline, rows as text, over a session's connection or one of
//! our own.
//!
//! A session's connection must owe nothing: every earlier message answered, at ReadyForQuery. What an asynchronous
//! message meanwhile said is handed back, not lost. Knows no catalog and no policy.

use bytes::{Bytes, BytesMut};

use super::login::{self, Credential, LoginError};
use super::{Server, Target, Upstream, UpstreamError};
use crate::tls::TlsError;
use crate::wire::backend::{self, TransactionStatus};
use crate::wire::frontend::Target as Named;
use crate::wire::startup::PROTOCOL_3_0;
use crate::wire::{BackendKind, ErrorFields, ProtocolError};

/// Why a question of ours to the server has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
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

impl From<LoginError> for AskError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Connection(error) => Self::Connection(error),
            LoginError::Server(fields) => Self::Server(fields),
            LoginError::Asks(_) | LoginError::Scram(_) => Self::Login(error),
        }
    }
}

impl From<ProtocolError> for AskError {
    fn from(error: ProtocolError) -> Self {
        Self::Connection(error.into())
    }
}

/// Of the statement and the portal that each text is run under in turn.
const NAME: &str = "pgpurpose: catalog";

pub(super) fn send(upstream: &mut Upstream, text: &'static str) {
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
) -> Result<Vec<Vec<Bytes>>, AskError> {
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
) -> Result<Vec<Vec<Bytes>>, AskError> {
    upstream.sender.query_fixed(text);
    receive(upstream, aside).await
}

/// Reads results up to a ReadyForQuery.
pub(super) async fn receive(upstream: &mut Upstream, aside: &mut BytesMut) -> Result<Vec<Vec<Bytes>>, AskError> {
    let mut results: Vec<Vec<Bytes>> = Vec::new();
    let mut failure = None;
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::RowDescription | BackendKind::BindComplete => results.push(Vec::new()),
            BackendKind::DataRow => match results.last_mut() {
                Some(rows) => rows.push(frame.body()),
                None => return Err(AskError::Unexpected("row")),
            },
            BackendKind::ParseComplete | BackendKind::CloseComplete | BackendKind::CommandComplete => {}
            BackendKind::ErrorResponse => {
                let fields = ErrorFields::read(frame.body())?;
                if fields.is_fatal() {
                    return Err(AskError::Server(fields));
                }
                failure.get_or_insert(fields);
            }
            BackendKind::ReadyForQuery => {
                TransactionStatus::read(&frame.body())?;
                return match failure {
                    None => Ok(results),
                    Some(fields) => Err(AskError::Server(fields)),
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
            | BackendKind::PortalSuspended => return Err(AskError::Unexpected("message")),
        }
    }
}

/// A row, read from its first column on.
pub(super) struct Row {
    values: std::vec::IntoIter<Option<Bytes>>,
}

impl Row {
    fn read(body: &Bytes) -> Result<Self, AskError> {
        Ok(Self {
            values: backend::data_row(body.clone())?.into_iter(),
        })
    }

    pub(super) fn optional(&mut self, what: &'static str) -> Result<Option<String>, AskError> {
        match self.values.next() {
            None => Err(AskError::Unexpected(what)),
            Some(None) => Ok(None),
            Some(Some(raw)) => match std::str::from_utf8(&raw) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(AskError::Unexpected(what)),
            },
        }
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<String, AskError> {
        self.optional(what)?.ok_or(AskError::Unexpected(what))
    }

    /// All that are left.
    pub(super) fn all(mut self) -> Result<Vec<Option<String>>, AskError> {
        (0..self.values.len()).map(|_| self.optional("value")).collect()
    }

    pub(super) fn number<N: std::str::FromStr>(&mut self, what: &'static str) -> Result<N, AskError> {
        self.text(what)?.parse().map_err(|_| AskError::Unexpected(what))
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool, AskError> {
        Ok(self.optional(what)?.as_deref() == Some("t"))
    }

    pub(super) fn letter(&mut self, what: &'static str) -> Result<char, AskError> {
        self.text(what)?.chars().next().ok_or(AskError::Unexpected(what))
    }

    /// `oidvector`, `int2vector` (`1 2`) and arrays of numbers (`{1,2}`).
    pub(super) fn numbers<N: std::str::FromStr>(&mut self, what: &'static str) -> Result<Vec<N>, AskError> {
        split(&self.optional(what)?.unwrap_or_default())
            .map(|n| n.parse().map_err(|_| AskError::Unexpected(what)))
            .collect()
    }
}

pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
    list.trim_matches(['{', '}'])
        .split([' ', ','])
        .filter(|part| !part.is_empty())
}

pub(super) fn rows(
    results: &Results,
    index: usize,
) -> Result<impl Iterator<Item = Result<Row, AskError>> + use<'_>, AskError> {
    let rows = results.get(index).ok_or(AskError::Unexpected("number of results"))?;
    Ok(rows.iter().map(Row::read))
}

pub(super) fn one_row(results: &Results, index: usize) -> Result<Row, AskError> {
    rows(results, index)?
        .next()
        .ok_or(AskError::Unexpected("number of rows"))?
}

/// Logs in as the target says, up to the first ReadyForQuery.
///
/// # Errors
/// See [`AskError`].
pub(super) async fn login(server: &Server, target: &Target) -> Result<Upstream, AskError> {
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
