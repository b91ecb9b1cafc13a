//! Frames and messages of protocol 3.0, read as strictly as PostgreSQL reads them.
//!
//! Knows no policy, no socket and no session: bytes in, typed messages out, and back. Unknown
//! message types are errors, never passed on.

pub mod backend;
pub mod buffers;
pub mod encode;
pub mod encoding;
pub mod fields;
pub mod frame;
pub mod frontend;
mod read;
pub mod startup;

pub use backend::{BackendKind, OutputColumn};
pub use encoding::Encoding;
pub use fields::ErrorFields;
pub use frame::{Frame, Header};
pub use frontend::Frontend;
pub use startup::StartupPacket;

/// A breach of the protocol that ends the connection, as PostgreSQL ends it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The length word is too small or too large for its message type.
    #[error("invalid message length")]
    Length,
    /// A message type that the protocol does not have, in this direction or at this moment.
    #[error("invalid frontend message type {0}")]
    UnknownFrontend(u8),
    /// The server sent something that we do not know.
    #[error("unknown message type {0} from the server")]
    UnknownBackend(u8),
    /// The server sent something that nothing asked for.
    #[error("unexpected message from the server")]
    Unexpected,
    /// The server sent a message whose body is not of its form.
    #[error("malformed message of type {0} from the server")]
    MalformedBackend(char),
}

/// A message whose frame is right and whose body is not: PostgreSQL answers with an ordinary error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes are left over, or missing.
    #[error("invalid message format")]
    Format,
    /// A string does not end.
    #[error("invalid string in message")]
    String,
    /// Not UTF-8.
    #[error("invalid byte sequence for encoding \"UTF8\"")]
    Encoding,
    /// In an encoding of one byte a character, one that stands for nothing.
    #[error("a character in the client's encoding has no equivalent in encoding \"UTF8\"")]
    NoEquivalent,
    /// In an encoding of which only ASCII is read.
    #[error(
        "statements and names with characters beyond ASCII are served with client_encoding UTF8, or one of one byte a character"
    )]
    NotRead,
    /// A sub-type that the message does not have.
    #[error("invalid {0} message subtype {1}")]
    Subtype(&'static str, u8),
}

impl Malformed {
    /// PostgreSQL's SQLSTATE for it.
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::Format | Self::String | Self::Subtype(..) => "08P01",
            Self::Encoding => "22021",
            Self::NoEquivalent => "22P05",
            Self::NotRead => "0A000",
        }
    }
}
