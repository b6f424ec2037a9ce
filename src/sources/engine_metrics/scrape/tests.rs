use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Response;
use http_body_util::Full;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::model::EndpointId;

const LONG: Duration = Duration::from_secs(10);

/// A server that gives every request the same answer, and the count of connections it accepted.
async fn server(answer: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let connections = Arc::new(AtomicUsize::new(0));
    let accepted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            accepted.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, connections)
}

fn at(address: SocketAddr) -> Target {
    Target { id: EndpointId { slot: 0, generation: 1 }, address, http2: false }
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_page_is_read_and_its_connection_used_again() {
    let (address, connections) = server(answer("200 OK", "vllm:num_requests_running 4\n")).await;
    let scraper = Scraper::new();
    for _ in 0..3 {
        let report = scraper.scrape(at(address), "/metrics", None, LONG).await.expect("a page");
        assert_eq!(report.running, Some(4));
    }
    assert_eq!(connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_answer_other_than_200_is_an_error() {
    let (address, _) = server(answer("503 Service Unavailable", "")).await;
    let error = Scraper::new().scrape(at(address), "/metrics", None, LONG).await.expect_err("503");
    assert!(matches!(error, ScrapeError::Status(StatusCode::SERVICE_UNAVAILABLE)), "{error}");
}

#[tokio::test]
async fn json_is_no_page() {
    let (address, _) =
        server(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]".to_vec()).await;
    let error = Scraper::new().scrape(at(address), "/metrics", None, LONG).await.expect_err("JSON");
    assert!(matches!(error, ScrapeError::Json), "{error}");
}

#[tokio::test]
async fn a_page_over_the_cap_is_an_error() {
    let (address, _) = server(answer("200 OK", &"f 1\n".repeat(PAGE / 4 + 1))).await;
    let error = Scraper::new().scrape(at(address), "/metrics", None, LONG).await.expect_err("too large");
    assert!(matches!(error, ScrapeError::TooLarge), "{error}");
}

#[tokio::test]
async fn an_engine_that_stops_in_the_middle_is_given_up() {
    let (address, _) = server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nvllm:".to_vec()).await;
    let error =
        Scraper::new().scrape(at(address), "/metrics", None, Duration::from_millis(50)).await.expect_err("half a page");
    assert!(matches!(error, ScrapeError::Timeout(_)), "{error}");
}

#[tokio::test]
async fn what_is_no_http_is_an_error() {
    let (address, _) = server(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()).await;
    let error = Scraper::new().scrape(at(address), "/metrics", None, LONG).await.expect_err("no HTTP");
    assert!(matches!(error, ScrapeError::Exchange(_)), "{error}");
}

#[tokio::test]
async fn a_closed_port_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let error = Scraper::new().scrape(at(address), "/metrics", None, LONG).await.expect_err("nobody listens");
    assert!(matches!(error, ScrapeError::Connect(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_engine_that_speaks_only_http2_is_asked_in_http2() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let page = service_fn(|_| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"vllm:num_requests_running 4\n"))))
            });
            tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), page));
        }
    });
    let engine = Target { http2: true, ..at(address) };
    let report = Scraper::new().scrape(engine, "/metrics", None, LONG).await.expect("a page");
    assert_eq!(report.running, Some(4));
    assert!(
        Scraper::new().scrape(at(address), "/metrics", None, LONG).await.is_err(),
        "HTTP/1 is not understood there"
    );
}
