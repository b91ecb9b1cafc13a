//! Listening, also beside another process at the same address.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be taken.
const BACKLOG: u32 = 4096;

/// Listens at an address; `beside`: others of the same user may too, and each connection goes to one of them.
///
/// # Errors
/// As the operating system says, with the address.
pub(super) fn listen(address: SocketAddr, beside: bool) -> Result<TcpListener, String> {
    open(address, beside).map_err(|error| format!("cannot listen on {address}: {error}"))
}

fn open(address: SocketAddr, beside: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(beside)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
