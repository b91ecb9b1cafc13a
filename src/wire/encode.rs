//! Messages into a buffer: pgwire's, but for those whose strings are in the client's encoding, which theirs cannot be.
//! Strings are cut at a NUL byte rather than let one through.

use bytes::{BufMut, BytesMut};
use pgwire::messages::Message;
use pgwire::messages::startup::NegotiateProtocolVersion;

use super::frontend::Target;
use super::{Encoding, ErrorFields};

/// Writes a frame: type, length, and the body that `body` appends.
pub fn framed(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    with_length(out, body);
}

/// Writes a length word and the body that `body` appends (start-up packets have no type byte).
pub fn with_length(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    if let Some(word) = out.get_mut(start..start + 4) {
        word.copy_from_slice(&length.to_be_bytes());
    }
}

/// A NUL-terminated string.
pub fn string(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text.split(|&b| b == 0).next().unwrap_or_default());
    out.put_u8(0);
}

/// A message of pgwire's. It refuses only what is larger than a frame may be, which no text here is.
fn message(out: &mut BytesMut, message: &impl Message) {
    let start = out.len();
    if let Err(error) = message.encode(out) {
        tracing::error!(%error, "a message of ours cannot be written");
        out.truncate(start);
    }
}

/// Query
pub fn query(out: &mut BytesMut, text: &[u8]) {
    framed(out, b'Q', |b| string(b, text));
}

/// Parse
pub fn parse(out: &mut BytesMut, name: &[u8], text: &[u8], types: &[u32]) {
    framed(out, b'P', |b| {
        string(b, name);
        string(b, text);
        b.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
        types.iter().for_each(|oid| b.put_u32(*oid));
    });
}

/// Bind, with everything after the names as it came.
pub fn bind(out: &mut BytesMut, portal: &[u8], statement: &[u8], rest: &[u8]) {
    framed(out, b'B', |b| {
        string(b, portal);
        string(b, statement);
        b.put_slice(rest);
    });
}

/// The start of a Bind, up to its names: so many bytes follow.
pub fn bind_begin(out: &mut BytesMut, portal: &[u8], statement: &[u8], rest: usize) {
    let start = out.len();
    framed(out, b'B', |b| {
        string(b, portal);
        string(b, statement);
    });
    let length = u32::try_from(out.len() - start - 1 + rest).unwrap_or(u32::MAX);
    if let Some(word) = out.get_mut(start + 1..start + 5) {
        word.copy_from_slice(&length.to_be_bytes());
    }
}

/// Describe
pub fn describe(out: &mut BytesMut, target: Target, name: &[u8]) {
    framed(out, b'D', |b| targeted(b, target, name));
}

/// Close
pub fn close(out: &mut BytesMut, target: Target, name: &[u8]) {
    framed(out, b'C', |b| targeted(b, target, name));
}

fn targeted(out: &mut BytesMut, target: Target, name: &[u8]) {
    out.put_u8(match target {
        Target::Statement => b'S',
        Target::Portal => b'P',
    });
    string(out, name);
}

/// Execute
pub fn execute(out: &mut BytesMut, portal: &[u8], max_rows: i32) {
    framed(out, b'E', |b| {
        string(b, portal);
        b.put_i32(max_rows);
    });
}

/// A message without body.
pub fn bare(out: &mut BytesMut, tag: u8) {
    framed(out, tag, |_| ());
}

/// ErrorResponse
pub fn error(out: &mut BytesMut, fields: &ErrorFields, encoding: Encoding) {
    framed(out, b'E', |b| told(b, fields, encoding));
}

/// NoticeResponse
pub fn notice(out: &mut BytesMut, fields: &ErrorFields, encoding: Encoding) {
    framed(out, b'N', |b| told(b, fields, encoding));
}

fn told(out: &mut BytesMut, fields: &ErrorFields, encoding: Encoding) {
    for (field, text) in fields.iter() {
        out.put_u8(field);
        string(out, &encoding.encode_most(text));
    }
    out.put_u8(0);
}

/// NegotiateProtocolVersion: down to that version, and the options that are not known.
pub fn negotiate(out: &mut BytesMut, version: u32, unknown: &[String]) {
    message(
        out,
        &NegotiateProtocolVersion::new(version.cast_signed(), unknown.to_vec()),
    );
}

/// An Authentication message of that kind.
pub fn authentication(out: &mut BytesMut, kind: u32, data: &[u8]) {
    framed(out, b'R', |b| {
        b.put_u32(kind);
        b.put_slice(data);
    });
}

/// The SASL mechanisms that the server offers.
pub fn sasl_mechanisms(out: &mut BytesMut, mechanisms: &[String]) {
    framed(out, b'R', |b| {
        b.put_u32(10);
        for name in mechanisms {
            string(b, name.as_bytes());
        }
        b.put_u8(0);
    });
}

/// A start-up packet.
pub fn startup(out: &mut BytesMut, protocol: u32, parameters: &[(String, String)]) {
    with_length(out, |b| {
        b.put_u32(protocol);
        for (name, value) in parameters {
            string(b, name.as_bytes());
            string(b, value.as_bytes());
        }
        b.put_u8(0);
    });
}

/// A request for TLS.
pub fn ssl_request(out: &mut BytesMut) {
    with_length(out, |b| b.put_u32(super::startup::SSL));
}

/// A cancel request.
pub fn cancel(out: &mut BytesMut, process: u32, secret: &[u8]) {
    with_length(out, |b| {
        b.put_u32(super::startup::CANCEL);
        b.put_u32(process);
        b.put_slice(secret);
    });
}
