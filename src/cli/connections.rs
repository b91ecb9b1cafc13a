//! The flags of `serve` that say how clients and the server are spoken to: TLS, authentication, limits, patience.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::session::Options;
use crate::session::limits::{Limits, Numbers};
use crate::tls::{ClientFiles, ServerFiles, ServerTls, SslMode};
use crate::upstream::verifiers::Verifiers;
use crate::upstream::{Server, ServerOptions, Target};

/// Connections on either side.
#[derive(Debug, clap::Args)]
pub(super) struct Connections {
    /// The proxy's certificate and its chain, in PEM: clients may then use TLS
    #[arg(long, env = "PGPURPOSE_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Its private key, which nobody else may read
    #[arg(long, env = "PGPURPOSE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authorities of clients' certificates: a client that shows one may log in only as the role of its common name
    #[arg(long, env = "PGPURPOSE_TLS_CLIENT_CA", value_name = "FILE")]
    tls_client_ca: Option<PathBuf>,
    /// Other roles for common names, "common-name role" a line
    #[arg(long, env = "PGPURPOSE_TLS_CLIENT_MAP", value_name = "FILE")]
    tls_client_map: Option<PathBuf>,
    /// TLS clients must show a certificate
    #[arg(long, env = "PGPURPOSE_TLS_CLIENT_REQUIRED")]
    tls_client_required: bool,
    /// Clients must use TLS
    #[arg(long, env = "PGPURPOSE_REQUIRE_TLS")]
    require_tls: bool,
    /// TLS towards the server: disable, prefer, require, verify-ca or verify-full, as libpq's sslmode
    #[arg(
        long,
        env = "PGPURPOSE_UPSTREAM_SSLMODE",
        value_name = "MODE",
        default_value = "prefer"
    )]
    upstream_sslmode: SslMode,
    /// Authorities of the server's certificate
    #[arg(long, env = "PGPURPOSE_UPSTREAM_SSLROOTCERT", value_name = "FILE")]
    upstream_sslrootcert: Option<PathBuf>,
    /// A certificate of the proxy's own for the server
    #[arg(long, env = "PGPURPOSE_UPSTREAM_SSLCERT", value_name = "FILE")]
    upstream_sslcert: Option<PathBuf>,
    /// Its private key
    #[arg(long, env = "PGPURPOSE_UPSTREAM_SSLKEY", value_name = "FILE")]
    upstream_sslkey: Option<PathBuf>,
    /// The newest version of the protocol to ask the server for: 3.0 or 3.2
    #[arg(long, env = "PGPURPOSE_UPSTREAM_MAX_PROTOCOL", value_name = "VERSION", default_value = "3.2",
          value_parser = protocol)]
    upstream_max_protocol: u32,
    /// Authenticate clients here, against SCRAM verifiers: "role" "SCRAM-SHA-256$…" a line
    #[arg(
        long,
        env = "PGPURPOSE_AUTH_FILE",
        value_name = "FILE",
        conflicts_with = "auth_query"
    )]
    auth_file: Option<PathBuf>,
    /// Authenticate clients here, against the server's pg_authid, read with this login of its own
    #[arg(long, env = "PGPURPOSE_AUTH_QUERY", value_name = "URL", hide_env_values = true)]
    auth_query: Option<Target>,
    /// Accept a server that asks for no password, whoever can reach the listener
    #[arg(long, env = "PGPURPOSE_ALLOW_TRUST")]
    allow_trust: bool,
    /// Let roles log in by MD5, for old set-ups
    #[arg(long, env = "PGPURPOSE_ALLOW_MD5")]
    allow_md5: bool,
    /// Let roles log in by a password in clear text, for old set-ups
    #[arg(long, env = "PGPURPOSE_ALLOW_PASSWORD")]
    allow_password: bool,
    /// How many clients may be logged in; 0: any number
    #[arg(long, env = "PGPURPOSE_MAX_CONNECTIONS", value_name = "NUMBER", default_value_t = 0)]
    max_connections: usize,
    /// How many of one role; 0: any number
    #[arg(
        long,
        env = "PGPURPOSE_MAX_CONNECTIONS_PER_ROLE",
        value_name = "NUMBER",
        default_value_t = 0
    )]
    max_connections_per_role: usize,
    /// How many may be connected without having logged in; 0: any number
    #[arg(
        long,
        env = "PGPURPOSE_MAX_UNAUTHENTICATED",
        value_name = "NUMBER",
        default_value_t = 200
    )]
    max_unauthenticated: usize,
    /// How many logins from one address as one role may fail within a minute; 0: any number
    #[arg(
        long,
        env = "PGPURPOSE_MAX_LOGIN_FAILURES",
        value_name = "NUMBER",
        default_value_t = 20
    )]
    max_login_failures: u32,
    /// How long a login may take, in seconds
    #[arg(long, env = "PGPURPOSE_LOGIN_TIMEOUT", value_name = "SECONDS", default_value_t = 60)]
    login_timeout: u64,
    /// How long opening a connection to the server may take, in seconds
    #[arg(
        long,
        env = "PGPURPOSE_CONNECT_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    connect_timeout: u64,
    /// How long a session may be silent outside a transaction, in seconds; 0: for ever
    #[arg(long, env = "PGPURPOSE_IDLE_TIMEOUT", value_name = "SECONDS", default_value_t = 0)]
    idle_timeout: u64,
    /// After how many silent seconds either side is asked whether it is there (TCP keep-alive); 0: never
    #[arg(long, env = "PGPURPOSE_KEEP_ALIVE", value_name = "SECONDS", default_value_t = 60)]
    keep_alive: u64,
}

