//! One request over HTTP, to whoever listens on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

/// What a page may take; an engine answers between two of its steps.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client with its connections.
pub type Client = Pool<HttpConnector, Full<Bytes>>;

/// A client without connections yet.
pub fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Pool::builder(TokioExecutor::new()).build(connector)
}

/// A page as text; an error where it is not a good one.
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    ask(Method::GET, address, path).await
}

/// The same where asking does something.
pub async fn post(address: SocketAddr, path: &str) -> anyhow::Result<String> {
    ask(Method::POST, address, path).await
}

async fn ask(method: Method, address: SocketAddr, path: &str) -> anyhow::Result<String> {
    let uri = format!("http://{address}{path}");
    let asked = async {
        let request = Request::builder().method(method).uri(&uri).body(Full::default())?;
        let response = client().request(request).await?;
        anyhow::ensure!(response.status().is_success(), "answered {}", response.status());
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::Ok(String::from_utf8_lossy(&body).into_owned())
    };
    let answered = timeout(PATIENCE, asked).await.context("no answer").flatten();
    answered.with_context(|| uri.clone())
}
