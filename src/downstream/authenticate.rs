//! Authentication of a client by us, against what is kept of its role's password.

use std::io;

use bytes::Bytes;

use crate::password::{self, Binding, Key, MECHANISM, MECHANISM_PLUS, ScramError, Server, Verifier, md5};
use crate::wire::{ProtocolError, encode, frame};

use super::Client;

/// Why a client is not who it says.
#[derive(Debug, thiserror::Error)]
pub enum NotProved {
    /// It is gone.
    #[error("the client is gone")]
    Gone,
    /// It broke the protocol.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// What it sent is no SCRAM, or wrong.
    #[error(transparent)]
    Scram(#[from] ScramError),
}

impl From<io::Error> for NotProved {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;
const MD5: u32 = 5;

/// SCRAM, bound to the client's TLS connection if it likes. What is to be said last is in the client's buffer.
///
/// # Errors
/// See [`NotProved`].
pub async fn by_scram(client: &mut Client, verifier: &Verifier) -> Result<Key, NotProved> {
    let end_point = client.end_point().map(<[u8]>::to_vec);
    let mut mechanisms = vec![MECHANISM.to_owned()];
    if end_point.is_some() {
        mechanisms.insert(0, MECHANISM_PLUS.to_owned());
    }
    encode::sasl_mechanisms(&mut client.sender.buffer, &mechanisms);
    let initial = answer(client).await?;
    let (mechanism, client_first) = initial_response(&initial).ok_or(ScramError::Malformed)?;
    let binding = match (mechanism, &end_point) {
        (MECHANISM_PLUS, Some(end_point)) => Binding::Required(end_point),
        (MECHANISM, Some(_)) => Binding::Declined,
        (MECHANISM, None) => Binding::None,
        _ => return Err(ScramError::Malformed.into()),
    };
    let nonce = password::nonce(rand::random());
    let exchange = Server::begin(verifier, client_first, binding, &nonce)?;
    encode::authentication(&mut client.sender.buffer, SASL_CONTINUE, exchange.first().as_bytes());
    let client_final = answer(client).await?;
    let client_final = std::str::from_utf8(&client_final).map_err(|_| ScramError::Malformed)?;
    let proof = exchange.finish(client_final)?;
    encode::authentication(&mut client.sender.buffer, SASL_FINAL, proof.server_final.as_bytes());
    Ok(proof.client_key)
}

/// MD5, for old set-ups.
///
/// # Errors
/// See [`NotProved`].
pub async fn by_md5(client: &mut Client, stored: &str) -> Result<(), NotProved> {
    let salt: [u8; 4] = rand::random();
    encode::authentication(&mut client.sender.buffer, MD5, &salt);
    let given = answer(client).await?;
    let given = given.strip_suffix(&[0]).ok_or(ProtocolError::Unexpected)?;
    match md5::is_right(given, stored, &salt) {
        true => Ok(()),
        false => Err(ScramError::Proof.into()),
    }
}

/// Sends the question and waits for the body of the answer.
async fn answer(client: &mut Client) -> Result<Bytes, NotProved> {
    client.sender.write_all().await?;
    Ok(password_message(client).await?.body())
}

/// The next message of a client that logs in, a password message.
///
/// # Errors
/// The client is gone or sent something else.
pub async fn password_message(client: &mut Client) -> Result<frame::Frame, NotProved> {
    loop {
        if let Some(frame) = frame::take(&mut client.receiver.buffer, frame::password_limit)? {
            return Ok(frame);
        }
        if !client.receiver.fill().await? {
            return Err(NotProved::Gone);
        }
    }
}

/// A SASLInitialResponse taken apart: the mechanism and its first message.
pub fn initial_response(body: &[u8]) -> Option<(&str, &str)> {
    let end = body.iter().position(|&b| b == 0)?;
    let mechanism = std::str::from_utf8(body.get(..end)?).ok()?;
    let (length, data) = body.get(end + 1..)?.split_first_chunk::<4>()?;
    let whole = usize::try_from(i32::from_be_bytes(*length)).ok() == Some(data.len());
    let data = std::str::from_utf8(data).ok()?;
    whole.then_some((mechanism, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_initial_response_has_just_the_length_that_it_says() {
        let read = |bytes: &'static [u8]| initial_response(bytes);
        assert_eq!(read(b"X\0\0\0\0\x03n,,"), Some(("X", "n,,")));
        for wrong in [
            &b"X\0\0\0\0\x02n,,"[..],
            b"X\0\0\0\0\x04n,,",
            b"X\0\xff\xff\xff\xff",
            b"X\0",
            b"X",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
