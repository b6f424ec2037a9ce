//! A page of a part, read once.

use std::fmt::Display;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// What is at this path of `HOST:PORT`.
///
/// # Errors
/// Nobody answers there, or not with a page.
pub async fn get(address: impl Display, path: &str) -> anyhow::Result<Bytes> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(format!("http://{address}{path}").parse()?).await?;
    anyhow::ensure!(response.status().is_success(), "{address} answers {}", response.status());
    Ok(response.into_body().collect().await?.to_bytes())
}
