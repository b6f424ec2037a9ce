//! One scrape: an engine's metrics page over a pooled connection.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::Target;
use super::parse::Page;
use crate::metrics::ScrapeLabel;
use crate::model::{EngineKind, EngineReport};

/// Largest page that is read: twenty times vLLM's.
const PAGE: usize = 1 << 20;

/// How long an idle connection is kept; longer than engines keep theirs gains nothing.
const IDLE: Duration = Duration::from_secs(30);

/// Why a scrape told nothing.
#[derive(Debug, thiserror::Error)]
pub enum ScrapeError {
    /// The engine took longer than the timeout, counted from the connect to the last byte.
    #[error("no complete answer within {}", humantime::format_duration(*.0))]
    Timeout(Duration),
    /// The engine answered with something other than 200.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// The engine answered with JSON. trtllm-serve's /metrics does, and each reading takes away what it returns.
    #[error("the answer is JSON and no metrics page; trtllm-serve has its own at /prometheus/metrics")]
    Json,
    /// The page has more than 1 MiB.
    #[error("the page has more than {PAGE} bytes")]
    TooLarge,
    /// The connection could not be made.
    #[error("cannot connect: {}", cause(.0))]
    Connect(#[source] hyper_util::client::legacy::Error),
    /// The exchange failed after the connection was made.
    #[error("the exchange failed: {}", cause(.0.as_ref()))]
    Exchange(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ScrapeError {
    /// The reason in metrics.
    pub fn label(&self) -> ScrapeLabel {
        match self {
            Self::Timeout(_) => ScrapeLabel::Timeout,
            Self::Status(_) => ScrapeLabel::Status,
            Self::Json => ScrapeLabel::Json,
            Self::TooLarge => ScrapeLabel::TooLarge,
            Self::Connect(_) => ScrapeLabel::Connect,
            Self::Exchange(_) => ScrapeLabel::Exchange,
        }
    }
}

/// Scrapes engines; clones share the pool of connections.
#[derive(Clone, Debug)]
pub struct Scraper {
    http1: Client<HttpConnector, Empty<Bytes>>,
    http2: Client<HttpConnector, Empty<Bytes>>,
}

impl Scraper {
    /// A scraper without connections. Must be called within a tokio runtime.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = |http2_only| {
            Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(1)
                .pool_idle_timeout(IDLE)
                .pool_timer(TokioTimer::new())
                .http2_only(http2_only)
                .build(connector.clone())
        };
        Self { http1: client(false), http2: client(true) }
    }

    /// Asks one engine once, and gives up after `limit`; only the names of `engine` count, where it is known.
    ///
    /// # Errors
    /// See [`ScrapeError`]; a page that lacks what we want is no error.
    pub async fn scrape(
        &self,
        target: Target,
        path: &str,
        engine: Option<EngineKind>,
        limit: Duration,
    ) -> Result<EngineReport, ScrapeError> {
        timeout(limit, self.fetch(target, path, Page::of(engine))).await.unwrap_or(Err(ScrapeError::Timeout(limit)))
    }

    async fn fetch(&self, target: Target, path: &str, mut page: Page) -> Result<EngineReport, ScrapeError> {
        let client = if target.http2 { &self.http2 } else { &self.http1 };
        let request = request(target.address, path).map_err(|error| ScrapeError::Exchange(error.into()))?;
        let response = client.request(request).await.map_err(|error| {
            if error.is_connect() { ScrapeError::Connect(error) } else { ScrapeError::Exchange(error.into()) }
        })?;
        if response.status() != StatusCode::OK {
            return Err(ScrapeError::Status(response.status()));
        }
        if response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json")) {
            return Err(ScrapeError::Json);
        }
        let (mut body, mut length) = (response.into_body(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ScrapeError::Exchange(error.into()))?;
            let Some(piece) = frame.data_ref() else { continue };
            length += piece.len();
            if length > PAGE {
                return Err(ScrapeError::TooLarge);
            }
            page.push(piece);
        }
        Ok(page.finish())
    }
}

impl Default for Scraper {
    fn default() -> Self {
        Self::new()
    }
}

/// The last of the causes: those above it only say that something failed.
fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a dyn std::error::Error {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause
}

fn request(address: SocketAddr, path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    let uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(Authority::try_from(address.to_string())?)
        .path_and_query(PathAndQuery::try_from(path)?)
        .build()?;
    Request::get(uri).header(ACCEPT, "text/plain;version=0.0.4").body(Empty::new())
}

#[cfg(test)]
mod tests;
