//! The only place that opens a server socket, and the only way for text to reach PostgreSQL.
//!
//! Every method that carries SQL takes a [`Recorded`], which only the journal makes, or program text
//! fixed at compile time; `samples` fills a fixed template with quoted names, on a connection of its own. Knows no policy and no client.

pub mod ask;
pub mod catalogs;
pub mod loader;
mod loader_sql;
pub mod login;
pub mod needs;
pub mod privileges;
pub mod samples;
mod server;
mod standing;
mod target;
pub mod verifiers;

use std::borrow::Cow;
use std::io;

use crate::audit::Recorded;
use crate::tls::{Reader, Writer};
use crate::wire::frontend::Target as Named;
use crate::wire::{Encoding, Frame, ProtocolError, buffers, encode, frame};
use bytes::{Buf, Bytes, BytesMut};

pub use server::{Server, ServerOptions, cancel};
pub use standing::{SessionAttributes, Standing};
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
    /// Where it leads.
    pub address: Address,
    /// What a login over this connection may be bound to, where it is through TLS.
    pub end_point: Option<Vec<u8>>,
    /// It is through TLS.
    pub encrypted: bool,
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    socket: Reader,
    /// Bytes that have arrived and were not yet taken.
    pub buffer: BytesMut,
}

/// The sending half: messages gather in a buffer until they are written.
#[derive(Debug)]
pub struct Sender {
    socket: Writer,
    buffer: BytesMut,
    /// That of texts and names: the session's.
    pub encoding: Encoding,
}

/// With less room than this, a buffer gets more before it is read into.
const LEAST_ROOM: usize = 16 << 10;

impl Upstream {
    /// Writes everything that is pending, then waits for one whole frame.
    ///
    /// # Errors
    /// The connection ended, or the frame is not one.
    pub async fn exchange(&mut self) -> Result<Frame, UpstreamError> {
        self.sender.write_all().await?;
        self.receiver.frame().await
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
}

impl Receiver {
    /// Waits for more bytes. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn fill(&mut self) -> Result<(), UpstreamError> {
        self.socket.readable().await?;
        buffers::take(&mut self.buffer);
        self.buffer.reserve(LEAST_ROOM);
        match self.socket.read(&mut self.buffer).await? {
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
    /// A text that is not in the encoding was refused before; if it was not, nothing runs.
    fn text<'t>(&self, recorded: &'t Recorded) -> Cow<'t, [u8]> {
        self.encoding.encode(recorded.text()).unwrap_or_default()
    }

    /// A name comes from a message in the encoding, or is ours and ASCII. Any other must not become a name that is used.
    fn name<'t>(&self, name: &'t str) -> Cow<'t, [u8]> {
        self.encoding
            .encode(name)
            .unwrap_or(Cow::Borrowed(b"pgpurpose_not_in_the_encoding"))
    }

    /// A simple query.
    pub fn query(&mut self, recorded: &Recorded) {
        let text = self.text(recorded);
        encode::query(&mut self.buffer, &text);
    }

    /// Parse.
    pub fn parse(&mut self, name: &str, recorded: &Recorded, types: &[u32]) {
        let text = self.text(recorded);
        let name = self.name(name);
        encode::parse(&mut self.buffer, &name, &text, types);
    }

    /// A simple query of program text that is fixed at compile time.
    pub fn query_fixed(&mut self, text: &'static str) {
        encode::query(&mut self.buffer, text.as_bytes());
    }

    /// Parse of program text that is fixed at compile time.
    pub fn parse_fixed(&mut self, name: &'static str, text: &'static str) {
        encode::parse(&mut self.buffer, name.as_bytes(), text.as_bytes(), &[]);
    }

    /// Bind: what stands after the names is the client's, byte for byte.
    pub fn bind(&mut self, portal: &str, statement: &str, rest: &[u8]) {
        let (portal, statement) = (self.name(portal), self.name(statement));
        encode::bind(&mut self.buffer, &portal, &statement, rest);
    }

    /// Bind whose `rest` bytes behind the names follow by [`Sender::more`].
    pub fn bind_begin(&mut self, portal: &str, statement: &str, rest: usize) {
        let (portal, statement) = (self.name(portal), self.name(statement));
        encode::bind_begin(&mut self.buffer, &portal, &statement, rest);
    }

    /// More of a message that was begun: parameters or COPY data of the client's, byte for byte.
    pub fn more(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Describe.
    pub fn describe(&mut self, target: Named, name: &str) {
        let name = self.name(name);
        encode::describe(&mut self.buffer, target, &name);
    }

    /// Close.
    pub fn close(&mut self, target: Named, name: &str) {
        let name = self.name(name);
        encode::close(&mut self.buffer, target, &name);
    }

    /// Execute of a portal whose statement is on record.
    pub fn execute(&mut self, portal: &str, max_rows: i32, recorded: &Recorded) {
        let _ = recorded;
        let portal = self.name(portal);
        encode::execute(&mut self.buffer, &portal, max_rows);
    }

    /// Execute of a portal that was bound to program text.
    pub fn execute_fixed(&mut self, portal: &'static str) {
        encode::execute(&mut self.buffer, portal.as_bytes(), 0);
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

    /// A start-up packet, for that version of the protocol.
    pub fn startup(&mut self, protocol: u32, parameters: &[(String, String)]) {
        encode::startup(&mut self.buffer, protocol, parameters);
    }

    /// A client's answer to an authentication request, a whole frame.
    pub fn password(&mut self, frame: &Bytes) {
        self.buffer.extend_from_slice(frame);
    }

    /// An answer of ours to an authentication request.
    fn answer(&mut self, bytes: &[u8]) {
        encode::framed(&mut self.buffer, b'p', |b| b.extend_from_slice(bytes));
    }

    /// How many bytes wait to be written.
    pub fn pending(&self) -> usize {
        self.buffer.len()
    }

    /// Nothing waits to be written, in the buffer or in TLS.
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.socket.is_flushed()
    }

    /// Writes some of what is pending. Safe to drop half-way.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn write_some(&mut self) -> Result<(), UpstreamError> {
        if self.buffer.is_empty() {
            self.socket.flush().await?;
            return Ok(());
        }
        let written = self.socket.write(&self.buffer).await?;
        if written == 0 {
            return Err(UpstreamError::Closed);
        }
        self.buffer.advance(written);
        Ok(())
    }

    /// Writes all that is pending.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn write_all(&mut self) -> Result<(), UpstreamError> {
        while !self.is_idle() {
            self.write_some().await?;
        }
        Ok(())
    }
}
