use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

const FAST: Constants = Constants {
    cache_tokens: 48_000,
    block_tokens: 16,
    prefill_tokens_per_second: 1e6,
    decode_step: Duration::from_millis(1),
    bytes_per_token: 4,
};

struct Server {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<()>,
}

struct Answer {
    status: StatusCode,
    served_by: String,
    body: String,
}

impl Server {
    async fn start(constants: Constants) -> Self {
        Self::start_for(constants, false).await
    }

    async fn start_for(constants: Constants, http2: bool) -> Self {
        Self::start_as(Identity { name: "r1".to_owned(), model: "m".to_owned() }, constants, http2).await
    }

    async fn start_as(identity: Identity, constants: Constants, http2: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let engine = EngineServer::new(identity, constants);
        let ended = tokio::spawn(engine.serve(listener, async move {
            let _ = stopped.await;
        }));
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        Self { address, client, stop: Some(stop), ended }
    }

    fn request(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let uri = format!("http://{}{path}", self.address);
        Request::builder().method(method).uri(uri).body(Full::new(body.into())).expect("valid")
    }

    async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let response = self.client.request(self.request(method, path, body)).await.expect("an answer");
        let status = response.status();
        let served_by = response.headers()["x-served-by"].to_str().expect("text").to_owned();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        Answer { status, served_by, body: String::from_utf8(body.to_vec()).expect("text") }
    }

    async fn chat(&self, body: Value) -> Answer {
        self.send(Method::POST, "/v1/chat/completions", body.to_string()).await
    }

    async fn metric(&self, line_start: &str) -> f64 {
        let page = self.send(Method::GET, "/metrics", "").await.body;
        let line = page.lines().find(|line| line.starts_with(line_start)).expect("a metric");
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    fn events(&self) -> Vec<Value> {
        let events = self.body.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("an event"));
        events.filter(|event| *event != "[DONE]").map(|event| serde_json::from_str(event).expect("JSON")).collect()
    }
}

fn question(tokens: usize) -> Value {
    json!([{"role": "user", "content": "why ".repeat(tokens)}])
}

#[tokio::test]
async fn a_prompt_asked_twice_is_cached_the_second_time() {
    let server = Server::start(FAST).await;
    let ask = json!({"model": "m", "messages": question(100), "max_tokens": 3});
    let first = server.chat(ask.clone()).await.json();
    let second = server.chat(ask).await.json();
    assert_eq!(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);
    let prompt = first["usage"]["prompt_tokens"].as_u64().expect("a number");
    assert_eq!(second["usage"]["prompt_tokens_details"]["cached_tokens"], (prompt - 1) / 16 * 16);
    assert_eq!(second["choices"][0]["message"]["content"].as_str().expect("text").len(), 12);
    assert_eq!(server.metric("vllm:prompt_tokens_total{").await, 2.0 * prompt as f64);
    assert_eq!(server.metric("vllm:generation_tokens_total{").await, 6.0);
}

#[tokio::test]
async fn a_stream_says_what_the_whole_answer_says() {
    for http2 in [false, true] {
        let server = Server::start_for(FAST, http2).await;
        let whole = server.chat(json!({"messages": question(9), "max_completion_tokens": 5})).await.json();
        let ask = json!({"messages": question(9), "max_completion_tokens": 5, "stream": true,
                         "stream_options": {"include_usage": true}});
        let stream = server.chat(ask).await;
        assert!(stream.body.ends_with("data: [DONE]\n\n"));
        let events = stream.events();
        assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
        let told: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(told, whole["choices"][0]["message"]["content"]);
        let usage = events.last().expect("events");
        assert_eq!(usage["choices"], json!([]));
        assert_eq!(usage["usage"]["completion_tokens"], 5);
    }
}

#[tokio::test]
async fn usage_in_a_stream_comes_only_when_asked_for() {
    let server = Server::start(FAST).await;
    let stream = server.chat(json!({"messages": question(9), "max_tokens": 2, "stream": true})).await;
    assert!(stream.events().iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn several_prompts_get_several_choices() {
    let server = Server::start(FAST).await;
    let body = json!({"prompt": ["one", "two"], "max_tokens": 2}).to_string();
    let answer = server.send(Method::POST, "/v1/completions", body).await.json();
    assert_eq!(answer["choices"][1]["index"], 1);
    assert_eq!(answer["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn refusals_look_like_openai_and_name_the_engine() {
    let server = Server::start(FAST).await;
    let unknown = server.chat(json!({"model": "other", "messages": question(1)})).await;
    assert_eq!((unknown.status, unknown.served_by.as_str()), (StatusCode::NOT_FOUND, "r1"));
    assert_eq!(unknown.json()["error"]["type"], "NotFoundError");
    let too_long = server.chat(json!({"messages": question(50_000)})).await;
    assert_eq!(too_long.status, StatusCode::BAD_REQUEST);
    assert_eq!(too_long.json()["error"]["code"], 400);
    let malformed = server.send(Method::POST, "/v1/chat/completions", "{").await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert_eq!(server.send(Method::GET, "/v2", "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.send(Method::GET, "/v1/completions", "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_prompt_of_thirty_two_mebibytes_is_read() {
    let server = Server::start(Constants { cache_tokens: 10_000_000, prefill_tokens_per_second: 1e9, ..FAST }).await;
    let body = json!({"prompt": "x".repeat(32 << 20), "max_tokens": 1}).to_string();
    assert_eq!(server.send(Method::POST, "/v1/completions", body).await.status, StatusCode::OK);
    let above = vec![b' '; (64 << 20) + 1];
    assert_eq!(server.send(Method::POST, "/v1/completions", above).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let slow = Constants { prefill_tokens_per_second: 10.0, decode_step: Duration::from_secs(60), ..FAST };
    let server = Server::start(slow).await;
    let body = json!({"prompt": "why ".repeat(1_000), "max_tokens": 9}).to_string();
    let waits = server.client.request(server.request(Method::POST, "/v1/completions", body));
    let waits = tokio::spawn(waits);
    while server.metric("vllm:num_requests_running{").await == 0.0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waits.abort();
    while server.metric("vllm:num_requests_running{").await > 0.0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(server.metric("vllm:kv_cache_usage_perc{").await, 0.0);
}

#[tokio::test]
async fn a_stopped_engine_ends_its_streams_first() {
    let mut server = Server::start(Constants { decode_step: Duration::from_millis(20), ..FAST }).await;
    let ask = json!({"prompt": "why", "max_tokens": 10, "stream": true}).to_string();
    let request = server.request(Method::POST, "/v1/completions", ask);
    let mut response = server.client.request(request).await.expect("an answer").into_body();
    response.frame().await.expect("a frame").expect("a first token");
    server.stop.take().expect("not stopped yet").send(()).expect("serving");
    let rest = response.collect().await.expect("the rest").to_bytes();
    assert!(rest.ends_with(b"data: [DONE]\n\n"));
    server.ended.await.expect("ends by itself");
}

#[tokio::test]
async fn the_page_has_the_names_and_labels_of_vllm() {
    let server = Server::start(FAST).await;
    let page = server.send(Method::GET, "/metrics", "").await.body;
    for line in [
        "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 0",
        "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 0",
        "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0",
        "vllm:prompt_tokens_by_source_total{engine=\"0\",model_name=\"m\",source=\"local_cache_hit\"} 0",
    ] {
        assert!(page.lines().any(|held| held == line), "{line} is missing in\n{page}");
    }
    assert!(page.contains("block_size=\"16\"") && page.contains("num_gpu_blocks=\"3000\""));
    assert!(page.contains("\nprocess_start_time_seconds "));
}

mod apis;
