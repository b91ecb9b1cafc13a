//! A cursor over a message body.

use bytes::{Buf, Bytes};

use super::{Encoding, Malformed};

/// Reads a body from its start; nothing may be left at the end.
pub(super) struct Body {
    bytes: Bytes,
    encoding: Encoding,
}

impl Body {
    /// Whose strings are read by [`Body::raw_string`] alone, or are UTF-8.
    pub(super) fn new(bytes: Bytes) -> Self {
        Self::encoded(bytes, Encoding::Utf8)
    }

    pub(super) fn encoded(bytes: Bytes, encoding: Encoding) -> Self {
        Self { bytes, encoding }
    }

    /// A NUL-terminated string.
    pub(super) fn string(&mut self) -> Result<String, Malformed> {
        let raw = self.raw_string()?;
        self.encoding.decode(&raw).map(String::from)
    }

    /// A NUL-terminated string, whatever its encoding.
    pub(super) fn raw_string(&mut self) -> Result<Bytes, Malformed> {
        let end = self.bytes.iter().position(|&b| b == 0).ok_or(Malformed::String)?;
        let raw = self.bytes.split_to(end);
        self.bytes.advance(1);
        Ok(raw)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.bytes.try_get_u8().map_err(|_| Malformed::Format)
    }

    pub(super) fn i16(&mut self) -> Result<i16, Malformed> {
        self.bytes.try_get_i16().map_err(|_| Malformed::Format)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.bytes.try_get_u16().map_err(|_| Malformed::Format)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.bytes.try_get_i32().map_err(|_| Malformed::Format)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.bytes.try_get_u32().map_err(|_| Malformed::Format)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.bytes.len() {
            return Err(Malformed::Format);
        }
        Ok(self.bytes.split_to(length))
    }

    /// What is left, without taking it.
    pub(super) fn rest(&self) -> Bytes {
        self.bytes.clone()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Format)
        }
    }
}
