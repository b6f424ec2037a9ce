//! Every API says the same of the same engine, each in its own words.

use super::*;

/// A way to ask for three tokens, and where the answer says what it says.
struct Way {
    path: &'static str,
    ask: Value,
    text: &'static str,
    cached: &'static str,
    /// Where an event of a stream says its piece, and whether that is all that was said so far.
    piece: (&'static str, bool),
    /// Names of the first and of the last event, or the mark at the end.
    ends: [&'static str; 2],
}

fn ways() -> [Way; 6] {
    let chat = json!([{"role": "user", "content": "why ".repeat(100)}]);
    let ids: Vec<u64> = (1..=100).collect();
    let done = "data: [DONE]";
    [
        Way {
            path: "/v1/chat/completions",
            ask: json!({"messages": chat, "max_tokens": 3}),
            text: "/choices/0/message/content",
            cached: "/usage/prompt_tokens_details/cached_tokens",
            piece: ("/choices/0/delta/content", false),
            ends: ["data: {", done],
        },
        Way {
            path: "/v1/completions",
            ask: json!({"prompt": ids, "max_tokens": 3}),
            text: "/choices/0/text",
            cached: "/usage/prompt_tokens_details/cached_tokens",
            piece: ("/choices/0/text", false),
            ends: ["data: {", done],
        },
        Way {
            path: "/v1/responses",
            ask: json!({"input": chat, "max_output_tokens": 3}),
            text: "/output/0/content/0/text",
            cached: "/usage/input_tokens_details/cached_tokens",
            piece: ("/delta", false),
            ends: ["event: response.created\n", "event: response.incomplete\n"],
        },
        Way {
            path: "/v1/messages",
            ask: json!({"messages": chat, "max_tokens": 3}),
            text: "/content/0/text",
            cached: "/usage/cache_read_input_tokens",
            piece: ("/delta/text", false),
            ends: ["event: message_start\n", "event: message_stop\n"],
        },
        Way {
            path: "/inference/v1/generate",
            ask: json!({"token_ids": ids, "sampling_params": {"max_tokens": 3}}),
            text: "/choices/0/token_ids",
            cached: "/usage/prompt_tokens_details/cached_tokens",
            piece: ("/choices/0/token_ids", false),
            ends: ["data: {", done],
        },
        Way {
            path: "/generate",
            ask: json!({"text": "why ".repeat(100), "sampling_params": {"max_new_tokens": 3}}),
            text: "/text",
            cached: "/meta_info/cached_tokens",
            piece: ("/text", true),
            ends: ["data: {", done],
        },
    ]
}

impl Server {
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        let answer = self.send(Method::POST, path, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {body}: {}", answer.body);
        answer
    }
}

/// The documents of a stream's events.
fn documents(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

/// A text, or ids as their list.
fn joined(pieces: &[Value]) -> Value {
    match pieces.first() {
        Some(Value::Array(_)) => pieces.iter().flat_map(|ids| ids.as_array().expect("ids").clone()).collect(),
        _ => json!(pieces.iter().map(|piece| piece.as_str().expect("text")).collect::<String>()),
    }
}

#[tokio::test]
async fn every_api_streams_what_it_says_as_a_whole() {
    for Way { path, mut ask, text, piece: (piece, is_all), ends: [first, last], .. } in ways() {
        let server = Server::start(FAST).await;
        let whole = server.ask(path, &ask).await.json();
        let said = whole.pointer(text).unwrap_or_else(|| panic!("{path}: {whole}"));
        ask["stream"] = json!(true);
        let stream = server.ask(path, &ask).await.body;
        let pieces: Vec<Value> = documents(&stream).iter().filter_map(|it| it.pointer(piece).cloned()).collect();
        let told = if is_all { pieces.last().expect("events").clone() } else { joined(&pieces) };
        assert_eq!(told, *said, "{path}: {stream}");
        let events: Vec<&str> = stream.split_terminator("\n\n").collect();
        assert!(events[0].starts_with(first) && events[events.len() - 1].starts_with(last), "{path}: {stream}");
    }
}

#[tokio::test]
async fn a_prompt_asked_twice_is_cached_the_second_time_in_every_api() {
    for Way { path, ask, cached, .. } in ways() {
        let server = Server::start(FAST).await;
        let held = [server.ask(path, &ask).await, server.ask(path, &ask).await].map(|answer| answer.json());
        let held = held.map(|answer| answer.pointer(cached).and_then(Value::as_u64));
        let [Some(0), Some(again)] = held else { panic!("{path}: {held:?}") };
        assert!(again.is_multiple_of(16) && again >= 96, "{path}: {again}");
    }
}

#[tokio::test]
async fn ids_that_an_engine_answered_are_cached_when_they_come_back() {
    let server = Server::start(FAST).await;
    let prompt: Vec<u64> = (1..=16).collect();
    let vllm = json!({"token_ids": prompt, "sampling_params": {"max_tokens": 33}});
    let vllm = server.ask("/inference/v1/generate", &vllm).await.json();
    let sglang = json!({"input_ids": prompt, "sampling_params": {"max_new_tokens": 33}});
    let sglang = server.ask("/generate", &sglang).await.json();
    assert_eq!(sglang["output_ids"], vllm["choices"][0]["token_ids"]);

    let answered = vllm["choices"][0]["token_ids"].as_array().expect("ids");
    let more: Vec<Value> = prompt.iter().map(|id| json!(id)).chain(answered.iter().cloned()).collect();
    let again = json!({"input_ids": more, "sampling_params": {"max_new_tokens": 1}});
    let meta = server.ask("/generate", &again).await.json()["meta_info"].clone();
    assert_eq!((&meta["prompt_tokens"], &meta["cached_tokens"]), (&json!(49), &json!(48)));
}

#[tokio::test]
async fn several_texts_get_several_answers_and_vectors() {
    let server = Server::start(FAST).await;
    let answers = server.ask("/generate", &json!({"text": ["one", "two!!"], "rid": ["a", "b"]})).await.json();
    assert_eq!((&answers[1]["meta_info"]["id"], &answers[1]["meta_info"]["prompt_tokens"]), (&json!("b"), &json!(2)));
    let vectors = server.ask("/v1/embeddings", &json!({"input": ["one", "two!!"], "dimensions": 3})).await.json();
    assert_eq!(vectors["data"][1]["embedding"].as_array().map(Vec::len), Some(3));
    assert_eq!((&vectors["data"][1]["index"], &vectors["usage"]["prompt_tokens"]), (&json!(1), &json!(3)));
}

#[tokio::test]
async fn a_picture_is_cached_by_its_data_and_not_by_its_size() {
    let server = Server::start(FAST).await;
    let ask = |data: &str| {
        let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}});
        json!({"messages": [{"role": "user", "content": [image]}], "max_tokens": 1})
    };
    let mut cached = Vec::new();
    for data in ["dove", "dove", "hawk", &"long".repeat(10_000)] {
        let usage = server.ask("/v1/messages", &ask(data)).await.json()["usage"].clone();
        let count = |name: &str| usage[name].as_u64().expect("a number");
        cached.push(count("cache_read_input_tokens"));
        assert!((256..300).contains(&(count("input_tokens") + count("cache_read_input_tokens"))), "{usage}");
    }
    assert!(cached[0] == 0 && cached[1] > 250 && cached[2] == 0 && cached[3] == 0, "{cached:?}");
}

