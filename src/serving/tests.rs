//! The parts together, over real sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::drain::Plan;
use super::runtimes::Ended;
use super::{Readiness, Runtimes, drain, health, pages, tls};

/// Longer than any test may take: whoever waits for it waits for ever.
const NEVER: Duration = Duration::from_secs(3_600);

/// A service whose streams last as long as the test holds the other end of `answers`.
struct Held {
    answers: Mutex<mpsc::UnboundedReceiver<mpsc::Receiver<Result<HealthCheckResponse, Status>>>>,
}

#[tonic::async_trait]
impl Health for Held {
    async fn check(&self, _: tonic::Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(serving()))
    }

    type WatchStream = ReceiverStream<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: tonic::Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let answer = self.answers.lock().try_recv().map_err(|_| Status::internal("no answer prepared"))?;
        Ok(Response::new(ReceiverStream::new(answer)))
    }
}

fn serving() -> HealthCheckResponse {
    HealthCheckResponse { status: ServingStatus::Serving.into() }
}

/// A draining server under test, and the two ends that the test holds.
struct Drained {
    address: SocketAddr,
    readiness: Readiness,
    signals: mpsc::UnboundedSender<()>,
    end: tokio::task::JoinHandle<Result<usize, Ended>>,
    answer: mpsc::Sender<Result<HealthCheckResponse, Status>>,
}

async fn drained(plan: Plan) -> Drained {
    let (prepared, answers) = mpsc::unbounded_channel();
    let (answer, stream) = mpsc::channel(1);
    prepared.send(stream).unwrap();
    let routes = Routes::new(HealthServer::new(Held { answers: Mutex::new(answers) }));
    let runtimes = Runtimes::start(NonZeroUsize::MIN, &routes, None).unwrap();
    let (listener, address) = listener().await;
    let (signals, received) = mpsc::unbounded_channel();
    let readiness = Readiness::default();
    let end = tokio::spawn({
        let readiness = readiness.clone();
        async move { drain::run(runtimes, listener, &readiness, plan, UnboundedReceiverStream::new(received)).await }
    });
    Drained { address, readiness, signals, end, answer }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn connect(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap())
}

fn ask(name: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: name.to_owned() }
}

async fn check(client: &mut HealthClient<Channel>, name: &str) -> Result<ServingStatus, Code> {
    client.check(ask(name)).await.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

#[tokio::test]
async fn drain_finishes_a_running_stream_and_then_refuses() {
    let server = drained(Plan { window: Duration::ZERO, timeout: NEVER }).await;
    let mut client = connect(server.address).await;
    let mut stream = client.watch(ask("")).await.unwrap().into_inner();
    server.answer.send(Ok(serving())).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok());

    let mut readiness = server.readiness.watch();
    server.signals.send(()).unwrap();
    readiness.wait_for(|state| state.is_draining()).await.unwrap();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.answer.send(Ok(serving())).await.unwrap();
    assert!(stream.next().await.unwrap().is_ok(), "a running stream goes on after GOAWAY");
    drop(server.answer);
    assert!(stream.next().await.is_none(), "and ends in order");
    assert_eq!(server.end.await.unwrap().unwrap(), 0);
    assert!(connect_fails(server.address).await);
}

async fn connect_fails(address: SocketAddr) -> bool {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.is_err()
}

