//! Connections: accepted until told to stop, then drained.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

use super::{EngineServer, routes};

/// How long answers may run on after the engine was told to stop.
const DRAIN: Duration = Duration::from_secs(30);

impl EngineServer {
    /// Serves a listener until `stop` resolves, then lets running answers end, at most for 30 s.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let engine = Arc::new(self);
        let connections = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "could not accept a connection");
                        // Out of file descriptors: do not spin until one is free.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            // Small chunks must not wait for one another; a failure here costs latency only.
            let _ = stream.set_nodelay(true);
            let engine = engine.clone();
            let service = service_fn(move |request| {
                let engine = engine.clone();
                async move { Ok::<_, Infallible>(routes::answer(&engine, request).await) }
            });
            let connection =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = connections.watch(connection);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error, "a connection ended early");
                }
            });
        }
        drop(listener);
        if tokio::time::timeout(DRAIN, connections.shutdown()).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "answers still running after the drain time");
        }
    }
}
