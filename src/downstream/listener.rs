//! The listener: hands connections to the threads that serve them.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::{TcpListener, TcpStream};

use crate::session::{Phase, Shared};

use super::workers::Workers;

/// Accepts connections while the process serves, then waits until all sessions have ended.
///
/// # Errors
/// The system gives no threads.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<()> {
    let mut phase = shared.phase.clone();
    let workers = Workers::start(&shared)?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted.and_then(|(socket, _)| workers.serve(socket)) {
                Ok(()) => {}
                Err(error) => {
                    // Out of file descriptors, say: others will be given back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            () = async { drop(phase.wait_for(|p| *p != Phase::Serving).await) } => break,
        }
    }
    // Who has connected is served, also where another process takes the next.
    while let Some(socket) = arrived(&listener).await {
        let _ = workers.serve(socket); // a connection that broke meanwhile
    }
    drop(listener);
    workers.ended().await;
    Ok(())
}

/// A connection that is there already.
async fn arrived(listener: &TcpListener) -> Option<TcpStream> {
    poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(Ok((socket, _))) => Poll::Ready(Some(socket)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    })
    .await
}