#[tokio::test]
async fn a_conversation_is_named_again_and_its_end_says_whether_it_was_cut() {
    let server = Server::start(FAST).await;
    let cut = json!({"input": "why", "previous_response_id": "resp_1", "max_output_tokens": 2});
    let cut = server.ask("/v1/responses", &cut).await.json();
    assert_eq!((&cut["previous_response_id"], &cut["status"]), (&json!("resp_1"), &json!("incomplete")));
    let whole = server.ask("/v1/responses", &json!({"input": "why", "conversation": "conv_1"})).await.json();
    assert_eq!((&whole["conversation"]["id"], &whole["status"]), (&json!("conv_1"), &json!("completed")));
}

#[tokio::test]
async fn refusals_of_messages_look_like_anthropics() {
    let server = Server::start(FAST).await;
    let body = json!({"model": "other", "messages": question(1), "max_tokens": 1}).to_string();
    for (body, status, kind) in [
        (body.as_str(), StatusCode::NOT_FOUND, "not_found_error"),
        ("{", StatusCode::BAD_REQUEST, "invalid_request_error"),
    ] {
        let refusal = server.send(Method::POST, "/v1/messages", body.to_owned()).await;
        assert_eq!(refusal.status, status);
        let document = refusal.json();
        assert_eq!((&document["type"], &document["error"]["type"]), (&json!("error"), &json!(kind)));
    }
}

#[tokio::test]
async fn what_real_clients_send_is_understood() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/clients");
    let identity = Identity { name: "r1".to_owned(), model: "simulated".to_owned() };
    let server = Server::start_as(identity, FAST, false).await;
    let mut asked = 0;
    for file in std::fs::read_dir(folder).expect("the folder can be listed") {
        let file = file.expect("the folder can be listed").path();
        let text = std::fs::read_to_string(&file).expect("text");
        let request: Value = serde_json::from_str(&text).expect("JSON");
        let (path, body) = (request["path"].as_str().expect("a path"), request["body"].as_str().expect("a body"));
        // Answers of 32,000 tokens do not fit into this engine, and would take their time.
        let body = body.replace("\"max_tokens\":32000", "\"max_tokens\":8");
        let answer = server.send(Method::POST, path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}: {}", file.display(), answer.body);
        asked += 1;
    }
    assert!(asked > 40, "{asked} requests");
}
