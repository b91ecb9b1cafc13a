//! What a client may send before it says who it is.

use tokio::io::AsyncWriteExt;

use crate::wire::startup::{self, Startup, StartupError, StartupPacket};

use super::Client;
use std::io;

/// What a client opened its connection for.
#[derive(Debug)]
pub enum Opening {
    /// To log in.
    Startup(Startup),
    /// To cancel.
    Cancel {
        /// Process id of the backend.
        process: u32,
        /// Its secret.
        secret: u32,
    },
    /// The client hung up, or sent what is answered by hanging up.
    Nothing,
    /// What is answered with an error.
    Refused(StartupError),
}

/// Reads first packets until one opens the connection: encryption is declined, once of each kind.
///
/// # Errors
/// The connection broke.
pub async fn open(client: &mut Client) -> io::Result<Opening> {
    let (mut ssl_asked, mut gss_asked) = (false, false);
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
            Err(error) => return Ok(Opening::Refused(error)),
        };
        let asked = match packet {
            StartupPacket::Startup(startup) => return Ok(Opening::Startup(startup)),
            StartupPacket::Cancel { process, secret } => return Ok(Opening::Cancel { process, secret }),
            StartupPacket::Ssl => &mut ssl_asked,
            StartupPacket::Gss => &mut gss_asked,
        };
        // Bytes behind the request were sent before our answer: whoever put them there, the client
        // would take them for protected ones.
        if std::mem::replace(asked, true) || !client.receiver.buffer.is_empty() {
            return Ok(Opening::Nothing);
        }
        client.sender.socket.write_all(b"N").await?;
    }
}
