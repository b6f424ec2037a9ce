//! The data side: one single-threaded runtime a core, each with its own connections.
//!
//! A single-threaded runtime serves a pick for half of what a work-stealing one costs, and nothing of a
//! stream ever changes cores. One accept loop hands each connection to the least loaded runtime, because
//! the kernel's own choice (`SO_REUSEPORT`) can put every connection of a gateway on one core.
//!
//! [`Runtimes::start`] is the entry; `drain` calls the rest.

use std::convert::Infallible;
use std::io;
use std::num::NonZeroUsize;
use std::thread;

use futures_util::StreamExt;
use futures_util::future::{join_all, select_all};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::connection::{Connection, Transport};
use super::direct::Answers;
use super::gather::Gather;
use super::load::{Hold, Load};
use super::streams::Counted;
use super::{grpc, listen, tls};

/// TLS handshakes that one runtime has open at once; further connections wait for one of them.
const HANDSHAKES: usize = 1_024;

/// The runtimes of the data side. Dropping it ends them, running streams included.
#[derive(Debug)]
pub struct Runtimes {
    workers: Vec<Worker>,
    phase: watch::Sender<Phase>,
}

/// A runtime has ended by itself, which none may: the process cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("a runtime of the data side has ended")]
pub struct Ended;

/// One runtime, seen from the accept loop.
#[derive(Debug)]
struct Worker {
    load: Load,
    connections: mpsc::UnboundedSender<Handed>,
    ended: oneshot::Receiver<Infallible>,
}

/// A connection on its way to its runtime, already counted there.
type Handed = (std::net::TcpStream, Hold);

/// How far the end is; only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serve,
    Finish,
    Abort,
}

// === impl Runtimes ===

impl Runtimes {
    /// Starts `count` runtimes that serve `service`, over TLS if there is an acceptor.
    ///
    /// # Errors
    /// A thread or its reactor cannot be made.
    pub fn start<S: Answers>(count: NonZeroUsize, service: &S, tls: Option<&TlsAcceptor>) -> io::Result<Self> {
        let (phase, reached) = watch::channel(Phase::Serve);
        let workers = (0..count.get())
            .map(|index| Worker::start(index, service.clone(), tls.cloned(), reached.clone()))
            .collect::<io::Result<_>>()?;
        Ok(Self { workers, phase })
    }

    /// As many as this process may use cores.
    pub fn default_count() -> NonZeroUsize {
        thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
    }

    /// gRPC calls under way.
    pub fn streams(&self) -> usize {
        self.workers.iter().map(|worker| worker.load.streams.get()).sum()
    }

    /// Accepts connections and hands them over, until a runtime has ended.
    pub(super) async fn accept(&self, listener: &TcpListener) -> Ended {
        let accepting = async {
            loop {
                let connection = listen::accept(listener).await;
                if let Err(ended) = self.hand(connection) {
                    return ended;
                }
            }
        };
        // A dead runtime is noticed at once and not only by the next connection, which may be hours away.
        let dead = select_all(self.workers.iter().map(|worker| Box::pin(worker.connections.closed())));
        tokio::select! {
            _ = dead => Ended,
            ended = accepting => ended,
        }
    }

    /// Tells every client to open no more streams, and waits until all have ended, or until `deadline`.
    /// Returns how many streams were cut.
    pub(super) async fn finish(self, deadline: impl Future) -> usize {
        self.phase.send_replace(Phase::Finish);
        let (loads, ends): (Vec<_>, Vec<_>) =
            self.workers.into_iter().map(|worker| (worker.load, worker.ended)).unzip();
        let mut ends = join_all(ends);
        tokio::select! {
            _ = &mut ends => return 0,
            _ = deadline => {}
        }
        let left = loads.iter().map(|load| load.streams.get()).sum();
        self.phase.send_replace(Phase::Abort);
        ends.await;
        left
    }

    fn hand(&self, connection: TcpStream) -> Result<(), Ended> {
        let Some(worker) = self.workers.iter().min_by_key(|worker| worker.load.rank()) else {
            return Err(Ended);
        };
        match connection.into_std() {
            Ok(connection) => {
                let hold = worker.load.connections.hold();
                worker.connections.send((connection, hold)).map_err(|_| Ended)
            }
            Err(error) => {
                tracing::warn!(%error, "cannot hand over a connection");
                Ok(())
            }
        }
    }

    #[cfg(test)]
    pub(super) fn connections(&self) -> Vec<usize> {
        self.workers.iter().map(|worker| worker.load.connections.get()).collect()
    }
}

// === impl Worker ===

impl Worker {
    fn start(
        index: usize,
        service: impl Answers,
        tls: Option<TlsAcceptor>,
        phase: watch::Receiver<Phase>,
    ) -> io::Result<Self> {
        let load = Load::default();
        let (connections, handed) = mpsc::unbounded_channel();
        let (alive, ended) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let service = Counted::new(service, load.streams.clone());
        thread::Builder::new().name(format!("data-{index}")).spawn(move || {
            runtime.block_on(serve(service, handed, tls, phase));
            // Cuts what is left, and does not wait for anybody's blocking work.
            runtime.shutdown_background();
            drop::<oneshot::Sender<Infallible>>(alive);
        })?;
        Ok(Self { load, connections, ended })
    }
}

/// Serves what is handed over until told to finish and all have ended, or to abort.
async fn serve(
    service: Counted<impl Answers>,
    handed: mpsc::UnboundedReceiver<Handed>,
    tls: Option<TlsAcceptor>,
    mut phase: watch::Receiver<Phase>,
) {
    let connections = UnboundedReceiverStream::new(handed)
        .map(|handed| open(handed, tls.clone()))
        .buffer_unordered(HANDSHAKES)
        .filter_map(|opened| async { opened.map(Ok::<_, Infallible>) });
    let finish = reached(phase.clone(), Phase::Finish);
    let served = async {
        if let Err(error) = grpc::server().serve_with_incoming_shutdown(service, connections, finish).await {
            tracing::error!(%error, "a runtime of the data side cannot serve");
        }
    };
    tokio::select! {
        () = served => {}
        // The sender is gone when the owner is: the same as being told to abort.
        _ = phase.wait_for(|phase| *phase == Phase::Abort) => {}
    }
}

/// Registers a connection with this runtime and does its handshake, if it has one.
async fn open((connection, hold): Handed, tls: Option<TlsAcceptor>) -> Option<Connection> {
    let tcp = TcpStream::from_std(connection)
        .inspect_err(|error| tracing::warn!(%error, "cannot take over a connection"))
        .ok()?;
    let transport = match tls {
        None => Transport::Plain(Gather::new(tcp)),
        Some(acceptor) => Transport::Tls(Box::new(Gather::new(tls::handshake(&acceptor, tcp).await?))),
    };
    Some(Connection::new(transport, hold))
}

async fn reached(mut phase: watch::Receiver<Phase>, wanted: Phase) {
    // An error means that the owner is gone, which is past every phase.
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_runtime_is_noticed_without_a_connection() {
        let runtimes = Runtimes::start(NonZeroUsize::MIN, &tonic::service::Routes::default(), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        runtimes.phase.send_replace(Phase::Abort);
        let Ended = runtimes.accept(&listener).await;
    }
}
