//! One client's life: a state machine with total matches. Knows no policy words: it asks the policy
//! who may, the core what goes out, and the journal when.
//!
//! ```text
//!  client ─▶ client.rs ─▶ simple.rs, extended.rs ─▶ planning.rs (core, cache) ─▶ journal ─▶ server
//!  client ◀─ server.rs ◀─ responses.rs (what was sent, in order) ◀──────────────────────── server
//! ```
//!
//! What the session believes is what the server confirmed: settings, names and the catalog change when
//! an answer says so, and a message that could depend on an answer under way waits for it.

mod audit_trail;
mod authentication;
mod break_glass;
mod client;
mod clock;
mod core;
mod encoding;
mod errors;
mod extended;
mod failing;
mod in_force;
mod kept;
pub mod keys;
pub mod limits;
mod login;
mod names;
mod planning;
mod prepared;
mod quota;
mod refresh;
mod refusal;
mod request;
mod responses;
pub mod search_path;
mod server;
pub mod settings;
mod shared;
mod simple;
mod startup;
mod stream;
mod subject;
mod subjects;
mod text;
mod too_many;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::audit::AuditUnavailable;
use crate::downstream::{self, Client, Opening};
use crate::tls;
use crate::upstream::{self, Upstream, UpstreamError};
use crate::wire::{ErrorFields, ProtocolError};

use audit_trail::Trail;
use break_glass::Glass;
use in_force::InForce;
use kept::Kept;
use limits::Counted;
use login::{Failed, LoggedIn};
use names::Names;
use prepared::{Portal, Prepared};
use refresh::SessionCatalog;
use refusal::fatal;
use responses::Responses;
use settings::{Block, OutOfStep, Settings};
use stream::Tail;

/// The stack that a thread which serves sessions needs, in bytes.
pub use crate::sql::nesting::STACK;
pub use shared::{EXAMINED, Options, Phase, Plans, Rules, SecretSettings, Shared};

/// How long the end of a session may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The server's or our own buffers hold no more than this before the other side is let catch up.
const HIGH_WATER: usize = 256 << 10;

/// How a session ends.
#[derive(Debug)]
enum End {
    /// Nothing is left to say.
    Quiet,
    /// The client is told why.
    Fatal(ErrorFields),
}

impl From<ProtocolError> for End {
    fn from(error: ProtocolError) -> Self {
        match error {
            // PostgreSQL hangs up without a word.
            ProtocolError::Length => Self::Quiet,
            ProtocolError::UnknownFrontend(_)
            | ProtocolError::UnknownBackend(_)
            | ProtocolError::Unexpected
            | ProtocolError::MalformedBackend(_) => Self::Fatal(fatal("08P01", error.to_string())),
        }
    }
}

impl From<UpstreamError> for End {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Io(_) | UpstreamError::Closed => {
                Self::Fatal(fatal("08006", "the connection to the database server was lost"))
            }
            UpstreamError::Protocol(error) => error.into(),
        }
    }
}

impl From<OutOfStep> for End {
    fn from(error: OutOfStep) -> Self {
        tracing::error!(%error, "a session is ended");
        Self::Fatal(fatal("XX000", "the session is out of step with the server"))
    }
}

impl From<AuditUnavailable> for End {
    fn from(_: AuditUnavailable) -> Self {
        Self::Fatal(fatal("42501", "the audit cannot be written (audit_unavailable)").with(b'n', "audit_unavailable"))
    }
}

/// A logged-in client with its own connection to the server.
struct Session {
    shared: Arc<Shared>,
    client: Client,
    upstream: Upstream,
    trail: Trail,
    role: Arc<str>,
    database: Arc<str>,
    rules: InForce,
    settings: Settings,
    kept: Kept,
    server_encoding: String,
    /// What the server said of the client's encoding since the last ReadyForQuery.
    reported_encoding: Option<String>,
    catalog: SessionCatalog,
    statements: Names<Arc<Prepared>>,
    portals: Names<Arc<Portal>>,
    responses: Responses,
    phase: watch::Receiver<Phase>,
    /// Sent since the last Flush, Sync or Query: the server may keep its answers to itself.
    unflushed: bool,
    /// Messages of the extended protocol were sent since the last Sync.
    unsynced: bool,
    /// A Parse of ours was sent outside the client's pipeline: a Sync of ours must end it.
    own_unsynced: bool,
    /// An error was answered; what the client sends up to its Sync is passed over.
    skipping: bool,
    /// The client owes COPY data.
    copying_in: bool,
    /// So many bytes of a frame are still to be handed to the client as they come.
    passing: usize,
    /// What is still to come of a message of the client's that is not kept until it is whole.
    tail: Tail,
    /// The client said goodbye; what it sent before is still carried out and answered.
    leaving: bool,
    /// The `break_glass` purpose that was used last.
    glass: Option<Glass>,
    /// A name of ours was given out so often.
    named: u64,
}

/// Serves one connection, from its first packet to its end.
pub async fn run(socket: TcpStream, shared: Arc<Shared>, mut counted: Counted) {
    // Its memory is not kept for as long as the session lives.
    let entered = Box::pin(timeout(
        shared.options.login_timeout,
        enter(socket, &shared, &mut counted),
    ))
    .await;
    match entered {
        Ok(Ok(Some((client, logged_in)))) => {
            let mut session = Session::new(*client, shared, logged_in);
            session.live().await;
        }
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection broke before it began"),
        // PostgreSQL hangs up without a word when authentication takes too long.
        Err(_) => {}
    }
}

