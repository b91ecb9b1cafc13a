//! What a client may send after it has logged in.

use bytes::Bytes;

use super::read::Body;
use super::{Encoding, Frame, Malformed, ProtocolError};

/// What a Describe or Close speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `S`
    Statement,
    /// `P`
    Portal,
}

/// A Parse message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parse {
    /// Statement name, empty for the unnamed one.
    pub name: String,
    /// The client's text.
    pub text: String,
    /// Declared parameter types.
    pub types: Vec<u32>,
}

/// A parameter's value as a Bind carries it; `None` is NULL.
pub type Value = Option<Bytes>;

/// A Bind message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Portal name, empty for the unnamed one.
    pub portal: String,
    /// Statement name.
    pub statement: String,
    /// Format codes of the parameters: none, one for all, or one each.
    pub formats: Vec<i16>,
    /// Parameter values.
    pub values: Vec<Value>,
    /// Everything after the two names, as it came.
    pub rest: Bytes,
    /// That of names and of values in text format.
    pub encoding: Encoding,
}

impl Bind {
    /// The format code of the n-th parameter, from 0.
    pub fn format(&self, parameter: usize) -> i16 {
        match self.formats.as_slice() {
            [] => 0,
            [one] => *one,
            many => many.get(parameter).copied().unwrap_or(0),
        }
    }

    /// The n-th parameter, from 0, where its value is text and is read here.
    pub fn text(&self, parameter: usize) -> Option<String> {
        let value = self.values.get(parameter)?.as_ref()?;
        self.encoding.decode(value).ok().map(String::from)
    }
}

/// A message of a client that has logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frontend {
    /// `Q`
    Query(String),
    /// `P`
    Parse(Parse),
    /// `B`
    Bind(Bind),
    /// `D`
    Describe(Target, String),
    /// `C`
    Close(Target, String),
    /// `E`: portal, row limit
    Execute(String, i32),
    /// `H`
    Flush,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// `d`, whole frame
    CopyData(Bytes),
    /// `c`
    CopyDone,
    /// `f`, whole frame
    CopyFail(Bytes),
    /// `F`
    FunctionCall,
}

/// Which message a frame is, before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontendKind {
    /// `Q`
    Query,
    /// `P`
    Parse,
    /// `B`
    Bind,
    /// `D`
    Describe,
    /// `C`
    Close,
    /// `E`
    Execute,
    /// `H`
    Flush,
    /// `S`
    Sync,
    /// `X`
    Terminate,
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `f`
    CopyFail,
    /// `F`
    FunctionCall,
}

impl FrontendKind {
    /// From the type byte.
    ///
    /// # Errors
    /// A type that clients do not send.
    pub fn of(tag: u8) -> Result<Self, ProtocolError> {
        Ok(match tag {
            b'Q' => Self::Query,
            b'P' => Self::Parse,
            b'B' => Self::Bind,
            b'D' => Self::Describe,
            b'C' => Self::Close,
            b'E' => Self::Execute,
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'X' => Self::Terminate,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'f' => Self::CopyFail,
            b'F' => Self::FunctionCall,
            other => return Err(ProtocolError::UnknownFrontend(other)),
        })
    }

    /// The extended query protocol, in which an error skips all up to the next Sync.
    pub const fn is_extended(self) -> bool {
        match self {
            Self::Parse | Self::Bind | Self::Describe | Self::Close | Self::Execute | Self::Flush => true,
            Self::Query
            | Self::Sync
            | Self::Terminate
            | Self::CopyData
            | Self::CopyDone
            | Self::CopyFail
            | Self::FunctionCall => false,
        }
    }
}

impl Frontend {
    /// Reads a frame's body.
    ///
    /// # Errors
    /// A body that is not of its type's form.
    pub fn read(kind: FrontendKind, frame: Frame, encoding: Encoding) -> Result<Self, Malformed> {
        let mut body = Body::encoded(frame.body(), encoding);
        let message = match kind {
            FrontendKind::Query => Self::Query(body.string()?),
            FrontendKind::Parse => Self::Parse(read_parse(&mut body)?),
            FrontendKind::Bind => return read_bind(body, encoding).map(Self::Bind),
            FrontendKind::Describe => {
                let target = read_target(&mut body, "DESCRIBE")?;
                Self::Describe(target, body.string()?)
            }
            FrontendKind::Close => {
                let target = read_target(&mut body, "CLOSE")?;
                Self::Close(target, body.string()?)
            }
            FrontendKind::Execute => Self::Execute(body.string()?, body.i32()?),
            FrontendKind::Flush => Self::Flush,
            FrontendKind::Sync => Self::Sync,
            FrontendKind::Terminate => return Ok(Self::Terminate),
            FrontendKind::CopyData => return Ok(Self::CopyData(frame.bytes)),
            FrontendKind::CopyDone => return Ok(Self::CopyDone),
            FrontendKind::CopyFail => {
                body.raw_string()?;
                Self::CopyFail(frame.bytes)
            }
            FrontendKind::FunctionCall => return Ok(Self::FunctionCall),
        };
        body.end()?;
        Ok(message)
    }
}

