//! A forwarder that looks at nothing: what any proxy in tokio costs at the least.

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

/// Serves until it is killed.
pub fn run(listen: u16, upstream: u16) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", listen)).await.unwrap();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", upstream)).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                // A connection that breaks is over, whichever side broke it.
                let _ = copy_bidirectional_with_sizes(&mut client, &mut server, 16 << 10, 16 << 10).await;
            });
        }
    });
}
