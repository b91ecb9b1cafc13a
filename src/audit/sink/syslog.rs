//! Records as syslog messages (RFC 5424): over UDP (RFC 5426), TCP with octet counting (RFC 6587, 3.4.1)
//! or a local socket. The facility is 13, log audit.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Outlet, WrittenRecord};

const FACILITY: u8 = 13;
const TIMEOUT: Duration = Duration::from_secs(5);
/// Between two attempts to reach a server that could not be reached.
const AGAIN: Duration = Duration::from_secs(2);

/// Where the syslog server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Udp(String),
    Tcp(String),
    Unix(PathBuf),
}

enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Unix(UnixDatagram),
}

/// Sends messages.
pub(super) struct Sender {
    address: Address,
    connection: Option<Connection>,
    /// It could not be reached then.
    failed: Option<Instant>,
    host: String,
}

impl Sender {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            connection: None,
            failed: None,
            host: host_name(),
        }
    }

    fn connection(&mut self) -> io::Result<&mut Connection> {
        if self.failed.is_some_and(|failed| failed.elapsed() < AGAIN) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        if self.connection.is_none() {
            self.failed = Some(Instant::now());
            self.connection = Some(connect(&self.address)?);
            self.failed = None;
        }
        self.connection
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self.connection()? {
            Connection::Udp(socket) => socket.send(message).map(|_| ()),
            Connection::Unix(socket) => socket.send(message).map(|_| ()),
            Connection::Tcp(stream) => {
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                stream.write_all(&framed)
            }
        }
    }
}

impl Outlet for Sender {
    fn give(&mut self, record: &WrittenRecord) -> io::Result<()> {
        let message = message(&self.host, &record.line);
        let sent = self.send(&message);
        if sent.is_err() && self.connection.take().is_some() {
            // The server may have been started again meanwhile.
            return self.send(&message);
        }
        sent
    }
}

fn connect(address: &Address) -> io::Result<Connection> {
    match address {
        Address::Udp(address) => {
            let target = resolved(address)?;
            let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(target)?;
            Ok(Connection::Udp(socket))
        }
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&resolved(address)?, TIMEOUT)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Connection::Tcp(stream))
        }
        Address::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            socket.set_write_timeout(Some(TIMEOUT))?;
            Ok(Connection::Unix(socket))
        }
    }
}

fn resolved(address: &str) -> io::Result<std::net::SocketAddr> {
    address
        .to_socket_addrs()?
        .next()
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// `<110>1 2026-11-24T06:41:05.000120Z host pgpurpose 17 statement - {…}`
fn message(host: &str, line: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(line).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    // An OCSF event has its time elsewhere; the time of sending is near enough.
    let now = || super::super::timestamp(time::OffsetDateTime::now_utc());
    let time = text("time").map_or_else(now, str::to_owned);
    let kind = text("event").unwrap_or("ocsf");
    let priority = FACILITY * 8 + severity(kind, text("outcome"));
    let process = std::process::id();
    let mut message = format!("<{priority}>1 {time} {host} pgpurpose {process} {kind} - ").into_bytes();
    message.extend_from_slice(line);
    message
}

/// RFC 5424, 6.2.1.
fn severity(event: &str, outcome: Option<&str>) -> u8 {
    const CRITICAL: u8 = 2;
    const ERROR: u8 = 3;
    const WARNING: u8 = 4;
    const NOTICE: u8 = 5;
    const INFORMATIONAL: u8 = 6;
    match (event, outcome) {
        ("stopped", _) => CRITICAL,
        ("recovered" | "sink_dropped", _) | (_, Some("error")) => ERROR,
        ("break_glass", _) | (_, Some("refuse" | "gap")) => WARNING,
        ("start" | "stop" | "reload" | "policy_changed", _) => NOTICE,
        (_, _) => INFORMATIONAL,
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "-".to_owned(),
        name => name.chars().filter(char::is_ascii_graphic).take(255).collect(),
    }
}