/// `None`: there is no session to serve.
async fn enter(
    socket: TcpStream,
    shared: &Shared,
    counted: &mut Counted,
) -> std::io::Result<Option<(Box<Client>, LoggedIn)>> {
    tls::keep_alive(&socket, shared.options.keep_alive)?;
    let tls = shared.options.tls.load_full();
    match downstream::open(Client::new(socket)?, tls.as_deref()).await? {
        Opening::Startup(mut client, startup) => match login::login(&mut client, &startup, shared, counted).await {
            Ok(logged_in) => Ok(Some((client, logged_in))),
            Err(Failed::Tell(fields)) => {
                client.sender.fatal(&fields).await;
                Ok(None)
            }
            Err(Failed::Gone) => Ok(None),
        },
        Opening::Cancel {
            mut client,
            process,
            secret,
        } => {
            if let Err(error) = upstream::cancel(&shared.options.server, process, &secret).await {
                tracing::debug!(%error, "a cancel request came to nothing");
            }
            client.sender.end().await;
            Ok(None)
        }
        Opening::Nothing => Ok(None),
        Opening::Refused(mut client, error) => {
            client.sender.fatal(&fatal("0A000", error.to_string())).await;
            Ok(None)
        }
    }
}

impl Session {
    fn new(client: Client, shared: Arc<Shared>, logged_in: LoggedIn) -> Self {
        let facts = logged_in.facts;
        let mut session = Self {
            phase: shared.phase.clone(),
            role: facts.role.as_str().into(),
            database: facts.database.as_str().into(),
            trail: Trail::new(shared.journal.clone(), facts, shared.subject_key.clone()),
            client,
            upstream: logged_in.upstream,
            rules: logged_in.rules,
            kept: Kept::of(&logged_in.settings, &logged_in.server_encoding),
            settings: logged_in.settings,
            server_encoding: logged_in.server_encoding,
            reported_encoding: None,
            catalog: SessionCatalog::new(logged_in.store, logged_in.catalog),
            statements: Names::default(),
            portals: Names::default(),
            responses: Responses::default(),
            unflushed: false,
            unsynced: false,
            own_unsynced: false,
            skipping: false,
            copying_in: false,
            passing: 0,
            tail: Tail::default(),
            leaving: false,
            glass: None,
            named: 0,
            shared,
        };
        session.client.sender.buffer.extend_from_slice(b"Z\0\0\0\x05I");
        session
    }

    /// Serves until the client leaves or something breaks.
    async fn live(&mut self) {
        let end = self.serve().await;
        self.abandon(match &end {
            Err(End::Fatal(fields)) => fields.sqlstate(),
            // connection_failure: the client left, or said what ends a session without a word.
            Ok(()) | Err(End::Quiet) => "08006",
        });
        self.end_glass();
        self.trail.logout();
        match &end {
            Err(End::Fatal(fields)) => {
                tracing::debug!(sqlstate = fields.sqlstate(), "a session ends");
                self.client.sender.fatal(fields).await;
            }
            // A client that does not read its last answers is not waited for.
            Ok(()) | Err(End::Quiet) => drop(timeout(LAST_WORDS, self.last_answers()).await),
        }
        self.upstream.sender.terminate();
        // The server finds out by itself where this cannot be written.
        let _ = timeout(LAST_WORDS, self.upstream.sender.write_all()).await;
    }

    /// What is still to be written to the client, each row behind its record.
    async fn last_answers(&mut self) -> Result<(), End> {
        while !self.client.sender.buffer.is_empty() || self.client.sender.has_to_send() {
            if self.client.sender.write_all().await.is_err() {
                break;
            }
            if let Some(ticket) = self.client.sender.waits_for() {
                self.shared.journal.written(ticket).await?;
                self.client.sender.is_written();
            }
        }
        Ok(())
    }

    async fn serve(&mut self) -> Result<(), End> {
        loop {
            self.read_client().await?;
            self.wait().await?;
            self.read_server()?;
            self.end_if_told()?;
        }
    }

    /// The client is gone. The server carries out what it was sent, then hangs up.
    fn leave(&mut self) {
        if !self.leaving {
            self.leaving = true;
            self.upstream.sender.terminate();
        }
    }

    /// The process is about to end: so do sessions, when they have nothing open.
    fn end_if_told(&mut self) -> Result<(), End> {
        let open = self.settings.block() != Block::None || !self.responses.is_empty() || self.unsynced;
        match *self.phase.borrow() {
            Phase::Serving | Phase::Leaving => Ok(()),
            Phase::Draining if open => Ok(()),
            Phase::Draining | Phase::Ending => Err(End::Fatal(fatal(
                "57P01",
                "terminating connection due to administrator command",
            ))),
        }
    }

    /// Nothing is owed and nothing is open between client and server but perhaps a transaction block.
    fn is_at_rest(&self) -> bool {
        self.responses.is_empty() && !self.unsynced && !self.copying_in && self.passing == 0 && self.tail.is_over()
    }

    /// A name of ours for a prepared statement.
    fn own_name(&mut self) -> String {
        self.named += 1;
        format!("pgpurpose_{}", self.named)
    }
}
