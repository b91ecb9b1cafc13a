//! The server: where it is, or where several are, how it is spoken to, and connections to it.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ask::AskError;
use super::needs::{self, Looker};
use super::standing::{SessionAttributes, Standing};
use super::{Address, Receiver, Sender, Target, Upstream};
use crate::tls::{self, ClientFiles, ClientTls, SslMode, TlsError};
use crate::wire::startup::PROTOCOL_3_2;
use crate::wire::{Encoding, encode};

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
    /// Which of several servers will do.
    pub attributes: SessionAttributes,
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
            attributes: SessionAttributes::default(),
        }
    }
}

/// For so long after a server was found not to be what is asked for, others are tried before it.
const MEMORY: Duration = Duration::from_secs(30);

/// A server that connections can be opened to: one, or the first that will do of several.
#[derive(Debug)]
pub struct Server {
    places: Vec<Place>,
    /// How it is spoken to.
    pub options: ServerOptions,
    tls: ArcSwapOption<ClientTls>,
    /// Databases that were found to have what is relied on, each with where it is and the server's version.
    looked_at: Mutex<HashSet<(String, Address, u64)>>,
}

/// One of them.
#[derive(Debug)]
struct Place {
    address: Address,
    /// When it was last found not to be what is asked for.
    unfit: Mutex<Option<Instant>>,
}

impl Place {
    fn is_unfit(&self) -> bool {
        let unfit = self.unfit.lock().unwrap_or_else(PoisonError::into_inner);
        unfit.is_some_and(|since| since.elapsed() < MEMORY)
    }
}

impl Server {
    /// Reads the certificates that the options name.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(addresses: &[Address], options: ServerOptions) -> Result<Self, TlsError> {
        if options.direct && matches!(options.ssl_mode, SslMode::Disable | SslMode::Prefer) {
            return Err(TlsError::Setting(
                "sslnegotiation=direct needs sslmode require, verify-ca or verify-full",
            ));
        }
        let places = addresses.iter().map(|address| Place {
            address: address.clone(),
            unfit: Mutex::default(),
        });
        let server = Self {
            places: places.collect(),
            options,
            tls: ArcSwapOption::empty(),
            looked_at: Mutex::default(),
        };
        server.reload()?;
        Ok(server)
    }

    /// The server of a URL, with what the URL says of TLS.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn of(target: &Target) -> Result<Self, TlsError> {
        Self::new(&target.addresses, target.options(ServerOptions::default()))
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

    /// Opens a connection, through TLS if the options say so: to the first that lets itself be connected to, those
    /// last that did not do lately. Names are looked up each time.
    ///
    /// # Errors
    /// As the operating system or TLS says of the last, or that it took too long.
    pub async fn connect(&self) -> io::Result<Upstream> {
        let mut order: Vec<&Place> = self.places.iter().collect();
        order.sort_by_key(|place| place.is_unfit());
        let mut opened = Err(io::Error::from(io::ErrorKind::NotFound));
        for place in order {
            opened = self.open_in_time(place).await;
            match &opened {
                Ok(_) => break,
                Err(error) => tracing::debug!(server = %place.address, %error, "cannot be connected to"),
            }
        }
        opened
    }

    async fn open_in_time(&self, place: &Place) -> io::Result<Upstream> {
        let opening = timeout(self.options.connect_timeout, self.open(place));
        opening.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Whether the server at the other end is what is asked for; if not, others are tried before it for a while.
    pub fn will_do(&self, upstream: &Upstream, standing: Standing) -> bool {
        let does = self.options.attributes.are_met(standing);
        if let Some(place) = self.places.iter().find(|place| place.address == upstream.address) {
            *place.unfit.lock().unwrap_or_else(PoisonError::into_inner) = (!does).then(Instant::now);
        }
        does
    }

    /// Whether what is relied on is there, in this database; looked at once, and again when the server is another.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn has_what_is_needed(
        &self,
        upstream: &mut Upstream,
        database: &str,
        standing: Standing,
        aside: &mut BytesMut,
    ) -> Result<bool, AskError> {
        let known = (database.to_owned(), upstream.address.clone(), standing.version);
        let looked_at = || self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at().contains(&known) {
            return Ok(true);
        }
        let report = needs::look(upstream, Looker::Session, aside).await?;
        report.tell(&upstream.address);
        if report.objections.is_empty() {
            looked_at().insert(known);
        }
        Ok(report.objections.is_empty())
    }

    async fn open(&self, place: &Place) -> io::Result<Upstream> {
        let address = &place.address;
        let mut socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
        socket.set_nodelay(true)?;
        tls::keep_alive(&socket, self.options.keep_alive)?;
        let tls = self.tls.load_full();
        let mut end_point = None;
        let secured = match &tls {
            Some(tls) if self.options.direct || self.takes_tls(&mut socket).await? => {
                let (stream, bound) = tls.connect(&address.host, socket, self.options.direct).await?;
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
                encoding: Encoding::Utf8,
            },
            address: address.clone(),
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

/// Opens a connection of its own for a cancel request, sends it and waits until the server has dealt with it. Of
/// several servers each is told: the key means something to one only.
///
/// # Errors
/// As the operating system says of the last that could not be told.
pub async fn cancel(server: &Server, process: u32, secret: &[u8]) -> io::Result<()> {
    let mut done = Ok(());
    for place in &server.places {
        if let Err(error) = cancel_at(server, place, process, secret).await {
            done = Err(error);
        }
    }
    done
}

async fn cancel_at(server: &Server, place: &Place, process: u32, secret: &[u8]) -> io::Result<()> {
    let mut upstream = server.open_in_time(place).await?;
    encode::cancel(&mut upstream.sender.buffer, process, secret);
    let sent = async {
        upstream.sender.write_all().await?;
        upstream.receiver.fill().await
    };
    // The postmaster hangs up when it has dealt with the request; until then the caller waits too.
    let _ = timeout(server.options.connect_timeout, sent).await;
    Ok(())
}
