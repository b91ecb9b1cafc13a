//! The only place that opens a server socket, and the only way for text to reach PostgreSQL.
//!
//! Every method that carries SQL takes a [`Recorded`], which only the journal makes, or program text
//! fixed at compile time. Knows no policy and no client.

pub mod catalogs;
pub mod loader;
mod loader_sql;
pub mod privileges;
mod target;

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::audit::Recorded;
use crate::wire::frontend::Target as Named;
use crate::wire::{Frame, ProtocolError, encode, frame};

pub use target::{Address, Target, TargetError};

/// Why a connection to the server ended or could not be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The socket failed.
    #[error("connection to the server failed: {0}")]
    Io(#[from] io::Error),
    /// The server hung up.
    #[error("the server closed the connection unexpectedly")]
    Closed,
    /// The server broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// One connection to PostgreSQL: two halves, so that a session can wait for both at once.
#[derive(Debug)]
pub struct Upstream {
    /// What the server sends.
    pub receiver: Receiver,
    /// What the server is sent.
    pub sender: Sender,
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedReadHalf,
    /// Bytes that have arrived and were not yet taken.
    pub buffer: BytesMut,
}

/// The sending half: messages gather in a buffer until they are written.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedWriteHalf,
    buffer: BytesMut,
}

const READ_SIZE: usize = 64 << 10;

impl Upstream {
    /// Opens a connection.
    ///
    /// # Errors
    /// As the operating system says.
    pub async fn connect(address: &Address) -> io::Result<Self> {
        let socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
        socket.set_nodelay(true)?;
        let (read, write) = socket.into_split();
        Ok(Self {
            receiver: Receiver {
                socket: read,
                buffer: BytesMut::with_capacity(READ_SIZE),
            },
            sender: Sender {
                socket: write,
                buffer: BytesMut::with_capacity(READ_SIZE),
            },
        })
    }

    /// Writes everything that is pending, then waits for one whole frame.
    ///
    /// # Errors
    /// The connection ended, or the frame is not one.
    pub async fn exchange(&mut self) -> Result<Frame, UpstreamError> {
        self.sender.write_all().await?;
        self.receiver.frame().await
    }
}

/// Opens a connection and hangs up: the server can be reached.
///
/// # Errors
/// As the operating system says.
pub async fn reach(address: &Address) -> io::Result<()> {
    TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map(drop)
}

/// Opens a connection of its own for a cancel request, sends it and hangs up.
///
/// # Errors
/// As the operating system says.
pub async fn cancel(address: &Address, process: u32, secret: u32) -> io::Result<()> {
    let mut socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
    let mut packet = BytesMut::new();
    encode::cancel(&mut packet, process, secret);
    socket.write_all(&packet).await?;
    // The postmaster hangs up when it has dealt with the request; until then the caller waits too.
    let mut nothing = [0; 1];
    let _ = socket.read(&mut nothing).await;
    Ok(())
}

impl Receiver {
    /// Waits for more bytes. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn fill(&mut self) -> Result<(), UpstreamError> {
        self.buffer.reserve(READ_SIZE / 4);
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(UpstreamError::Closed),
            _ => Ok(()),
        }
    }

    /// Waits for one whole frame.
    ///
    /// # Errors
    /// The connection ended, or the frame is not one.
    pub async fn frame(&mut self) -> Result<Frame, UpstreamError> {
        loop {
            if let Some(frame) = frame::take(&mut self.buffer, frame::server_limit)? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }
}

impl Sender {
    /// A simple query.
    pub fn query(&mut self, recorded: &Recorded) {
        encode::query(&mut self.buffer, recorded.text());
    }

    /// Parse.
    pub fn parse(&mut self, name: &str, recorded: &Recorded, types: &[u32]) {
        encode::parse(&mut self.buffer, name, recorded.text(), types);
    }

    /// A simple query of program text that is fixed at compile time.
    pub fn query_fixed(&mut self, text: &'static str) {
        encode::query(&mut self.buffer, text);
    }

    /// Parse of program text that is fixed at compile time.
    pub fn parse_fixed(&mut self, name: &'static str, text: &'static str) {
        encode::parse(&mut self.buffer, name, text, &[]);
    }

    /// Bind: what stands after the names is the client's, byte for byte.
    pub fn bind(&mut self, portal: &str, statement: &str, rest: &[u8]) {
        encode::bind(&mut self.buffer, portal, statement, rest);
    }

    /// Describe.
    pub fn describe(&mut self, target: Named, name: &str) {
        encode::describe(&mut self.buffer, target, name);
    }

    /// Close.
    pub fn close(&mut self, target: Named, name: &str) {
        encode::close(&mut self.buffer, target, name);
    }

    /// Execute of a portal whose statement is on record.
    pub fn execute(&mut self, portal: &str, max_rows: i32, recorded: &Recorded) {
        let _ = recorded;
        encode::execute(&mut self.buffer, portal, max_rows);
    }

    /// Execute of a portal that was bound to program text.
    pub fn execute_fixed(&mut self, portal: &'static str) {
        encode::execute(&mut self.buffer, portal, 0);
    }

    /// Flush
    pub fn flush(&mut self) {
        encode::bare(&mut self.buffer, b'H');
    }

    /// Sync
    pub fn sync(&mut self) {
        encode::bare(&mut self.buffer, b'S');
    }

    /// Terminate
    pub fn terminate(&mut self) {
        encode::bare(&mut self.buffer, b'X');
    }

    /// CopyData or CopyFail, a whole frame.
    pub fn copy_frame(&mut self, frame: &Bytes) {
        self.buffer.extend_from_slice(frame);
    }

    /// CopyDone
    pub fn copy_done(&mut self) {
        encode::bare(&mut self.buffer, b'c');
    }

    /// A start-up packet.
    pub fn startup(&mut self, parameters: &[(String, String)]) {
        encode::startup(&mut self.buffer, parameters);
    }

    /// A client's answer to an authentication request, a whole frame.
    pub fn password(&mut self, frame: &Bytes) {
        self.buffer.extend_from_slice(frame);
    }

    /// A password in clear text, for tools that log in by themselves.
    pub fn clear_text_password(&mut self, password: &str) {
        encode::framed(&mut self.buffer, b'p', |b| encode::string(b, password));
    }

    /// How many bytes wait to be written.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Writes some of what is pending. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn write_some(&mut self) -> Result<(), UpstreamError> {
        self.socket.write_buf(&mut self.buffer).await?;
        Ok(())
    }

    /// Writes all that is pending.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn write_all(&mut self) -> Result<(), UpstreamError> {
        while !self.buffer.is_empty() {
            self.write_some().await?;
        }
        Ok(())
    }
}
