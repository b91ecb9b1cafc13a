//! `pgpurpose serve`: the proxy.

use std::io::{IsTerminal as _, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::audit::{Event, SubjectKey};
use crate::downstream;
use crate::session::{self, Options, Phase, Plans, Rules, Shared};
use crate::upstream::Target;
use crate::upstream::catalogs::Catalogs;

use super::Exit;
use super::audit_settings;
use super::connections::Connections;
use super::dumps;
use super::face;
use super::listen::listen;
use super::output::complain;
use super::reload::Reloader;
use super::rules_files;
use super::secret;
use super::supervisor;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file with flags, one a line as key: value; flags and environment variables hold before it
    #[arg(long, env = "PGPURPOSE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database server, postgres://host:port, or several: postgres://a,b:5433/?target_session_attrs=primary
    #[arg(long, env = "PGPURPOSE_UPSTREAM", value_name = "URL", hide_env_values = true)]
    upstream: Target,
    /// Where to listen for clients
    #[arg(
        long,
        env = "PGPURPOSE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:6432"
    )]
    listen: SocketAddr,
    /// Let another pgpurpose listen there too, so that one can follow the other: see SIGUSR2
    #[arg(long, env = "PGPURPOSE_REUSE_PORT")]
    reuse_port: bool,
    /// A rules file, or a folder of them
    #[arg(long, env = "PGPURPOSE_RULES", value_name = "PATH")]
    rules: PathBuf,
    #[command(flatten)]
    audit: audit_settings::AuditArgs,
    /// The secret behind pseudonyms, hashes and hashed subjects; drawn at start if left out
    #[arg(long, env = "PGPURPOSE_SECRET_FILE", value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// How long sessions may take to end their transactions after SIGTERM, in seconds
    #[arg(long, env = "PGPURPOSE_DRAIN_TIMEOUT", value_name = "SECONDS", default_value_t = 30)]
    drain_timeout: u64,
    /// How old the picture of what exists in a database may get, in seconds
    #[arg(long, env = "PGPURPOSE_CATALOG_AGE", value_name = "SECONDS", default_value_t = 30)]
    catalog_age: u64,
    /// Let the system write core dumps of this process, and debuggers look at it: its memory holds rows and keys
    #[arg(long, env = "PGPURPOSE_ALLOW_CORE_DUMPS")]
    allow_core_dumps: bool,
    #[command(flatten)]
    admin: face::Args,
    #[command(flatten)]
    connections: Connections,
}

