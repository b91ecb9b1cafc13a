//! The threads that serve sessions. Each keeps those it was given to their end: a statement then wakes no
//! other thread and takes no lock on its way, and a session's memory stays near one processor.
//!
//! A session whose statement takes long to examine holds up its neighbours for so long, not those of
//! other threads.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::session::limits::{Counted, Limits};
use crate::session::{self, STACK, Shared};

/// All of them.
#[derive(Debug)]
pub(super) struct Workers {
    each: Vec<Worker>,
    limits: Arc<Limits>,
}

/// A connection, counted from its arrival on.
type Arrival = (TcpStream, Counted);

#[derive(Debug)]
struct Worker {
    sockets: mpsc::UnboundedSender<Arrival>,
    /// Sessions that it serves, or was given.
    serving: Arc<AtomicUsize>,
    ended: oneshot::Receiver<()>,
}

impl Workers {
    /// As many as there are processors.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let each = (0..processors)
            .map(|n| Worker::start(n, Arc::clone(shared)))
            .collect::<io::Result<_>>()?;
        let limits = Arc::clone(&shared.options.limits);
        Ok(Self { each, limits })
    }

    /// Gives a connection to the worker that has the fewest. One too many is hung up on.
    ///
    /// # Errors
    /// The socket is none any more.
    pub(super) fn serve(&self, socket: tokio::net::TcpStream) -> io::Result<()> {
        let Some(counted) = self.limits.arrives() else {
            tracing::debug!("too many connections wait for their login; one is hung up on");
            return Ok(());
        };
        let fewest = self.each.iter().min_by_key(|w| w.serving.load(Ordering::Relaxed));
        let Some(worker) = fewest else { return Ok(()) };
        let socket = socket.into_std()?;
        worker.serving.fetch_add(1, Ordering::Relaxed);
        if worker.sockets.send((socket, counted)).is_err() {
            tracing::error!("a thread that serves sessions is gone");
        }
        Ok(())
    }

    /// Waits until all sessions have ended. No more are taken.
    pub(super) async fn ended(self) {
        for worker in self.each {
            drop(worker.sockets);
            // An error is a thread that is gone, with its sessions.
            let _ = worker.ended.await;
        }
    }
}

impl Worker {
    fn start(n: usize, shared: Arc<Shared>) -> io::Result<Self> {
        let journal = shared.journal.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // All sessions have sent what they had: while the server works, before there is a row to keep back.
            .on_thread_park(move || journal.help())
            .build()?;
        let (sockets, given) = mpsc::unbounded_channel();
        let (end, ended) = oneshot::channel();
        let serving = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&serving);
        std::thread::Builder::new()
            .name(format!("sessions-{n}"))
            .stack_size(STACK)
            .spawn(move || {
                runtime.block_on(work(given, shared, counter));
                // Nobody may be waiting.
                let _ = end.send(());
            })?;
        Ok(Self {
            sockets,
            serving,
            ended,
        })
    }
}

/// Serves what is given, until no more can come and the last has ended.
async fn work(mut given: mpsc::UnboundedReceiver<Arrival>, shared: Arc<Shared>, serving: Arc<AtomicUsize>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            arrived = given.recv() => match arrived {
                Some(arrival) => drop(sessions.spawn(one(arrival, Arc::clone(&shared)))),
                None => break,
            },
            Some(ended) = sessions.join_next() => end(&serving, ended),
        }
    }
    while let Some(ended) = sessions.join_next().await {
        end(&serving, ended);
    }
}

async fn one((socket, counted): Arrival, shared: Arc<Shared>) {
    match tokio::net::TcpStream::from_std(socket) {
        Ok(socket) => session::run(socket, shared, counted).await,
        Err(error) => tracing::debug!(%error, "a connection broke before it began"),
    }
}

fn end(serving: &AtomicUsize, ended: Result<(), tokio::task::JoinError>) {
    serving.fetch_sub(1, Ordering::Relaxed);
    if let Err(error) = ended {
        tracing::error!(%error, "a session ended in a fault");
    }
}
