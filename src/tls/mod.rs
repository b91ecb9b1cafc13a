//! TLS of both sides, and sockets that may speak it: certificates, keys and authorities out of files, what of a
//! peer's certificate the rest needs (its common name, its channel binding), and the two halves of a connection.
//!
//! Knows no message of PostgreSQL's and no role. rustls does the cryptography.

mod certificate;
mod client;
mod files;
mod server;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustls::crypto::CryptoProvider;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::TlsStream;

pub use client::{ClientFiles, ClientTls, SslMode};
pub use files::TlsError;
pub use server::{ClientCertificate, Secured, ServerFiles, ServerTls};

/// The name that PostgreSQL's protocol has in ALPN, registered with IANA.
const ALPN: &[u8] = b"postgresql";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Asks the operating system to find out whether the other side of a silent connection is there.
///
/// # Errors
/// As the operating system says.
pub fn keep_alive(socket: &TcpStream, idle: Option<Duration>) -> io::Result<()> {
    match idle {
        None => Ok(()),
        Some(idle) => {
            let how = TcpKeepalive::new()
                .with_time(idle)
                .with_interval(Duration::from_secs(10))
                .with_retries(3);
            SockRef::from(socket).set_tcp_keepalive(&how)
        }
    }
}

/// The receiving half of a connection.
#[derive(Debug)]
pub enum Reader {
    /// In the clear.
    Plain(OwnedReadHalf),
    /// Through TLS.
    Tls(ReadHalf<TlsStream<TcpStream>>),
}

/// The sending half of a connection.
#[derive(Debug)]
pub enum Writer {
    /// In the clear.
    Plain(OwnedWriteHalf),
    /// Through TLS.
    Tls {
        /// The half.
        half: WriteHalf<TlsStream<TcpStream>>,
        /// Records may wait inside it for room in the socket.
        unflushed: bool,
    },
}

/// Both halves of a socket in the clear.
pub fn plain(socket: TcpStream) -> (Reader, Writer) {
    let (read, write) = socket.into_split();
    (Reader::Plain(read), Writer::Plain(write))
}

/// The socket of two halves in the clear.
///
/// # Errors
/// They are not, or not of one socket.
pub fn reunite(reader: Reader, writer: Writer) -> io::Result<TcpStream> {
    match (reader, writer) {
        (Reader::Plain(read), Writer::Plain(write)) => read.reunite(write).map_err(io::Error::other),
        (Reader::Plain(_) | Reader::Tls(_), _) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// Both halves of a socket after its TLS handshake.
pub fn secured(stream: TlsStream<TcpStream>) -> (Reader, Writer) {
    let (read, half) = tokio::io::split(stream);
    (Reader::Tls(read), Writer::Tls { half, unflushed: false })
}

impl Reader {
    /// The next byte in the clear, left where it is; none: the peer has hung up, or speaks TLS.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn peek(&mut self) -> io::Result<Option<u8>> {
        match self {
            Self::Plain(socket) => {
                let mut byte = [0; 1];
                let arrived = socket.peek(&mut byte).await?;
                Ok(byte.first().copied().filter(|_| arrived > 0))
            }
            Self::Tls(_) => Ok(None),
        }
    }

    /// Waits until something has arrived, as far as that can be told without taking it: through TLS it cannot.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn readable(&self) -> io::Result<()> {
        match self {
            // One place to be woken from, where `readable` keeps a list of them.
            Self::Plain(socket) => poll_fn(|cx| socket.as_ref().poll_read_ready(cx)).await,
            Self::Tls(_) => Ok(()),
        }
    }

    /// Appends what has arrived to `buffer`; 0: the peer has hung up. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke, or what arrived is no TLS.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read_buf(buffer).await,
            // A peer that hangs up without close_notify has hung up: what the protocol above needs to know, its own
            // messages say.
            Self::Tls(socket) => match socket.read_buf(buffer).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                read => read,
            },
        }
    }
}

impl Writer {
    /// Writes some of `bytes`; what TLS keeps back is not [`Writer::is_flushed`]. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes).await,
            Self::Tls { half, unflushed } => {
                *unflushed = true;
                half.write(bytes).await
            }
        }
    }

    /// Nothing waits inside.
    pub fn is_flushed(&self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Tls { unflushed, .. } => !unflushed,
        }
    }

    /// Writes what waits inside. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls { half, unflushed } => {
                half.flush().await?;
                *unflushed = false;
                Ok(())
            }
        }
    }

    /// Says that nothing more comes.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.shutdown().await,
            Self::Tls { half, .. } => half.shutdown().await,
        }
    }
}
