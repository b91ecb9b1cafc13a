//! The only place that writes to clients: the listener, and one client's connection.
//!
//! Knows no SQL and no policy.

pub mod authenticate;
mod handshake;
mod listener;
mod workers;

use std::io;
use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;

use crate::audit::Ticket;
use crate::tls::{self, ClientCertificate, Reader, ServerTls, Writer};
use crate::wire::{Encoding, ErrorFields, buffers, encode};

pub use handshake::{Opening, open};
pub use listener::serve;

/// One client's connection.
#[derive(Debug)]
pub struct Client {
    /// Whence it came.
    pub peer: SocketAddr,
    /// The listener's address is a loopback one.
    pub loopback: bool,
    /// What it sends.
    pub receiver: Receiver,
    /// What it is sent.
    pub sender: Sender,
    /// Where it speaks TLS, what that tells.
    secured: Option<Known>,
}

/// What a TLS handshake told.
#[derive(Debug)]
struct Known {
    end_point: Option<Vec<u8>>,
    named_protocol: bool,
    certificate: Option<ClientCertificate>,
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    socket: Reader,
    /// Bytes that have arrived and were not yet taken.
    pub buffer: BytesMut,
}

/// The sending half. Bytes that hold rows are kept back until the audit has their record.
#[derive(Debug)]
pub struct Sender {
    socket: Writer,
    /// Bytes to be sent.
    pub buffer: BytesMut,
    /// That of errors: the client's, when it is known.
    pub encoding: Encoding,
    /// So many of them may leave; none: all.
    released: Option<usize>,
    /// What must be written before the others do.
    waiting: Vec<Ticket>,
}

/// A piece that is worth a write although more is to follow, in bytes.
const LARGE_PIECE: usize = 16 << 10;

/// With less room than this, a buffer gets more before it is read into.
const LEAST_ROOM: usize = 4 << 10;

impl Client {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?;
        let loopback = socket.local_addr()?.ip().is_loopback();
        let (read, write) = tls::plain(socket);
        Ok(Self {
            peer,
            loopback,
            receiver: Receiver {
                socket: read,
                buffer: BytesMut::new(),
            },
            sender: Sender {
                socket: write,
                buffer: BytesMut::new(),
                encoding: Encoding::Utf8,
                released: None,
                waiting: Vec::new(),
            },
            secured: None,
        })
    }

    /// Does the TLS handshake, before which nothing of it has been read.
    async fn secure(self, tls: &ServerTls) -> io::Result<Self> {
        let socket = tls::reunite(self.receiver.socket, self.sender.socket)?;
        let secured = tls.accept(socket).await?;
        let (read, write) = tls::secured(secured.stream);
        Ok(Self {
            receiver: Receiver {
                socket: read,
                ..self.receiver
            },
            sender: Sender {
                socket: write,
                ..self.sender
            },
            secured: Some(Known {
                end_point: secured.end_point,
                named_protocol: secured.named_protocol,
                certificate: secured.client,
            }),
            ..self
        })
    }

    /// It speaks TLS.
    pub fn is_encrypted(&self) -> bool {
        self.secured.is_some()
    }

    /// What its login may be bound to: our side of its TLS connection.
    pub fn end_point(&self) -> Option<&[u8]> {
        self.secured.as_ref()?.end_point.as_deref()
    }

    /// Its certificate, which an authority of ours signed.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.secured.as_ref()?.certificate.as_ref()
    }

    /// Before something is done: there is a buffer for what is to be sent.
    pub fn take_buffers(&mut self) {
        buffers::take(&mut self.sender.buffer);
    }

    /// Before a wait: buffers with nothing in them are for others.
    pub fn give_buffers_back(&mut self) {
        buffers::give_back(&mut self.receiver.buffer);
        buffers::give_back(&mut self.sender.buffer);
    }

    fn named_protocol(&self) -> bool {
        self.secured.as_ref().is_some_and(|known| known.named_protocol)
    }
}

impl Receiver {
    /// Waits for more bytes; `false` when the client has hung up. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn fill(&mut self) -> io::Result<bool> {
        self.socket.readable().await?;
        buffers::take(&mut self.buffer);
        self.buffer.reserve(LEAST_ROOM);
        Ok(self.socket.read(&mut self.buffer).await? > 0)
    }

    /// Looks at the first byte without taking it; none: the client has hung up.
    async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        self.socket.peek().await
    }
}

impl Sender {
    /// What is appended from now on leaves only when `ticket` is written.
    pub fn hold_for(&mut self, ticket: Ticket) {
        if self.waiting.last() != Some(&ticket) {
            self.waiting.push(ticket);
            self.released.get_or_insert(self.buffer.len());
        }
    }

    /// The record that bytes wait for.
    pub fn waits_for(&self) -> Option<Ticket> {
        self.waiting.first().copied()
    }

    /// The record that bytes waited for is written.
    pub fn is_written(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting.remove(0);
        }
        if self.waiting.is_empty() {
            self.released = None;
        }
    }

    /// What was kept back will never leave.
    pub fn discard_held(&mut self) {
        if let Some(released) = self.released.take() {
            self.buffer.truncate(released);
        }
        self.waiting.clear();
    }

    /// How many bytes may leave now.
    pub fn sendable(&self) -> usize {
        self.released.unwrap_or(self.buffer.len())
    }

    /// One byte, the answer to a request for encryption.
    async fn answer(&mut self, byte: u8) -> io::Result<()> {
        self.buffer.extend_from_slice(&[byte]);
        self.write_all().await
    }

    /// Something may leave now, or waits inside TLS to do so.
    pub fn has_to_send(&self) -> bool {
        self.sendable() > 0 || !self.socket.is_flushed()
    }

    /// Something may leave, and not as a small piece with more to follow as soon as a record is written.
    pub fn is_worth_sending(&self) -> bool {
        let has_much = match self.released {
            Some(released) => released >= LARGE_PIECE,
            None => !self.buffer.is_empty(),
        };
        has_much || !self.socket.is_flushed()
    }

    /// Writes some of what may leave. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write_some(&mut self) -> io::Result<()> {
        let free = self.buffer.get(..self.sendable()).unwrap_or_default();
        if free.is_empty() {
            return self.socket.flush().await;
        }
        let written = self.socket.write(free).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.buffer.advance(written);
        if let Some(released) = &mut self.released {
            *released -= written;
        }
        Ok(())
    }

    /// Writes all that may leave.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write_all(&mut self) -> io::Result<()> {
        while self.has_to_send() {
            self.write_some().await?;
        }
        Ok(())
    }

    /// An error, in the client's encoding.
    pub fn error(&mut self, fields: &ErrorFields, encoding: Encoding) {
        encode::error(&mut self.buffer, fields, encoding);
    }

    /// A notice, in the client's encoding.
    pub fn notice(&mut self, fields: &ErrorFields, encoding: Encoding) {
        encode::notice(&mut self.buffer, fields, encoding);
    }

    /// A last error, and the end.
    pub async fn fatal(&mut self, fields: &ErrorFields) {
        self.discard_held();
        encode::error(&mut self.buffer, fields, self.encoding);
        self.end().await;
    }

    /// The end, which TLS says too: without its word the client takes it for an attacker's (RFC 8446, 6.1).
    pub async fn end(&mut self) {
        // A client that is gone, or does not read, learns nothing more.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            self.write_all().await?;
            self.socket.shutdown().await
        })
        .await;
    }
}
