//! The server: where it is, how it is spoken to, and connections to it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Address, Receiver, Sender, Target, Upstream};
use crate::tls::{self, ClientFiles, ClientTls, SslMode, TlsError};
use crate::wire::encode;
use crate::wire::startup::PROTOCOL_3_2;

/// How the server is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// libpq's `sslmode`.
    pub ssl_mode: SslMode,
    /// TLS begins at once, without the question for it (libpq's `sslnegotiation=direct`; PostgreSQL 17).
    pub direct: bool,
    /// Certificates.
    pub files: ClientFiles,
    /// A connection that takes longer to open is given up.
    pub connect_timeout: Duration,
    /// After so long without a word the other side is asked whether it is there; none: never.
    pub keep_alive: Option<Duration>,
    /// The newest version of the protocol that the server is asked for.
    pub max_protocol: u32,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            ssl_mode: SslMode::default(),
            direct: false,
            files: ClientFiles::default(),
            connect_timeout: Duration::from_secs(10),
            keep_alive: Some(Duration::from_secs(60)),
            max_protocol: PROTOCOL_3_2,
        }
    }
}

/// A server that connections can be opened to.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub address: Address,
    /// How it is spoken to.
    pub options: ServerOptions,
    tls: ArcSwapOption<ClientTls>,
}

impl Server {
    /// Reads the certificates that the options name.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(address: Address, options: ServerOptions) -> Result<Self, TlsError> {
        if options.direct && matches!(options.ssl_mode, SslMode::Disable | SslMode::Prefer) {
            return Err(TlsError::Setting(
                "sslnegotiation=direct needs sslmode require, verify-ca or verify-full",
            ));
        }
        let server = Self {
            address,
            options,
            tls: ArcSwapOption::empty(),
        };
        server.reload()?;
        Ok(server)
    }

    /// The server of a URL, with what the URL says of TLS.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn of(target: &Target) -> Result<Self, TlsError> {
        Self::new(target.address.clone(), target.options(ServerOptions::default()))
    }

    /// Reads the certificates anew; on an error the old ones stay.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let loaded = ClientTls::load(self.options.ssl_mode, &self.options.files)?;
        self.tls.store(loaded.map(Arc::new));
        Ok(())
    }

    /// Opens a connection, through TLS if the options say so.
    ///
    /// # Errors
    /// As the operating system or TLS says, or that it took too long.
    pub async fn connect(&self) -> io::Result<Upstream> {
        let opening = timeout(self.options.connect_timeout, self.open());
        opening.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn open(&self) -> io::Result<Upstream> {
        let mut socket = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        socket.set_nodelay(true)?;
        tls::keep_alive(&socket, self.options.keep_alive)?;
        let tls = self.tls.load_full();
        let mut end_point = None;
        let secured = match &tls {
            Some(tls) if self.options.direct || self.takes_tls(&mut socket).await? => {
                let (stream, bound) = tls.connect(&self.address.host, socket, self.options.direct).await?;
                end_point = bound;
                Ok(stream)
            }
            Some(_) | None => Err(socket),
        };
        let encrypted = secured.is_ok();
        let (read, write) = match secured {
            Ok(stream) => tls::secured(stream),
            Err(socket) => tls::plain(socket),
        };
        Ok(Upstream {
            receiver: Receiver {
                socket: read,
                buffer: BytesMut::new(),
            },
            sender: Sender {
                socket: write,
                buffer: BytesMut::new(),
            },
            end_point,
            encrypted,
        })
    }

    /// Asks for TLS. Just one byte is read of the answer: what somebody slipped in behind it is taken for TLS, and is
    /// none.
    async fn takes_tls(&self, socket: &mut TcpStream) -> io::Result<bool> {
        let mut request = BytesMut::new();
        encode::ssl_request(&mut request);
        socket.write_all(&request).await?;
        match (socket.read_u8().await?, self.options.ssl_mode) {
            (b'S', _) => Ok(true),
            (b'N', SslMode::Prefer | SslMode::Disable) => Ok(false),
            (b'N', SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => Err(io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "the server does not speak TLS, and sslmode asks for it",
            )),
            // An error message, of a server too old to know the question or too busy to answer it.
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the server did not answer the request for TLS",
            )),
        }
    }
}

/// Opens a connection of its own for a cancel request, sends it and waits until the server has dealt with it.
///
/// # Errors
/// As the operating system says.
pub async fn cancel(server: &Server, process: u32, secret: &[u8]) -> io::Result<()> {
    let mut upstream = server.connect().await?;
    encode::cancel(&mut upstream.sender.buffer, process, secret);
    let sent = async {
        upstream.sender.write_all().await?;
        upstream.receiver.fill().await
    };
    // The postmaster hangs up when it has dealt with the request; until then the caller waits too.
    let _ = timeout(server.options.connect_timeout, sent).await;
    Ok(())
}
