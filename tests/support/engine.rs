//! An engine in this process, over HTTP/1 and HTTP/2: it records what reaches it and answers as told.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use self::answer::{Answer, events};
use self::metrics_page::{MetricsPage, answer_metrics};
use super::body::{self, Body};
use super::files::Entry;
use super::wait::eventually;

mod answer;
mod echo;
mod metrics_page;

/// One engine; dropping or stopping it closes its port and all its connections.
pub struct Engine {
    name: String,
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinSet<()>,
}

/// A request that has arrived in full.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

struct Shared {
    name: String,
    answer: Mutex<Answer>,
    metrics: Mutex<MetricsPage>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    heads: Vec<HeaderMap>,
    requests: Vec<Recorded>,
    scrapes: usize,
}

// === impl Engine ===

impl Engine {
    /// Starts an engine that answers chat completions on a free port.
    pub async fn start(name: &str) -> Self {
        Self::start_at(name, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts it at this address; port 0 is any.
    pub async fn start_at(name: &str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap_or_else(|error| panic!("{name} at {address}: {error}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            answer: Mutex::new(Answer::Completion),
            metrics: Mutex::new(MetricsPage::Idle),
            seen: Mutex::default(),
        });
        let mut serving = JoinSet::new();
        serving.spawn(accept(listener, Arc::clone(&shared)));
        Self { name: name.to_owned(), address, shared, serving }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its line in the endpoints file.
    pub fn entry(&self) -> Entry {
        self.entry_with(None)
    }

    /// The same with a weight or a drain mark.
    pub fn entry_with(&self, rest: impl Into<Option<&'static str>>) -> Entry {
        Entry { name: self.name.clone(), address: self.address, rest: rest.into() }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it answers from now on.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answer.lock() = answer;
    }

    /// What its metrics page says from now on.
    pub fn say_metrics(&self, page: &str) {
        *self.shared.metrics.lock() = MetricsPage::Told(page.to_owned());
    }

    /// Its metrics page never answers from now on.
    pub fn hang_metrics(&self) {
        *self.shared.metrics.lock() = MetricsPage::Hanging;
    }

    /// How often somebody asked for its metrics.
    pub fn scrapes(&self) -> usize {
        self.shared.seen.lock().scrapes
    }

    /// The headers of all requests so far, of unfinished ones too.
    pub fn heads(&self) -> Vec<HeaderMap> {
        self.shared.seen.lock().heads.clone()
    }

    /// All requests that have arrived in full.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.seen.lock().requests.clone()
    }

    /// The last request, once `count` have arrived in full.
    pub async fn request(&self, count: usize) -> Recorded {
        eventually(&format!("request {count} reaches {}", self.name), async || {
            self.shared.seen.lock().requests.get(count - 1).cloned()
        })
        .await
    }

    /// Ends it as a crash would: connections are cut, its port refuses from now on.
    pub async fn kill(&mut self) {
        self.serving.shutdown().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections are children of this task: they end when it does.
    let mut connections = JoinSet::new();
    while let Ok((socket, _peer)) = listener.accept().await {
        socket.set_nodelay(true).expect("a connected socket takes options");
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(request, Arc::clone(&shared)));
            let _peer_left =
                auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

async fn serve(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    if request.uri().path() == "/metrics" {
        shared.seen.lock().scrapes += 1;
        let page = shared.metrics.lock().clone();
        return Ok(answer_metrics(page).await);
    }
    let (parts, body) = request.into_parts();
    let bodiless = parts.method == Method::HEAD;
    let answer = shared.answer.lock().clone();
    let echoed = matches!(answer, Answer::Echo).then(|| echo::asked(&parts.headers));
    shared.seen.lock().heads.push(parts.headers);
    let recorded = if matches!(answer, Answer::Early { .. }) {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move { record(body, &shared).await });
        Recorded { body: Bytes::new(), trailers: None }
    } else {
        record(body, &shared).await?
    };
    let mut response = answer.to(&recorded).await?;
    if bodiless {
        // Over HTTP/2 the server would send the body of an answer to HEAD.
        *response.body_mut() = body::empty();
    }
    response.headers_mut().extend(echoed.into_iter().flatten());
    response.headers_mut().insert("x-served-by", shared.name.parse().expect("a plain name"));
    Ok(response)
}

async fn record(body: Incoming, shared: &Shared) -> io::Result<Recorded> {
    let collected = body.collect().await.map_err(io::Error::other)?;
    let trailers = collected.trailers().cloned();
    let recorded = Recorded { body: collected.to_bytes(), trailers };
    shared.seen.lock().requests.push(recorded.clone());
    Ok(recorded)
}
