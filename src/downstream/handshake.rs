//! What a client may send before it says who it is: requests for encryption, a cancel, its start-up packet.

use std::io;

use bytes::Bytes;

use crate::tls::ServerTls;
use crate::wire::startup::{self, Startup, StartupError, StartupPacket};

use super::Client;

/// What a client opened its connection for.
#[derive(Debug)]
pub enum Opening {
    /// To log in.
    Startup(Box<Client>, Startup),
    /// To cancel.
    Cancel {
        /// Who waits for the end of the connection, which says that the request has been dealt with.
        client: Box<Client>,
        /// Process id of the backend.
        process: u32,
        /// Its secret.
        secret: Bytes,
    },
    /// The client hung up, or sent what is answered by hanging up.
    Nothing,
    /// What is answered with an error.
    Refused(Box<Client>, StartupError),
}

/// The first byte of a TLS handshake, which no packet of PostgreSQL's begins with.
const HANDSHAKE: u8 = 0x16;

/// Reads first packets until one opens the connection. Encryption may be asked for once of each kind; TLS is had where
/// there is a certificate, by request or at once, GSSAPI never.
///
/// # Errors
/// The connection broke, or the TLS handshake failed.
pub async fn open(mut client: Client, tls: Option<&ServerTls>) -> io::Result<Opening> {
    let (mut ssl_asked, mut gss_asked) = (false, false);
    if client.receiver.first_byte().await? == Some(HANDSHAKE) {
        let Some(tls) = tls else { return Ok(Opening::Nothing) };
        client = client.secure(tls).await?;
        // Without ALPN somebody could bring us a client of another protocol (PostgreSQL asks for it here too).
        if !client.named_protocol() {
            return Ok(Opening::Nothing);
        }
        (ssl_asked, gss_asked) = (true, true);
    }
    loop {
        let packet = match startup::take(&mut client.receiver.buffer) {
            Ok(Some(packet)) => packet,
            Ok(None) => {
                if !client.receiver.fill().await? {
                    return Ok(Opening::Nothing);
                }
                continue;
            }
            Err(StartupError::Length) => return Ok(Opening::Nothing),
            Err(error) => return Ok(Opening::Refused(Box::new(client), error)),
        };
        let asked = match packet {
            StartupPacket::Startup(startup) => return Ok(Opening::Startup(Box::new(client), startup)),
            StartupPacket::Cancel { process, secret } => {
                return Ok(Opening::Cancel {
                    client: Box::new(client),
                    process,
                    secret,
                });
            }
            StartupPacket::Ssl => &mut ssl_asked,
            StartupPacket::Gss => &mut gss_asked,
        };
        // Bytes behind the request were sent before our answer, in the clear: whoever put them there, they would be
        // taken for protected ones (CVE-2021-23214).
        if std::mem::replace(asked, true) || !client.receiver.buffer.is_empty() {
            return Ok(Opening::Nothing);
        }
        match (packet, tls) {
            (StartupPacket::Ssl, Some(tls)) => {
                client.sender.answer(b'S').await?;
                client = client.secure(tls).await?;
                // Nothing else is asked for inside TLS.
                gss_asked = true;
            }
            _ => client.sender.answer(b'N').await?,
        }
    }
}