pub(super) fn run(args: Args) -> Exit {
    log();
    if !args.allow_core_dumps
        && let Err(error) = dumps::forbid()
    {
        complain(&error);
        return Exit::Fault;
    }
    let set = match rules_files::load(&args.rules) {
        Ok(set) => set,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    let secret = match secret(&args) {
        Ok(secret) => secret,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    let options = match args.connections.options(&args.upstream) {
        Ok(options) => options,
        Err(error) => {
            complain(&error);
            return Exit::Usage;
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(crate::sql::nesting::STACK)
        .build();
    let served = runtime.map_err(|e| e.to_string()).and_then(|runtime| {
        let journal = args.audit.open()?;
        let (phase, watched) = watch::channel(Phase::Serving);
        let subject_key = session::keys::derive(&secret, session::keys::AUDIT_SUBJECT);
        let shared = Arc::new(Shared {
            options: Options {
                catalog_age: Duration::from_secs(args.catalog_age),
                ..options
            },
            rules: ArcSwap::from_pointee(Rules { version: 1, set }),
            journal: journal.clone(),
            subject_key: SubjectKey::new(&subject_key),
            nobody_key: subject_key.to_vec(),
            catalogs: Catalogs::default(),
            plans: Plans::default(),
            secrets: Box::new(move |policy, role| session::keys::settings(&secret, policy, role)),
            phase: watched,
        });
        let served = runtime.block_on(serve(&args, shared, phase));
        // What sessions still do is cut off here; the journal is closed after them.
        drop(runtime);
        journal.close();
        served
    });
    match served {
        Ok(()) => Exit::Fine,
        Err(error) => {
            complain(&error);
            Exit::Fault
        }
    }
}

/// The program's own log goes to standard error; it never holds what clients or the server said.
///
/// Only our own words: libraries print what they are given (a parser its SQL, say), whatever is asked for.
/// For the same reason records of the crate `log` are not taken over.
fn log() {
    use tracing_subscriber::layer::SubscriberExt as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("PGPURPOSE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let ours = tracing_subscriber::filter::filter_fn(|event| event.target().starts_with("pgpurpose"));
    let printed = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let subscriber = tracing_subscriber::registry().with(filter).with(ours).with(printed);
    // Only a second call in one process fails, and then the first holds.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn secret(args: &Args) -> Result<Zeroizing<Vec<u8>>, String> {
    let Some(path) = &args.secret_file else {
        tracing::warn!("no --secret-file: pseudonyms and hashes will differ after a restart");
        return Ok(Zeroizing::new(rand::random::<[u8; 32]>().to_vec()));
    };
    secret::read(path)
}

async fn serve(args: &Args, shared: Arc<Shared>, phase: watch::Sender<Phase>) -> Result<(), String> {
    look_at_server(&shared).await?;
    let listener = listen(args.listen, args.reuse_port)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let handler = |kind| signal(kind).map_err(|error| error.to_string());
    let mut terminate = handler(SignalKind::terminate())?;
    let mut interrupt = handler(SignalKind::interrupt())?;
    let mut hang_up = handler(SignalKind::hangup())?;
    let mut leave = handler(SignalKind::user_defined2())?;
    shared.journal.note(Event::Start {
        version: env!("CARGO_PKG_VERSION"),
    });
    face::begin(&args.admin, args.audit.path(), args.reuse_port, &shared)?;
    let mut sessions = tokio::spawn(downstream::serve(listener, Arc::clone(&shared)));
    let reloader = Arc::new(Reloader::new(args.rules.clone(), Arc::clone(&shared)));
    let watching = Arc::clone(&reloader);
    let watch = tokio::spawn(async move { watching.watch().await });
    announce(address);
    supervisor::tell(supervisor::READY);
    let mut leaving = false;
    loop {
        tokio::select! {
            ended = &mut sessions => {
                if leaving {
                    tracing::info!("the last session has ended");
                    return Ok(());
                }
                let error = ended.map_or_else(|e| e.to_string(), |served| served.map_or_else(|e| e.to_string(), |()| "ended".to_owned()));
                return Err(format!("sessions cannot be served: {error}"));
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = leave.recv() => {
                tracing::info!("no new connections; sessions go on until their clients leave");
                leaving = true;
                phase.send_replace(Phase::Leaving);
            }
            _ = hang_up.recv() => tokio::task::block_in_place(|| {
                args.connections.reload(&shared.options);
                reloader.reload();
            }),
        }
    }
    watch.abort();
    supervisor::tell(supervisor::STOPPING);
    tracing::info!("no new connections; sessions end with their transactions");
    phase.send_replace(Phase::Draining);
    let drained = tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(args.drain_timeout), &mut sessions) => ended.is_ok(),
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
    };
    if !drained {
        phase.send_replace(Phase::Ending);
        // Each is told, then hung up on; a client that does not read is not waited for.
        let _ = tokio::time::timeout(Duration::from_secs(6), sessions).await;
    }
    Ok(())
}

/// Without a login of our own it is looked at over that of the first client.
async fn look_at_server(shared: &Shared) -> Result<(), String> {
    let report = match &shared.options.verifiers {
        Some(verifiers) => verifiers.look_at_server().await,
        None => None,
    };
    match report {
        Some(Ok(report)) if report.objections.is_empty() => Ok(()),
        Some(Ok(report)) => Err(format!(
            "the database server, {}, is not supported: {}",
            report.engine,
            report.objections.join("; ")
        )),
        Some(Err(_)) => {
            tracing::warn!("the database server cannot be looked at yet: it is when the first client has logged in");
            Ok(())
        }
        None => {
            tracing::info!("what the database server is and has is looked at when the first client has logged in");
            Ok(())
        }
    }
}

fn announce(address: SocketAddr) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
}
