//! A wire between the proxy and its server that can be slow, freeze, or break in the middle of a row.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What becomes of what the server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It passes.
    Pass,
    /// It passes in small pieces, one a millisecond.
    Slow,
    /// It stays where it is, both sides connected.
    Freeze,
    /// After so many more bytes both sides are reset.
    Cut(usize),
}

type Shared = Arc<(Mutex<Mode>, Condvar)>;

pub struct Relay {
    pub port: u16,
    mode: Shared,
}

impl Relay {
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode: Shared = Arc::new((Mutex::new(Mode::Pass), Condvar::new()));
        let shared = Arc::clone(&mode);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                // A server that is just coming back refuses: so does the wire.
                let Ok(far) = TcpStream::connect(("127.0.0.1", server)) else {
                    continue;
                };
                let (from, to, mode) = (far.try_clone().unwrap(), near.try_clone().unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || back(from, to, &mode));
                std::thread::spawn(move || forth(near, far));
            }
        });
        Self { port, mode }
    }

    pub fn set(&self, mode: Mode) {
        *self.mode.0.lock().unwrap() = mode;
        self.mode.1.notify_all();
    }
}

fn forth(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// What the server sends, as the mode says.
fn back(mut from: TcpStream, mut to: TcpStream, mode: &Shared) {
    let mut buffer = [0; 16 << 10];
    loop {
        let most = if *mode.0.lock().unwrap() == Mode::Slow {
            512
        } else {
            buffer.len()
        };
        let read = match from.read(&mut buffer[..most]) {
            Ok(read @ 1..) => read,
            Ok(_) | Err(_) => break,
        };
        let mut now = mode
            .1
            .wait_while(mode.0.lock().unwrap(), |mode| *mode == Mode::Freeze)
            .unwrap();
        if let Mode::Cut(left) = &mut *now {
            let passes = read.min(*left);
            *left -= passes;
            if passes < read {
                drop(now);
                let _ = to.write_all(&buffer[..passes]);
                for socket in [&from, &to] {
                    socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).unwrap();
                }
                // The other direction's thread holds clones: what resets is the shutdown of the last of them.
                let _ = from.shutdown(std::net::Shutdown::Both);
                break;
            }
        }
        let slow = *now == Mode::Slow;
        drop(now);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        if slow {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