#[tokio::test]
async fn new_streams_are_served_within_the_drain_window() {
    let server = drained(Plan { window: NEVER, timeout: NEVER }).await;
    let mut readiness = server.readiness.watch();
    server.signals.send(()).unwrap();
    readiness.wait_for(|state| state.is_draining()).await.unwrap();
    assert_eq!(check(&mut connect(server.address).await, "").await, Ok(ServingStatus::Serving));
    server.signals.send(()).unwrap();
    assert_eq!(server.end.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn the_deadline_cuts_what_is_left_and_counts_it() {
    let server = drained(Plan { window: Duration::ZERO, timeout: Duration::ZERO }).await;
    let mut stream = connect(server.address).await.watch(ask("")).await.unwrap().into_inner();
    server.signals.send(()).unwrap();
    assert_eq!(server.end.await.unwrap().unwrap(), 1);
    assert!(stream.next().await.unwrap().is_err(), "cut, not ended in order");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let server = drained(Plan { window: NEVER, timeout: NEVER }).await;
    let _stream = connect(server.address).await.watch(ask("")).await.unwrap().into_inner();
    server.signals.send(()).unwrap();
    server.signals.send(()).unwrap();
    assert_eq!(server.end.await.unwrap().unwrap(), 1);
}

#[tokio::test]
async fn connections_spread_over_the_runtimes() {
    let readiness = Readiness::default();
    let routes = Routes::new(health::service(&readiness));
    let runtimes = Arc::new(Runtimes::start(NonZeroUsize::new(3).unwrap(), &routes, None).unwrap());
    let (listener, address) = listener().await;
    let accepting = tokio::spawn({
        let runtimes = runtimes.clone();
        async move { runtimes.accept(&listener).await }
    });
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = connect(address).await;
        assert_eq!(check(&mut client, "").await, Ok(ServingStatus::Serving));
        clients.push(client);
    }
    assert_eq!(runtimes.connections(), [2, 2, 2]);
    accepting.abort();
}

#[tokio::test]
async fn a_slow_handshake_blocks_nobody() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = tls::Identity::from_pem(&made.cert.pem(), &made.signing_key.serialize_pem()).unwrap();
    let acceptor = tls::acceptor(Arc::new(tls::Presented::new(identity))).unwrap();

    let readiness = Readiness::default();
    let routes = Routes::new(health::service(&readiness));
    let runtimes = Runtimes::start(NonZeroUsize::MIN, &routes, Some(&acceptor)).unwrap();
    let (listener, address) = listener().await;
    let accepting = tokio::spawn(async move { runtimes.accept(&listener).await });

    let silent = TcpStream::connect(address).await.unwrap();
    let half = TcpStream::connect(address).await.unwrap();
    half.writable().await.unwrap();
    half.try_write(&[0x16, 3, 1]).unwrap();

    // No ALPN: Envoy's health checks send none, and are served all the same.
    for alpn in [vec![b"h2".to_vec()], Vec::new()] {
        let client = tls_client(made.cert.der().clone(), alpn);
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = client.connect(name, tcp).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let empty_message = Full::new(Bytes::from_static(&[0; 5]));
        let request = Request::post("https://localhost/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .body(empty_message)
            .unwrap();
        let answer = sender.send_request(request).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]), "SERVING");
        connection.abort();
    }
    drop((silent, half));
    accepting.abort();
}

fn tls_client(root: rustls::pki_types::CertificateDer<'static>, alpn: Vec<Vec<u8>>) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn;
    Arc::new(config).into()
}

#[tokio::test]
async fn probes_answer_by_name() {
    let readiness = Readiness::default();
    let endpoints = readiness.block("endpoints");
    let (listener, address) = listener().await;
    let server = tokio::spawn({
        let readiness = readiness.clone();
        async move { health::serve(listener, &readiness).await }
    });
    let mut client = connect(address).await;
    let follow = ["", "readiness", "inference-extension", "envoy.service.ext_proc.v3.ExternalProcessor"];

    let mut watched = client.watch(ask("readiness")).await.unwrap().into_inner();
    let mut unknown = client.watch(ask("nobody")).await.unwrap().into_inner();
    assert_eq!(unknown.next().await.unwrap().unwrap().status(), ServingStatus::ServiceUnknown);
    assert_eq!(check(&mut client, "nobody").await, Err(Code::NotFound));

    let mut endpoints = Some(endpoints);
    for expected in [ServingStatus::NotServing, ServingStatus::Serving, ServingStatus::NotServing] {
        assert_eq!(watched.next().await.unwrap().unwrap().status(), expected);
        for name in follow {
            assert_eq!(check(&mut client, name).await, Ok(expected), "{name:?}");
        }
        assert_eq!(check(&mut client, "liveness").await, Ok(ServingStatus::Serving));
        match endpoints.take() {
            Some(guard) => drop(guard),
            None => readiness.drain(),
        }
    }
    assert!(watched.next().await.is_none(), "a watcher does not hold up the drain");
    server.abort();
}

#[tokio::test]
async fn pages_are_found_or_refused_in_json() {
    let handler = pages::table([
        ("/healthz", Arc::new(|_: &Request<_>| pages::text(StatusCode::OK, "ok\n")) as super::http::Handler),
        (
            "/decisions",
            Arc::new(|request: &Request<_>| {
                pages::json(StatusCode::OK, &pages::parameter(request.uri(), "limit").unwrap_or("none"))
            }),
        ),
    ]);
    let (listener, address) = listener().await;
    let server = tokio::spawn(super::http::serve(listener, handler));

    let (status, body) = fetch(address, Method::GET, "/healthz").await;
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    let (status, body) = fetch(address, Method::GET, "/decisions?limit=7").await;
    assert_eq!((status, body.as_str()), (200, "\"7\""));
    let (status, body) = fetch(address, Method::HEAD, "/healthz").await;
    assert_eq!((status, body.as_str()), (200, ""));
    for (method, path, expected) in [(Method::GET, "/nothing", 404), (Method::POST, "/healthz", 405)] {
        let (status, body) = fetch(address, method, path).await;
        assert_eq!(status, expected);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"]["code"], expected);
    }
    server.abort();
}

async fn fetch(address: SocketAddr, method: Method, path: &str) -> (u16, String) {
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    tcp.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
