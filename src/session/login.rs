//! From a start-up packet to the first ReadyForQuery: the role and database against the rules, the client's
//! certificate, authentication, the session's settings and the catalog read.
//!
//! Authentication is passed through as it is: a client's answer is seen and handed on. Or, where the proxy has
//! verifiers, clients are authenticated here and logged in by what their proof teaches: no password is kept either.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use uuid::Uuid;

use crate::audit::{Event, PolicyStamp, SessionFacts, SqlState};
use crate::downstream::Client;
use crate::pipeline::Outcome;
use crate::policy::Mode;
use crate::upstream::ask::AskError;
use crate::upstream::catalogs::{CatalogStore, Versioned};
use crate::upstream::loader::{self, Moment};
use crate::upstream::{Standing, Upstream, UpstreamError};
use crate::wire::backend::TransactionStatus;
use crate::wire::startup::Startup;
use crate::wire::{BackendKind, Encoding, ErrorFields, ProtocolError, encode};

use super::authentication;
use super::errors;
use super::in_force::InForce;
use super::limits::Counted;
use super::refusal::fatal;
use super::search_path;
use super::settings::{Followed, Setting, Settings, Source};
use super::shared::Shared;
use super::startup::Asked;

/// Why a login came to nothing.
#[derive(Debug)]
pub enum Failed {
    /// The client is told, and hung up on.
    Tell(ErrorFields),
    /// The client is gone.
    Gone,
}

impl From<io::Error> for Failed {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl From<ProtocolError> for Failed {
    fn from(error: ProtocolError) -> Self {
        Self::Tell(fatal("08P01", error.to_string()))
    }
}

impl From<UpstreamError> for Failed {
    fn from(error: UpstreamError) -> Self {
        tracing::warn!(%error, "login");
        Self::Tell(fatal("08006", "the connection to the database server failed"))
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        tracing::warn!(%error, "login");
        match error {
            AskError::Connection(error) => error.into(),
            AskError::Server(fields) if fields.is_fatal() => {
                Self::Tell(errors::rebuild(&fields, errors::About::default()))
            }
            AskError::Server(_)
            | AskError::Login(_)
            | AskError::Tls(_)
            | AskError::Unfit { .. }
            | AskError::Unexpected(_) => Self::Tell(fatal("XX000", "what exists in the database cannot be read")),
        }
    }
}

/// All that a session begins with.
pub struct LoggedIn {
    /// The connection to the server, at its first ReadyForQuery.
    pub upstream: Upstream,
    /// Who, for the audit.
    pub facts: Arc<SessionFacts>,
    /// The rules in force.
    pub rules: InForce,
    /// What the settings start as.
    pub settings: Settings,
    /// The database's own encoding.
    pub server_encoding: String,
    /// The database's catalogs.
    pub store: Arc<CatalogStore>,
    /// What exists.
    pub catalog: Arc<Versioned>,
}

/// Logs a client in; what the server said up to its ReadyForQuery is in the client's buffer.
///
/// # Errors
/// See [`Failed`].
pub async fn login(
    client: &mut Client,
    startup: &Startup,
    shared: &Shared,
    counted: &mut Counted,
) -> Result<LoggedIn, Failed> {
    let named = |key: &str| {
        startup
            .parameters
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
    };
    let user = named("user").unwrap_or_default();
    let mut attempt = Attempt {
        shared,
        session: Arc::new(SessionFacts::new(
            Uuid::now_v7(),
            user,
            named("application_name"),
            client.peer,
            named("database").unwrap_or(user),
        )),
        // Until it is known better: the client was too slow, or left.
        outcome: Outcome::Error,
        sqlstate: None,
        policy: None,
    };
    let done = match Asked::read(startup) {
        Ok(asked) => {
            attempt.session = Arc::new(SessionFacts::new(
                attempt.session.id,
                &asked.user,
                asked.application(),
                client.peer,
                &asked.database,
            ));
            let facts = Arc::clone(&attempt.session);
            proceed(client, startup, shared, counted, asked, &facts, &mut attempt.policy).await
        }
        Err(fields) => Err(Failed::Tell(fields)),
    };
    match &done {
        Ok(_) => attempt.outcome = Outcome::Allow,
        Err(Failed::Tell(fields)) => {
            attempt.outcome = Outcome::Refuse;
            attempt.sqlstate = Some(SqlState::new(fields.sqlstate()));
        }
        Err(Failed::Gone) => {}
    }
    done
}

/// A login under way; told of when it is over, whichever way, also where it is given up.
struct Attempt<'s> {
    shared: &'s Shared,
    session: Arc<SessionFacts>,
    outcome: Outcome,
    sqlstate: Option<SqlState>,
    policy: Option<Arc<PolicyStamp>>,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.shared.journal.note(Event::Login {
            session: Arc::clone(&self.session),
            outcome: self.outcome,
            code: None,
            sqlstate: self.sqlstate,
            policy: self.policy.take(),
        });
    }
}

