//! A forwarder: it passes connections on, byte by byte.

use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Connections of one forwarder at a time; the next wait.
const CONNECTIONS: usize = 256;
/// After a connection that cannot be accepted, mostly for want of open files.
const PAUSE: Duration = Duration::from_millis(50);

/// Passes each of the connections on to where `connect` leads; dropping this closes them all.
pub async fn forward<S, F>(mut connections: impl Stream<Item = io::Result<S>> + Unpin, connect: impl Fn() -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = io::Result<TcpStream>> + Send + 'static,
{
    let mut passing = JoinSet::new();
    while let Some(connection) = connections.next().await {
        let Ok(mut here) = connection else {
            sleep(PAUSE).await;
            continue;
        };
        let connecting = connect();
        passing.spawn(async move {
            // Whoever breaks off is told by the end of the connection.
            if let Ok(mut there) = connecting.await {
                let _whoever_ends_it = copy_bidirectional(&mut here, &mut there).await;
            }
        });
        while passing.try_join_next().is_some() {}
        if passing.len() >= CONNECTIONS {
            let _one_ended = passing.join_next().await;
        }
    }
}