fn protocol(word: &str) -> Result<u32, &'static str> {
    use crate::wire::startup::{PROTOCOL_3_0, PROTOCOL_3_2};
    match word {
        "3.0" => Ok(PROTOCOL_3_0),
        "3.2" => Ok(PROTOCOL_3_2),
        _ => Err("one of 3.0, 3.2"),
    }
}

fn seconds(number: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(number))
}

impl Connections {
    /// The options, with all files read.
    ///
    /// # Errors
    /// What is wrong with a file or a flag.
    pub(super) fn options(&self, upstream: &Target) -> Result<Options, String> {
        let server = self.server(upstream)?;
        let verifiers = match (&self.auth_file, &self.auth_query) {
            (Some(path), _) => Some(Verifiers::of_file(path).map_err(|error| error.to_string())?),
            (None, Some(target)) => Some(Verifiers::of_query(self.server(target)?, target.clone())),
            (None, None) => None,
        };
        let tls = self.tls()?;
        if self.require_tls && tls.is_none() {
            return Err("--require-tls needs --tls-cert and --tls-key".to_owned());
        }
        Ok(Options {
            tls: Arc::new(ArcSwapOption::from_pointee(tls)),
            require_tls: self.require_tls,
            verifiers: verifiers.map(Arc::new),
            allow_trust: self.allow_trust,
            allow_md5: self.allow_md5,
            allow_password: self.allow_password,
            limits: Arc::new(Limits::new(Numbers {
                connections: self.max_connections,
                per_role: self.max_connections_per_role,
                unauthenticated: self.max_unauthenticated,
                failures: self.max_login_failures,
            })),
            login_timeout: Duration::from_secs(self.login_timeout),
            idle_timeout: seconds(self.idle_timeout),
            keep_alive: seconds(self.keep_alive),
            ..Options::new(server)
        })
    }

    fn server(&self, target: &Target) -> Result<Server, String> {
        let base = ServerOptions {
            ssl_mode: self.upstream_sslmode,
            direct: false,
            files: ClientFiles {
                authorities: self.upstream_sslrootcert.clone(),
                certificate: self.upstream_sslcert.clone(),
                key: self.upstream_sslkey.clone(),
            },
            connect_timeout: Duration::from_secs(self.connect_timeout),
            keep_alive: seconds(self.keep_alive),
            max_protocol: self.upstream_max_protocol,
            attributes: target.attributes,
        };
        Server::new(&target.addresses, target.options(base)).map_err(|error| error.to_string())
    }

    fn tls(&self) -> Result<Option<ServerTls>, String> {
        let files = ServerFiles {
            certificate: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            client_authorities: self.tls_client_ca.clone(),
            client_map: self.tls_client_map.clone(),
            client_required: self.tls_client_required,
        };
        ServerTls::load(&files).map_err(|error| error.to_string())
    }

    /// Reads certificates and verifiers anew, for connections from now on. What cannot be read stays as it was.
    pub(super) fn reload(&self, options: &Options) {
        let kept = |what: &str, error: String| tracing::error!("{what} stay as they were: {error}");
        match self.tls() {
            Ok(tls) => options.tls.store(tls.map(Arc::new)),
            Err(error) => kept("certificates towards clients", error),
        }
        if let Err(error) = options.server.reload() {
            kept("certificates towards the server", error.to_string());
        }
        if let Some(verifiers) = &options.verifiers
            && let Err(error) = verifiers.reload()
        {
            kept("verifiers", error.to_string());
        }
    }
}