async fn proceed(
    client: &mut Client,
    startup: &Startup,
    shared: &Shared,
    counted: &mut Counted,
    asked: Asked,
    facts: &Arc<SessionFacts>,
    stamp: &mut Option<Arc<PolicyStamp>>,
) -> Result<LoggedIn, Failed> {
    let rules = InForce::of(shared, &asked.database)
        .ok_or_else(|| Failed::Tell(fatal("28000", "no rules speak of this database")))?;
    *stamp = Some(Arc::clone(&rules.stamp));
    // Observed only, its statements are recorded as those of a role that may act for nothing.
    if !rules.policy.roles.contains_key(&asked.user) && rules.policy.mode == Mode::Enforce {
        return Err(Failed::Tell(fatal(
            "28000",
            format!("role \"{}\" is not in the rules of this database", asked.user),
        )));
    }
    may_come(client, shared, &asked.user).map_err(Failed::Tell)?;
    let (protocol, must_be_said) = startup.negotiated();
    if must_be_said {
        encode::negotiate(&mut client.sender.buffer, protocol, &startup.protocol_options);
    }
    let credential = authentication::here(client, shared, &asked.user).await?;
    counted.logs_in(&asked.user).map_err(Failed::Tell)?;
    let server = &shared.options.server;
    let mut upstream = server.connect().await.map_err(UpstreamError::Io)?;
    let secrets = (shared.secrets)(&rules.policy, &asked.user);
    let parameters = asked.parameters(&rules.policy, secrets).map_err(Failed::Tell)?;
    upstream
        .sender
        .startup(protocol.min(server.options.max_protocol), &parameters);
    match credential {
        Some(credential) => authentication::upstream(client, &mut upstream, facts, &credential).await?,
        None => authentication::passed_on(client, &mut upstream, shared, facts).await?,
    }
    let standing = begin(&mut upstream, client, facts).await?;
    if !server.will_do(&upstream, standing) {
        let message = "this server is not what target_session_attrs asks for; try again for another";
        return Err(Failed::Tell(fatal("57P03", message)));
    }
    let aside = &mut client.sender.buffer;
    if !server
        .has_what_is_needed(&mut upstream, &asked.database, standing, aside)
        .await?
    {
        let message = "the database server is not supported: it lacks what purpose limitation relies on";
        return Err(Failed::Tell(
            fatal("0A000", message).with(b'H', "the log of the proxy says what"),
        ));
    }
    let start = loader::session_settings(&mut upstream, aside).await?;
    // Of each session, behind a pooler say, and not only of the first.
    if start.standard_conforming_strings != "on" {
        return Err(Failed::Tell(fatal(
            "XX000",
            "the server does not take the session's settings",
        )));
    }
    if Encoding::of(&start.server_encoding, &start.server_encoding) != Encoding::Utf8 && !asked.is_read_alike() {
        let message =
            "settings with characters beyond ASCII can be given at start-up where the database's encoding is UTF8";
        return Err(Failed::Tell(
            fatal("0A000", message).with(b'H', "SET them in the session"),
        ));
    }
    let store = shared.catalogs.of(&asked.database);
    let catalog = first_catalog(&mut upstream, &store, aside).await?;
    let settings = Settings::new(|setting| match setting {
        Followed::SearchPath => Setting {
            value: search_path::split(&start.search_path).unwrap_or_default(),
            source: Source::Startup,
        },
        Followed::ClientEncoding => Setting::text(&start.client_encoding, Source::Startup),
        Followed::Messages => Setting::text(&start.client_min_messages, Source::Startup),
        Followed::Purpose | Followed::Reason | Followed::Subject | Followed::Actor | Followed::StatementSubject => {
            asked.initial(setting, &rules.policy)
        }
    });
    Ok(LoggedIn {
        upstream,
        facts: Arc::clone(facts),
        rules,
        settings,
        server_encoding: start.server_encoding,
        store,
        catalog,
    })
}

