//! The listener: a task for each connection.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::session::{self, Phase, Shared};

/// Accepts connections while the process serves, then waits until all sessions have ended.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut phase = shared.phase.clone();
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => {
                    match shared.options.limits.arrives() {
                        Some(counted) => drop(sessions.spawn(session::run(socket, Arc::clone(&shared), counted))),
                        None => tracing::debug!("too many connections wait for their login; one is hung up on"),
                    }
                }
                Err(error) => {
                    // Out of file descriptors, say: others will be given back.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            },
            Some(ended) = sessions.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a session ended in a fault");
                }
            }
            () = async { drop(phase.wait_for(|p| *p != Phase::Serving).await) } => break,
        }
    }
    drop(listener);
    while let Some(ended) = sessions.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a session ended in a fault");
        }
    }
}
