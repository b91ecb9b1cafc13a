//! From a start-up packet to the first ReadyForQuery: the role and database against the rules,
//! authentication passed through as it is, the session's settings and the catalog read.
//!
//! The proxy keeps no credential: it sees a client's answer and hands it on.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use uuid::Uuid;

use crate::audit::{Event, PolicyStamp, SessionFacts, SqlState};
use crate::downstream::Client;
use crate::pipeline::Outcome;
use crate::policy::Mode;
use crate::upstream::catalogs::{CatalogStore, Versioned};
use crate::upstream::loader::{self, LoadError, Moment};
use crate::upstream::{Upstream, UpstreamError};
use crate::wire::backend::{Authentication, TransactionStatus};
use crate::wire::startup::Startup;
use crate::wire::{BackendKind, ErrorFields, ProtocolError, encode, frame};

use super::errors;
use super::in_force::InForce;
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

impl From<LoadError> for Failed {
    fn from(error: LoadError) -> Self {
        tracing::warn!(%error, "login");
        match error {
            LoadError::Connection(error) => error.into(),
            LoadError::Server(fields) if fields.is_fatal() => {
                Self::Tell(errors::rebuild(&fields, errors::About::default()))
            }
            LoadError::Server(_) | LoadError::Unexpected(_) => {
                Self::Tell(fatal("XX000", "what exists in the database cannot be read"))
            }
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
    /// The database's catalogs.
    pub store: Arc<CatalogStore>,
    /// What exists.
    pub catalog: Arc<Versioned>,
}

/// Logs a client in; what the server said up to its ReadyForQuery is in the client's buffer.
///
/// # Errors
/// See [`Failed`].
pub async fn login(client: &mut Client, startup: &Startup, shared: &Shared) -> Result<LoggedIn, Failed> {
    let asked = Asked::read(startup).map_err(Failed::Tell)?;
    let facts = Arc::new(SessionFacts {
        id: Uuid::now_v7(),
        role: asked.user.clone(),
        application: asked.application().map(str::to_owned),
        client: client.peer,
        database: asked.database.clone(),
    });
    let mut stamp = None;
    let done = proceed(client, startup, shared, asked, &facts, &mut stamp).await;
    let (outcome, sqlstate) = match &done {
        Ok(_) => (Outcome::Allow, None),
        Err(Failed::Tell(fields)) => (Outcome::Refuse, Some(SqlState::new(fields.sqlstate()))),
        Err(Failed::Gone) => (Outcome::Error, None),
    };
    shared.journal.note(Event::Login {
        session: facts,
        outcome,
        code: None,
        sqlstate,
        policy: stamp,
    });
    done
}

async fn proceed(
    client: &mut Client,
    startup: &Startup,
    shared: &Shared,
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
    if startup.newer || !startup.protocol_options.is_empty() {
        encode::negotiate(&mut client.sender.buffer, &startup.protocol_options);
    }
    let mut upstream = Upstream::connect(&shared.options.upstream)
        .await
        .map_err(UpstreamError::Io)?;
    let secrets = (shared.secrets)(&rules.policy, &asked.user);
    upstream.sender.startup(&asked.parameters(&rules.policy, secrets));
    authenticate(client, &mut upstream, shared, facts).await?;
    begin(&mut upstream, client, facts).await?;
    let aside = &mut client.sender.buffer;
    let start = loader::session_settings(&mut upstream, aside).await?;
    if start.standard_conforming_strings != "on" || start.client_encoding != "UTF8" {
        return Err(Failed::Tell(fatal(
            "XX000",
            "the server does not take the session's settings",
        )));
    }
    let store = shared.catalogs.of(&asked.database);
    let catalog = first_catalog(&mut upstream, &store, aside).await?;
    let settings = Settings::new(|setting| match setting {
        Followed::SearchPath => Setting {
            value: search_path::split(&start.search_path).unwrap_or_default(),
            source: Source::Startup,
        },
        Followed::Purpose | Followed::Reason | Followed::Subject | Followed::Actor | Followed::StatementSubject => {
            asked.initial(setting, &rules.policy)
        }
    });
    Ok(LoggedIn {
        upstream,
        facts: Arc::clone(facts),
        rules,
        settings,
        store,
        catalog,
    })
}

/// Hands questions and answers back and forth until the server is content.
async fn authenticate(
    client: &mut Client,
    upstream: &mut Upstream,
    shared: &Shared,
    facts: &SessionFacts,
) -> Result<(), Failed> {
    let mut asked = false;
    loop {
        let question = upstream.exchange().await?;
        match BackendKind::of(question.tag)? {
            BackendKind::Authentication => {}
            BackendKind::NoticeResponse => continue,
            BackendKind::ErrorResponse => return Err(server_error(question.body(), facts)),
            other => return Err(unexpected(other)),
        }
        match Authentication::read(question.body())? {
            Authentication::Ok => {
                if !asked && !client.loopback && !shared.options.allow_trust {
                    return Err(Failed::Tell(
                        fatal(
                            "28000",
                            "the server asks for no password, and this proxy is not on a loopback address",
                        )
                        .with(b'H', "--allow-trust accepts that"),
                    ));
                }
                client.sender.buffer.extend_from_slice(&question.bytes);
                return Ok(());
            }
            Authentication::SaslFinal => {
                client.sender.buffer.extend_from_slice(&question.bytes);
                continue;
            }
            Authentication::Password | Authentication::Md5 | Authentication::SaslContinue => {
                client.sender.buffer.extend_from_slice(&question.bytes);
            }
            Authentication::Sasl(mechanisms) => {
                // Channel binding would bind the client to our connection, not to the server's.
                let mechanisms: Vec<String> = mechanisms.into_iter().filter(|m| !m.ends_with("-PLUS")).collect();
                encode::sasl_mechanisms(&mut client.sender.buffer, &mechanisms);
            }
            Authentication::Unsupported(_) => {
                return Err(Failed::Tell(fatal(
                    "0A000",
                    "the server asks for a way of authentication that this proxy does not pass on",
                )));
            }
        }
        asked = true;
        client.sender.write_all().await?;
        let answer = loop {
            if let Some(frame) = frame::take(&mut client.receiver.buffer, frame::password_limit)? {
                break frame;
            }
            if !client.receiver.fill().await? {
                return Err(Failed::Gone);
            }
        };
        upstream.sender.password(&answer.bytes);
    }
}

/// What the server says of itself, up to its ReadyForQuery, which is kept back.
async fn begin(upstream: &mut Upstream, client: &mut Client, facts: &SessionFacts) -> Result<(), Failed> {
    loop {
        let frame = upstream.exchange().await?;
        match BackendKind::of(frame.tag)? {
            BackendKind::ParameterStatus | BackendKind::BackendKeyData => {
                client.sender.buffer.extend_from_slice(&frame.bytes);
            }
            BackendKind::NoticeResponse => {}
            BackendKind::ErrorResponse => return Err(server_error(frame.body(), facts)),
            BackendKind::ReadyForQuery => {
                return match TransactionStatus::read(&frame.body())? {
                    TransactionStatus::Idle => Ok(()),
                    TransactionStatus::InTransaction | TransactionStatus::Failed => {
                        Err(unexpected(BackendKind::ReadyForQuery))
                    }
                };
            }
            other => return Err(unexpected(other)),
        }
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
fn server_error(body: bytes::Bytes, facts: &SessionFacts) -> Failed {
    let names = [Some(facts.role.as_str()), Some(facts.database.as_str())];
    let about = errors::About {
        names,
        ..errors::About::default()
    };
    match ErrorFields::read(body) {
        Ok(fields) => Failed::Tell(errors::rebuild(&fields, about)),
        Err(error) => error.into(),
    }
}

fn unexpected(kind: BackendKind) -> Failed {
    tracing::warn!(?kind, "unexpected message during login");
    Failed::Tell(fatal("08P01", "the server sent an unexpected message"))
}
