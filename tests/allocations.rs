//! A pick asks for memory a fixed few times, whatever the number of endpoints and the length of the prompt.
//!
//! Counted is what one thread asks its allocator for, from the bytes of a body to the end of the booking, once its
//! scratch buffers are warm.

#[allow(dead_code, reason = "another test binary needs the rest of it")]
#[path = "support/counting.rs"]
mod counting;

use std::sync::Arc;
use std::time::Instant;

use counting::{Asked, asked_by};
use homing::config::{PickerConfig, live};
use homing::ext_proc::{Api, with_content};
use homing::model::{Endpoint, Now, Request, SessionHint, SessionSource};
use homing::pick::Picker;
use homing::state::{PrefixIndex, pool};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What a pick may ask for, at most: the decision that is remembered, with its names, and what the stream keeps of it.
const TIMES: u64 = 6;
const BYTES: u64 = 1_536;

/// What the number of endpoints may add, in bytes. It never adds another time, and nor does the prompt's length.
const MORE_BYTES: u64 = 64;

/// The stream keeps the hash of each block of the prompt: the pick may have to be taken back.
const BLOCK: u64 = 512;
const HASH: u64 = 8;

fn picker(endpoints: u16) -> Arc<Picker> {
    let index = Arc::<PrefixIndex>::default();
    let (reader, mut writer) = pool(Arc::clone(&index));
    let endpoint = |n: u16| Endpoint::new(&format!("r{n}"), ([127, 0, (n >> 8) as u8, n as u8], 8_000).into());
    writer.replace((0..endpoints).map(endpoint).collect());
    let config = live(PickerConfig::default()).0;
    Arc::new(Picker::new(reader, config, index, Arc::default(), "test", Instant::now()))
}

fn chat(bytes: usize) -> Vec<u8> {
    let text = "It is the same as ever. ".repeat(bytes / 24);
    json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": text}]}).to_string().into_bytes()
}

/// The most that one of many picks for this body asks for.
fn cost(picker: &Arc<Picker>, body: &[u8]) -> Asked {
    let session = SessionHint { id: Some("session-1"), source: SessionSource::Header, ..SessionHint::default() };
    let pick = || {
        with_content(Api::Chat, body, false, |content| {
            let request = Request { id: None, session, subset: None, prompt: content.prompt, unread_bytes: None };
            picker.pick(&request, Now::read()).expect("there are endpoints")
        })
    };
    // Buffers grow, tables fill, and the ring of decisions comes round.
    (0..2_000).for_each(|_| drop(pick()));
    (0..500).map(|_| asked_by(pick)).max_by_key(|asked| (asked.times, asked.bytes)).expect("some")
}

#[test]
fn a_pick_asks_for_memory_a_fixed_few_times_and_neither_endpoints_nor_prompt_length_add_to_it() {
    let [few, many] = [8, 1_000].map(picker);
    let [short, long] = [1 << 10, 256 << 10].map(chat);
    let least = cost(&few, &short);
    println!("8 endpoints, 1 KB: {least:?}");
    assert!(least.times <= TIMES && least.bytes <= BYTES, "{least:?}");
    for (name, picker, body) in
        [("1,000 endpoints", &many, &short), ("256 KB", &few, &long), ("1,000 endpoints, 256 KB", &many, &long)]
    {
        let asked = cost(picker, body);
        println!("{name}: {asked:?}");
        assert_eq!(asked.times, least.times, "{name}");
        let kept = body.len() as u64 / BLOCK * HASH;
        assert!(asked.bytes <= least.bytes + MORE_BYTES + kept, "{name}: {asked:?}, and {least:?} at least");
    }
}
