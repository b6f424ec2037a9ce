//! Bodies of every kind that is read: from JSON to model, session and prompt.

use std::hint::black_box;

use criterion::{BenchmarkId, Throughput};
use homing::ext_proc::{Api, with_content};
use serde_json::{Value, json};

use crate::Steps;
use crate::requests::{chat, prose};

pub fn bench(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("shapes");
    for (name, api, body) in bodies() {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                with_content(api, black_box(&body), true, |content| content.prompt.map(|prompt| prompt.len(4_096)))
            });
        });
    }
}

fn bodies() -> Vec<(String, Api, Vec<u8>)> {
    let text = |bytes| prose(7, bytes);
    let turns = |bytes: usize| -> Vec<Value> {
        let turn = |n: usize| json!({"role": role(n), "content": prose(n, bytes)});
        (0..32).map(turn).collect()
    };
    let tool = |n| {
        let parameters =
            json!({"type": "object", "properties": {"path": {"type": "string", "description": text(100)}}});
        json!({"type": "function", "function": {"name": format!("tool_{n}"), "description": text(400),
               "parameters": parameters}})
    };
    let tools: Vec<Value> = (0..20).map(tool).collect();
    let blocks: Vec<Value> = (0..16)
        .map(|n| {
            json!({"role": role(n),
                        "content": [{"type": "text", "text": prose(n, 2_000), "cache_control": {"type": "ephemeral"}}]})
        })
        .collect();
    let picture = format!("data:image/png;base64,{}", "iVBORw0KGgo".repeat(3_000));
    let seen = json!([{"type": "text", "text": text(1_000)}, {"type": "image_url", "image_url": {"url": picture}}]);
    let ids: Vec<u32> = (0..8_000).map(|n| n * 7 % 128_000).collect();
    let of = |name: &str, api, body: Value| (name.to_owned(), api, body.to_string().into_bytes());
    let mut all: Vec<_> = [(1 << 10, "1 KB"), (32 << 10, "32 KB"), (256 << 10, "256 KB")]
        .map(|(bytes, size)| (format!("chat, {size}"), Api::Chat, chat(1, bytes)))
        .into();
    all.extend([
        of("chat of 32 turns, 32 KB", Api::Chat, json!({"model": "m", "messages": turns(1_000)})),
        of("chat with 20 tools", Api::Chat, json!({"model": "m", "tools": tools, "messages": turns(500)})),
        of(
            "chat with a picture, 33 KB",
            Api::Chat,
            json!({"model": "m", "messages": [{"role": "user", "content": seen}]}),
        ),
        of("completion, 32 KB", Api::Completions, json!({"model": "m", "prompt": text(32 << 10)})),
        of(
            "response, 32 KB",
            Api::Responses,
            json!({"model": "m", "instructions": text(8 << 10), "input": turns(750)}),
        ),
        of(
            "messages, 32 KB in cached blocks",
            Api::Messages,
            json!({"model": "m", "system": text(1_000), "messages": blocks}),
        ),
        of(
            "embeddings, 32 texts",
            Api::Embeddings,
            json!({"model": "m", "input": (0..32).map(|n| prose(n, 1_000)).collect::<Vec<_>>()}),
        ),
        of("8,000 token ids", Api::VllmGenerate, json!({"model": "m", "token_ids": ids})),
    ]);
    all
}

fn role(turn: usize) -> &'static str {
    ["user", "assistant"][turn % 2]
}
