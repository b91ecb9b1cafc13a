//! The packets that a client may open a connection with.

use bytes::{Buf, Bytes, BytesMut};

use super::read::Body;

/// Protocol 3.0
pub const PROTOCOL_3_0: u32 = 3 << 16;
/// Protocol 3.2, of PostgreSQL 18: secrets of cancel requests may be longer. Nobody speaks 3.1.
pub const PROTOCOL_3_2: u32 = PROTOCOL_3_0 + 2;
/// The longest secret of a cancel request.
const LONGEST_SECRET: usize = 256;
/// The code of a cancel request.
pub const CANCEL: u32 = 80_877_102;
/// The code of a request for TLS.
pub const SSL: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// PostgreSQL's `MAX_STARTUP_PACKET_LENGTH`.
pub const LIMIT: usize = 10_000;

/// The first packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupPacket {
    /// SSLRequest
    Ssl,
    /// GSSENCRequest
    Gss,
    /// CancelRequest
    Cancel {
        /// Process id of the backend.
        process: u32,
        /// Its secret: four bytes, or up to 256 since protocol 3.2.
        secret: Bytes,
    },
    /// Protocol 3
    Startup(Startup),
}

/// A start-up message of protocol 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// The version that the client asks for, `3.x`.
    pub protocol: u32,
    /// `_pq_.` options, none of which we know.
    pub protocol_options: Vec<String>,
    /// Everything else, in order, each name once.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// The version that is spoken with it, and whether that must be said: it asks for a newer one, or for options that
    /// we do not know.
    pub fn negotiated(&self) -> (u32, bool) {
        let spoken = self.protocol.min(PROTOCOL_3_2);
        (spoken, spoken != self.protocol || !self.protocol_options.is_empty())
    }
}

/// Why a first packet is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartupError {
    /// Too short or too long: PostgreSQL hangs up without a word.
    #[error("invalid length of startup packet")]
    Length,
    /// Not of its form.
    #[error("invalid startup packet layout: expected terminator as last byte")]
    Layout,
    /// Another protocol, such as 2.0.
    #[error("unsupported frontend protocol {0}.{1}: server supports 3.0 to 3.2")]
    Version(u32, u32),
    /// A name or value is not UTF-8.
    #[error("startup parameters must be encoded in UTF-8")]
    Encoding,
    /// A name given twice.
    #[error("startup parameter \"{0}\" is given twice")]
    Duplicate(String),
}

/// Takes the first packet off the start of `buffer`, if it has all arrived.
///
/// # Errors
/// What is not a packet of protocol 3.
pub fn take(buffer: &mut BytesMut) -> Result<Option<StartupPacket>, StartupError> {
    let Some((word, _)) = buffer.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*word) as usize;
    if !(8..=LIMIT).contains(&length) {
        return Err(StartupError::Length);
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut body = buffer.split_to(length).freeze();
    body.advance(4);
    read(body).map(Some)
}

fn read(mut bytes: Bytes) -> Result<StartupPacket, StartupError> {
    let code = bytes.try_get_u32().map_err(|_| StartupError::Length)?;
    match code {
        SSL if bytes.is_empty() => Ok(StartupPacket::Ssl),
        GSS if bytes.is_empty() => Ok(StartupPacket::Gss),
        CANCEL => match bytes.try_get_u32() {
            Ok(process) if (4..=LONGEST_SECRET).contains(&bytes.len()) => {
                Ok(StartupPacket::Cancel { process, secret: bytes })
            }
            Ok(_) | Err(_) => Err(StartupError::Length),
        },
        _ if code >> 16 == 3 => parameters(bytes, code).map(StartupPacket::Startup),
        _ => Err(StartupError::Version(code >> 16, code & 0xffff)),
    }
}