fn read_target(body: &mut Body, message: &'static str) -> Result<Target, Malformed> {
    match body.u8()? {
        b'S' => Ok(Target::Statement),
        b'P' => Ok(Target::Portal),
        other => Err(Malformed::Subtype(message, other)),
    }
}

fn read_parse(body: &mut Body) -> Result<Parse, Malformed> {
    let name = body.string()?;
    let text = body.string()?;
    let count = body.u16()?;
    let types = (0..count).map(|_| body.u32()).collect::<Result<_, _>>()?;
    Ok(Parse { name, text, types })
}

fn read_bind(mut body: Body, encoding: Encoding) -> Result<Bind, Malformed> {
    let portal = body.string()?;
    let statement = body.string()?;
    let rest = body.rest();
    let formats = (0..body.u16()?).map(|_| body.i16()).collect::<Result<_, _>>()?;
    let count = body.u16()?;
    let mut values = Vec::with_capacity(usize::from(count).min(1024));
    for _ in 0..count {
        values.push(match body.i32()? {
            -1 => None,
            length => Some(body.take(usize::try_from(length).map_err(|_| Malformed::Format)?)?),
        });
    }
    for _ in 0..body.u16()? {
        body.i16()?;
    }
    body.end()?;
    Ok(Bind {
        portal,
        statement,
        formats,
        values,
        rest,
        encoding,
    })
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::{encode, frame};
    use super::*;

    fn read(bytes: &[u8]) -> Result<Frontend, Malformed> {
        let frame = frame::take(&mut BytesMut::from(bytes), frame::client_limit)
            .unwrap()
            .unwrap();
        Frontend::read(FrontendKind::of(frame.tag).unwrap(), frame, Encoding::Utf8)
    }

    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut all = vec![tag];
        all.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        all.extend_from_slice(body);
        all
    }

    #[test]
    fn bodies_are_read_as_strictly_as_postgresql_reads_them() {
        let cases: [(u8, &[u8], Result<Frontend, Malformed>); 16] = [
            (b'Q', b"SELECT 1\0", Ok(Frontend::Query("SELECT 1".into()))),
            (b'Q', b"SELECT 1", Err(Malformed::String)),
            (b'Q', b"SELECT 1\0; SELECT 2\0", Err(Malformed::Format)),
            (b'Q', b"\xff\0", Err(Malformed::Encoding)),
            (b'P', b"a\0b\0\0\0x", Err(Malformed::Format)),
            (b'P', b"a\0b\0\0\x01\0\0", Err(Malformed::Format)),
            (
                b'P',
                b"a\0b\0\0\x01\0\0\0\x17",
                Ok(Frontend::Parse(Parse {
                    name: "a".into(),
                    text: "b".into(),
                    types: vec![23],
                })),
            ),
            (b'D', b"Sx\0", Ok(Frontend::Describe(Target::Statement, "x".into()))),
            (b'D', b"Zx\0", Err(Malformed::Subtype("DESCRIBE", b'Z'))),
            (b'C', b"P\0", Ok(Frontend::Close(Target::Portal, String::new()))),
            (b'E', b"p\0\0\0\0\x05", Ok(Frontend::Execute("p".into(), 5))),
            (b'E', b"p\0\0\0\0", Err(Malformed::Format)),
            (b'S', b"", Ok(Frontend::Sync)),
            (b'S', b"x", Err(Malformed::Format)),
            (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0", Err(Malformed::Format)),
            (b'B', b"\0\0\0\0\0\x01\0\0\0\x09a\0\0", Err(Malformed::Format)),
        ];
        for (tag, body, expected) in cases {
            assert_eq!(read(&framed(tag, body)), expected, "{} {body:?}", tag as char);
        }
    }

    #[test]
    fn a_bind_keeps_its_tail_byte_for_byte_when_its_statement_is_renamed() {
        let tail = b"\0\x01\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x02hi\0\x01\0\x01";
        let body = [&b"p\0s\0"[..], tail].concat();
        let Ok(Frontend::Bind(bind)) = read(&framed(b'B', &body)) else {
            panic!()
        };
        assert_eq!(bind.values, [None, Some(Bytes::from_static(b"hi"))]);
        assert_eq!((bind.format(0), bind.format(1)), (1, 1));
        let mut out = BytesMut::new();
        encode::bind(&mut out, bind.portal.as_bytes(), b"other", &bind.rest);
        assert_eq!(out, framed(b'B', &[&b"p\0other\0"[..], tail].concat()));
    }
}