/// Whether a client may try at all: by TLS, by its certificate, by how often it failed.
fn may_come(client: &Client, shared: &Shared, role: &str) -> Result<(), ErrorFields> {
    if shared.options.require_tls && !client.is_encrypted() {
        return Err(fatal("28000", "connections to this proxy must use TLS").with(b'H', "sslmode=require"));
    }
    if let Some(certificate) = client.certificate()
        && !certificate.roles.iter().any(|r| r == role)
    {
        let message = format!("certificate authentication failed for user \"{role}\"");
        return Err(fatal("28000", message).with(b'D', "the client's certificate is not that of this role"));
    }
    shared.options.limits.may_try(client.peer.ip(), role)
}

/// What the server says of itself, up to its ReadyForQuery, which is kept back.
async fn begin(upstream: &mut Upstream, client: &mut Client, facts: &SessionFacts) -> Result<Standing, Failed> {
    let mut standing = Standing::default();
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::ParameterStatus => {
                standing.hear(&frame.body());
                client.sender.buffer.extend_from_slice(&frame.bytes);
            }
            BackendKind::BackendKeyData => {
                client.sender.buffer.extend_from_slice(&frame.bytes);
            }
            BackendKind::NoticeResponse => pass_on_notice(frame.body(), facts, &mut client.sender.buffer)?,
            BackendKind::ErrorResponse => return Err(server_error(frame.body(), facts)),
            BackendKind::ReadyForQuery => {
                return match TransactionStatus::read(&frame.body())? {
                    TransactionStatus::Idle => Ok(standing),
                    TransactionStatus::InTransaction | TransactionStatus::Failed => {
                        Err(unexpected(BackendKind::ReadyForQuery))
                    }
                };
            }
            other => return Err(unexpected(other)),
        }
    }
}

/// A notice before the session begins. In which encoding the client reads is not settled yet.
pub(super) fn pass_on_notice(
    body: bytes::Bytes,
    facts: &SessionFacts,
    out: &mut BytesMut,
) -> Result<(), ProtocolError> {
    if let Some(told) = errors::rebuild_notice(&ErrorFields::read(body)?, about_login(facts)) {
        encode::notice(out, &told, Encoding::Other);
    }
    Ok(())
}

pub(super) fn about_login(facts: &SessionFacts) -> errors::About<'_> {
    errors::About {
        names: [Some(&facts.role), Some(&facts.database)],
        ..errors::About::default()
    }
}

/// The shared catalog; loaded by the first session that needs it, for which others wait.
async fn first_catalog(
    upstream: &mut Upstream,
    store: &CatalogStore,
    aside: &mut BytesMut,
) -> Result<Arc<Versioned>, Failed> {
    if let Some(current) = store.current() {
        return Ok(current);
    }
    let _alone = store.loading.lock().await;
    if let Some(current) = store.current() {
        return Ok(current);
    }
    store.begin();
    let loaded = loader::load(upstream, Moment::Idle, aside).await?;
    Ok(store.publish(loaded))
}

/// Errors before the session begins name roles and databases, which the client named itself.
pub(super) fn server_error(body: bytes::Bytes, facts: &SessionFacts) -> Failed {
    match ErrorFields::read(body) {
        Ok(fields) => Failed::Tell(errors::rebuild(&fields, about_login(facts))),
        Err(error) => error.into(),
    }
}

pub(super) fn unexpected(kind: BackendKind) -> Failed {
    tracing::warn!(?kind, "unexpected message during login");
    Failed::Tell(fatal("08P01", "the server sent an unexpected message"))
}