fn parameters(bytes: Bytes, protocol: u32) -> Result<Startup, StartupError> {
    let mut body = Body::new(bytes);
    let mut startup = Startup {
        protocol,
        protocol_options: Vec::new(),
        parameters: Vec::new(),
    };
    let text = |raw: Bytes| String::from_utf8(raw.to_vec()).map_err(|_| StartupError::Encoding);
    loop {
        let name = text(body.raw_string().map_err(|_| StartupError::Layout)?)?;
        if name.is_empty() {
            break;
        }
        let value = text(body.raw_string().map_err(|_| StartupError::Layout)?)?;
        if name.starts_with("_pq_.") {
            startup.protocol_options.push(name);
        } else if startup.parameters.iter().any(|(n, _)| *n == name) {
            return Err(StartupError::Duplicate(name));
        } else {
            startup.parameters.push((name, value));
        }
    }
    body.end().map_err(|_| StartupError::Layout)?;
    Ok(startup)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(body: &[u8]) -> BytesMut {
        let mut all = BytesMut::from(&(body.len() as u32 + 4).to_be_bytes()[..]);
        all.extend_from_slice(body);
        all
    }

    #[test]
    fn versions_are_negotiated_down_to_ours() {
        let startup = |minor, options: &[&str]| Startup {
            protocol: PROTOCOL_3_0 + minor,
            protocol_options: options.iter().map(|s| s.to_string()).collect(),
            parameters: vec![],
        };
        let cases: [(u32, &[&str], u32, bool); 5] = [
            (0, &[], 0, false),
            (2, &[], 2, false),
            (3, &[], 2, true),
            (9999, &[], 2, true),
            (0, &["_pq_.x"], 0, true),
        ];
        for (minor, options, spoken, said) in cases {
            let expected = (PROTOCOL_3_0 + spoken, said);
            assert_eq!(startup(minor, options).negotiated(), expected, "3.{minor} {options:?}");
        }
    }

    #[test]
    fn first_packets() {
        let plain = |minor, options: &[&str], parameters: &[(&str, &str)]| {
            Ok(Some(StartupPacket::Startup(Startup {
                protocol: PROTOCOL_3_0 + minor,
                protocol_options: options.iter().map(|s| s.to_string()).collect(),
                parameters: parameters.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
            })))
        };
        type Case = (&'static [u8], Result<Option<StartupPacket>, StartupError>);
        let cases: [Case; 12] = [
            (b"\x04\xd2\x16\x2f", Ok(Some(StartupPacket::Ssl))),
            (b"\x04\xd2\x16\x30", Ok(Some(StartupPacket::Gss))),
            (
                b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02",
                Ok(Some(StartupPacket::Cancel {
                    process: 1,
                    secret: Bytes::from_static(b"\0\0\0\x02"),
                })),
            ),
            (b"\x04\xd2\x16\x2e\0\0\0\x01", Err(StartupError::Length)),
            (b"\0\x03\0\0user\0a\0\0", plain(0, &[], &[("user", "a")])),
            (b"\0\x03\0\x02user\0a\0\0", plain(2, &[], &[("user", "a")])),
            (
                b"\0\x03\0\0_pq_.x\x001\0user\0a\0\0",
                plain(0, &["_pq_.x"], &[("user", "a")]),
            ),
            (b"\0\x02\0\0user\0a\0\0", Err(StartupError::Version(2, 0))),
            (b"\0\x03\0\0user\0a\0", Err(StartupError::Layout)),
            (b"\0\x03\0\0user\0a\0\0x", Err(StartupError::Layout)),
            (
                b"\0\x03\0\0user\0a\0user\0b\0\0",
                Err(StartupError::Duplicate("user".into())),
            ),
            (b"\0\x03\0\0user\0\xff\0\0", Err(StartupError::Encoding)),
        ];
        for (body, expected) in cases {
            assert_eq!(take(&mut packet(body)), expected, "{body:?}");
        }
        let long = |length: usize| [&b"\x04\xd2\x16\x2e\0\0\0\x01"[..], &vec![7; length]].concat();
        for (length, ok) in [(3, false), (32, true), (256, true), (257, false)] {
            assert_eq!(
                take(&mut packet(&long(length))).is_ok(),
                ok,
                "a secret of {length} bytes"
            );
        }
        assert_eq!(take(&mut BytesMut::from(&b"\0\0\0\x08\x04"[..])), Ok(None));
        assert_eq!(take(&mut BytesMut::from(&b"\0\0\0\x02"[..])), Err(StartupError::Length));
        assert_eq!(take(&mut BytesMut::from(&b"\x7f\0\0\0"[..])), Err(StartupError::Length));
    }
}
