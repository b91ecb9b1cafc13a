//! The fields of an ErrorResponse or NoticeResponse.

use bytes::Bytes;

use super::read::Body;
use super::{Encoding, ProtocolError};

/// Fields in the order in which they go out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorFields {
    fields: Vec<(u8, String)>,
}

impl ErrorFields {
    /// Severity, SQLSTATE and message.
    pub fn new(severity: &str, sqlstate: &str, message: impl Into<String>) -> Self {
        Self::default()
            .with(b'S', severity)
            .with(b'V', severity)
            .with(b'C', sqlstate)
            .with(b'M', message)
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, field: u8, text: impl Into<String>) -> Self {
        self.fields.push((field, text.into()));
        self
    }

    /// The same with one more field, if there is something to say.
    #[must_use]
    pub fn with_some(self, field: u8, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.with(field, text),
            None => self,
        }
    }

    /// The text of a field.
    pub fn get(&self, field: u8) -> Option<&str> {
        self.fields
            .iter()
            .find(|(f, _)| *f == field)
            .map(|(_, text)| text.as_str())
    }

    /// SQLSTATE; empty if the server sent none.
    pub fn sqlstate(&self) -> &str {
        self.get(b'C').unwrap_or_default()
    }

    /// The severity that is never translated (`V`), or the other one.
    pub fn severity(&self) -> &str {
        self.get(b'V').or_else(|| self.get(b'S')).unwrap_or("ERROR")
    }

    /// It ends the connection.
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity(), "FATAL" | "PANIC")
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &str)> {
        self.fields.iter().map(|(f, text)| (*f, text.as_str()))
    }

    /// Reads the body of an ErrorResponse or NoticeResponse. Before the encoding is settled the
    /// server may write in any, so what is not UTF-8 is replaced.
    ///
    /// # Errors
    /// A body of another form.
    pub fn read(body: Bytes) -> Result<Self, ProtocolError> {
        Self::read_in(body, Encoding::Utf8)
    }

    /// The same, where the server writes in the client's encoding.
    ///
    /// # Errors
    /// See [`ErrorFields::read`].
    pub fn read_in(body: Bytes, encoding: Encoding) -> Result<Self, ProtocolError> {
        let malformed = |_| ProtocolError::MalformedBackend('E');
        let mut body = Body::new(body);
        let mut all = Self::default();
        loop {
            match body.u8().map_err(malformed)? {
                0 => break,
                field => {
                    let text = body.raw_string().map_err(malformed)?;
                    all.fields.push((field, encoding.decode_most(&text).into_owned()));
                }
            }
        }
        body.end().map_err(malformed)?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::super::{encode, frame};
    use super::*;

    #[test]
    fn fields_survive_the_way_out_and_back() {
        let fields = ErrorFields::new("ERROR", "42501", "no (column_refused)")
            .with_some(b'D', None::<String>)
            .with_some(b'H', Some("hint"))
            .with(b'n', "column_refused");
        let mut out = BytesMut::new();
        encode::error(&mut out, &fields, Encoding::Utf8);
        let read = frame::take(&mut out, frame::server_limit).unwrap().unwrap();
        assert_eq!(ErrorFields::read(read.body()), Ok(fields));
        assert!(ErrorFields::read(Bytes::from_static(b"SERROR")).is_err());
    }
}
