//! The only place that writes to clients: the listener, and one client's connection.
//!
//! Knows no SQL and no policy.

mod handshake;
mod listener;
mod workers;

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::audit::Ticket;
use crate::wire::{ErrorFields, encode};

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
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedReadHalf,
    /// Bytes that have arrived and were not yet taken.
    pub buffer: BytesMut,
}

/// The sending half. Bytes that hold rows are kept back until the audit has their record.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedWriteHalf,
    /// Bytes to be sent.
    pub buffer: BytesMut,
    /// So many of them may leave; none: all.
    released: Option<usize>,
    /// What must be written before the others do.
    waiting: Vec<Ticket>,
}

const READ_SIZE: usize = 16 << 10;

impl Client {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// As the operating system says.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?;
        let loopback = socket.local_addr()?.ip().is_loopback();
        let (read, write) = socket.into_split();
        Ok(Self {
            peer,
            loopback,
            receiver: Receiver {
                socket: read,
                buffer: BytesMut::with_capacity(READ_SIZE),
            },
            sender: Sender {
                socket: write,
                buffer: BytesMut::with_capacity(READ_SIZE),
                released: None,
                waiting: Vec::new(),
            },
        })
    }
}

impl Receiver {
    /// Waits for more bytes; `false` when the client has hung up. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(READ_SIZE / 4);
        Ok(self.socket.read_buf(&mut self.buffer).await? > 0)
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

    /// Something may leave, and not as a small piece with more to follow as soon as a record is written.
    pub fn is_worth_sending(&self) -> bool {
        match self.released {
            Some(released) => released >= READ_SIZE,
            None => !self.buffer.is_empty(),
        }
    }

    /// Writes some of what may leave. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn write_some(&mut self) -> io::Result<()> {
        let free = self.buffer.get(..self.sendable()).unwrap_or_default();
        let written = self.socket.write(free).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        drop(self.buffer.split_to(written));
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
        while self.sendable() > 0 {
            self.write_some().await?;
        }
        Ok(())
    }

    /// A last error, and the end.
    pub async fn fatal(&mut self, fields: &ErrorFields) {
        self.discard_held();
        encode::error(&mut self.buffer, fields);
        // A client that is gone, or does not read, learns nothing more.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), async {
            self.write_all().await?;
            self.socket.shutdown().await
        })
        .await;
    }
}
