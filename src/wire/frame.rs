//! Frames: one type byte, four bytes of length, a body. Cuts them out of a buffer without decoding.

use bytes::{Buf, Bytes, BytesMut};

use super::ProtocolError;

/// Length of type byte and length word.
pub const HEADER: usize = 5;

/// The largest message that PostgreSQL takes.
const LARGE: usize = 0x3fff_ffff;
/// The largest of the messages that have a small body.
const SMALL: usize = 10_000;
/// The largest statement text that we read; longer ones cannot be examined.
const STATEMENT: usize = 64 << 20;

/// A frame's first five bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The message type.
    pub tag: u8,
    /// Length of the whole frame, header included.
    pub total: usize,
}

/// One whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The message type.
    pub tag: u8,
    /// Header and body.
    pub bytes: Bytes,
}

impl Frame {
    /// The body, without the header.
    pub fn body(&self) -> Bytes {
        let mut body = self.bytes.clone();
        body.advance(HEADER.min(body.len()));
        body
    }
}

/// The header at the start of `buffer`, or `None` when it has not all arrived.
///
/// # Errors
/// A length below four.
pub fn peek(buffer: &[u8]) -> Result<Option<Header>, ProtocolError> {
    let Some((&[tag, a, b, c, d], _)) = buffer.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if !(4..=LARGE).contains(&length) {
        return Err(ProtocolError::Length);
    }
    Ok(Some(Header { tag, total: length + 1 }))
}

/// Takes one whole frame off the start of `buffer`, if it has arrived; `limit` gives the largest
/// length of a message type.
///
/// # Errors
/// A length out of bounds, or what `limit` says of the type.
pub fn take(
    buffer: &mut BytesMut,
    limit: impl FnOnce(u8) -> Result<usize, ProtocolError>,
) -> Result<Option<Frame>, ProtocolError> {
    let Some(header) = peek(buffer)? else { return Ok(None) };
    if header.total > limit(header.tag)?.saturating_add(1) {
        return Err(ProtocolError::Length);
    }
    if buffer.len() < header.total {
        buffer.reserve(header.total.saturating_sub(buffer.len()).min(1 << 20));
        return Ok(None);
    }
    Ok(Some(Frame {
        tag: header.tag,
        bytes: buffer.split_to(header.total).freeze(),
    }))
}

/// The largest length of a client's message, as in PostgreSQL's `SocketBackend`.
///
/// # Errors
/// A type that clients do not send.
pub fn client_limit(tag: u8) -> Result<usize, ProtocolError> {
    match tag {
        b'Q' | b'P' => Ok(STATEMENT),
        b'F' | b'B' | b'd' => Ok(LARGE),
        b'X' | b'C' | b'D' | b'E' | b'H' | b'S' | b'c' | b'f' => Ok(SMALL),
        other => Err(ProtocolError::UnknownFrontend(other)),
    }
}

/// The largest length of a message during authentication, as in PostgreSQL's `auth.c`.
///
/// # Errors
/// Anything but a password message.
pub fn password_limit(tag: u8) -> Result<usize, ProtocolError> {
    match tag {
        b'p' => Ok(65_535),
        other => Err(ProtocolError::UnknownFrontend(other)),
    }
}

/// The server's messages may be as large as PostgreSQL makes them.
///
/// # Errors
/// None.
pub fn server_limit(_: u8) -> Result<usize, ProtocolError> {
    Ok(LARGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_where_their_length_says() {
        let mut buffer = BytesMut::from(&b"Q\0\0\0\x06a\0S\0\0\0\x04X\0\0"[..]);
        let first = take(&mut buffer, client_limit).unwrap().unwrap();
        assert_eq!((first.tag, &first.body()[..]), (b'Q', &b"a\0"[..]));
        let second = take(&mut buffer, client_limit).unwrap().unwrap();
        assert_eq!((second.tag, second.body().len()), (b'S', 0));
        assert_eq!(take(&mut buffer, client_limit), Ok(None));
        assert_eq!(&buffer[..], b"X\0\0");
    }

    #[test]
    fn lengths_and_types_out_of_bounds_are_breaches() {
        let cases: [(&[u8], ProtocolError); 5] = [
            (b"Q\0\0\0\x03a\0", ProtocolError::Length),
            (b"Q\xff\xff\xff\xff", ProtocolError::Length),
            (b"S\0\0\x28\0", ProtocolError::Length),
            (b"!\0\0\0\x04", ProtocolError::UnknownFrontend(b'!')),
            (b"p\0\0\0\x04", ProtocolError::UnknownFrontend(b'p')),
        ];
        for (bytes, error) in cases {
            assert_eq!(take(&mut BytesMut::from(bytes), client_limit), Err(error), "{bytes:?}");
        }
    }
}
