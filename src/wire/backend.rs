//! What the server may send. Bodies are read only where something depends on them.

use bytes::Bytes;

use super::ProtocolError;
use super::read::Body;

/// Which message a frame of the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// `R`
    Authentication,
    /// `K`
    BackendKeyData,
    /// `2`
    BindComplete,
    /// `3`
    CloseComplete,
    /// `C`
    CommandComplete,
    /// `d`
    CopyData,
    /// `c`
    CopyDone,
    /// `G`
    CopyInResponse,
    /// `H`
    CopyOutResponse,
    /// `W`
    CopyBothResponse,
    /// `D`
    DataRow,
    /// `I`
    EmptyQueryResponse,
    /// `E`
    ErrorResponse,
    /// `V`
    FunctionCallResponse,
    /// `v`
    NegotiateProtocolVersion,
    /// `n`
    NoData,
    /// `N`
    NoticeResponse,
    /// `A`
    NotificationResponse,
    /// `t`
    ParameterDescription,
    /// `S`
    ParameterStatus,
    /// `1`
    ParseComplete,
    /// `s`
    PortalSuspended,
    /// `Z`
    ReadyForQuery,
    /// `T`
    RowDescription,
}

impl BackendKind {
    /// From the type byte.
    ///
    /// # Errors
    /// A type that servers do not send.
    pub fn of(tag: u8) -> Result<Self, ProtocolError> {
        Ok(match tag {
            b'R' => Self::Authentication,
            b'K' => Self::BackendKeyData,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'C' => Self::CommandComplete,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'G' => Self::CopyInResponse,
            b'H' => Self::CopyOutResponse,
            b'W' => Self::CopyBothResponse,
            b'D' => Self::DataRow,
            b'I' => Self::EmptyQueryResponse,
            b'E' => Self::ErrorResponse,
            b'V' => Self::FunctionCallResponse,
            b'v' => Self::NegotiateProtocolVersion,
            b'n' => Self::NoData,
            b'N' => Self::NoticeResponse,
            b'A' => Self::NotificationResponse,
            b't' => Self::ParameterDescription,
            b'S' => Self::ParameterStatus,
            b'1' => Self::ParseComplete,
            b's' => Self::PortalSuspended,
            b'Z' => Self::ReadyForQuery,
            b'T' => Self::RowDescription,
            other => return Err(ProtocolError::UnknownBackend(other)),
        })
    }
}

/// `ReadyForQuery`'s transaction status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`
    Idle,
    /// `T`
    InTransaction,
    /// `E`
    Failed,
}

impl TransactionStatus {
    /// Reads the body of a ReadyForQuery.
    ///
    /// # Errors
    /// A body of another form.
    pub fn read(body: &[u8]) -> Result<Self, ProtocolError> {
        match body {
            b"I" => Ok(Self::Idle),
            b"T" => Ok(Self::InTransaction),
            b"E" => Ok(Self::Failed),
            _ => Err(ProtocolError::MalformedBackend('Z')),
        }
    }
}

/// Where one output column comes from, by a RowDescription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputColumn {
    /// `pg_class.oid` of its table; 0 if none.
    pub table: u32,
    /// Its number there; 0 if none.
    pub column: i16,
}

/// Reads the origins of a RowDescription's columns.
///
/// # Errors
/// A body of another form.
pub fn row_description(body: Bytes) -> Result<Vec<OutputColumn>, ProtocolError> {
    let malformed = |_| ProtocolError::MalformedBackend('T');
    let mut body = Body::new(body);
    let count = body.u16().map_err(malformed)?;
    let mut columns = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        body.raw_string().map_err(malformed)?;
        let table = body.u32().map_err(malformed)?;
        let column = body.i16().map_err(malformed)?;
        body.take(12).map_err(malformed)?;
        columns.push(OutputColumn { table, column });
    }
    body.end().map_err(malformed)?;
    Ok(columns)
}

/// Reads a DataRow of text values.
///
/// # Errors
/// A body of another form.
pub fn data_row(body: Bytes) -> Result<Vec<Option<Bytes>>, ProtocolError> {
    let malformed = |_| ProtocolError::MalformedBackend('D');
    let mut body = Body::new(body);
    let count = body.u16().map_err(malformed)?;
    let mut values = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        values.push(match body.i32().map_err(malformed)? {
            -1 => None,
            length => {
                let length = usize::try_from(length).map_err(|_| ProtocolError::MalformedBackend('D'))?;
                Some(body.take(length).map_err(malformed)?)
            }
        });
    }
    body.end().map_err(malformed)?;
    Ok(values)
}

/// Reads a CommandComplete's tag (`SELECT 3`).
///
/// # Errors
/// A body of another form.
pub fn command_tag(body: Bytes) -> Result<String, ProtocolError> {
    let mut body = Body::new(body);
    let tag = body.string().map_err(|_| ProtocolError::MalformedBackend('C'))?;
    body.end().map_err(|_| ProtocolError::MalformedBackend('C'))?;
    Ok(tag)
}

/// What the server asks for, or says, during authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Done.
    Ok,
    /// Clear-text password.
    Password,
    /// MD5 of password and salt.
    Md5,
    /// These SASL mechanisms.
    Sasl(Vec<String>),
    /// The next step of SASL.
    SaslContinue,
    /// The end of SASL, to which nothing is answered.
    SaslFinal,
    /// Kerberos, GSSAPI, SSPI, or something newer than this program.
    Unsupported(u32),
}

impl Authentication {
    /// Reads the body of an Authentication message.
    ///
    /// # Errors
    /// A body of another form.
    pub fn read(body: Bytes) -> Result<Self, ProtocolError> {
        let malformed = |_| ProtocolError::MalformedBackend('R');
        let mut body = Body::new(body);
        Ok(match body.u32().map_err(malformed)? {
            0 => Self::Ok,
            3 => Self::Password,
            5 => Self::Md5,
            10 => {
                let mut mechanisms = Vec::new();
                loop {
                    let name = body.string().map_err(malformed)?;
                    if name.is_empty() {
                        break;
                    }
                    mechanisms.push(name);
                }
                Self::Sasl(mechanisms)
            }
            11 => Self::SaslContinue,
            12 => Self::SaslFinal,
            other => Self::Unsupported(other),
        })
    }
}

/// Reads a ParameterStatus. Its value is in the client's encoding: what is not UTF-8 is replaced.
///
/// # Errors
/// A body of another form.
pub fn parameter_status(body: Bytes) -> Result<(String, String), ProtocolError> {
    let malformed = |_| ProtocolError::MalformedBackend('S');
    let mut body = Body::new(body);
    let name = body.string().map_err(malformed)?;
    let value = body.raw_string().map_err(malformed)?;
    let value = String::from_utf8_lossy(&value).into_owned();
    if !body.is_empty() {
        return Err(ProtocolError::MalformedBackend('S'));
    }
    Ok((name, value))
}
