//! What a session's home holds beside the blocks of the index.

use super::*;

impl World {
    /// Tokens that the endpoint which is not picked is charged for the session of a prompt of `bytes` bytes.
    fn charged_elsewhere(&self, bytes: usize) -> f64 {
        let picked = self.pick(Some("s"), Some(&vec![b'x'; bytes]));
        assert_eq!(picked.decision().reason, Reason::Session);
        picked.decision().choices[1].as_ref().expect("two endpoints").charged.session_affinity
    }
}

#[test]
fn the_home_holds_the_last_answer_and_the_end_of_the_last_prompt_that_fills_no_block() {
    // Blocks are 512 bytes, which are 128 tokens.
    for (last, answer, now, charged, why) in [
        (1_536, 48, 8_000, 48.0, "three whole blocks, and the answer"),
        (1_936, 48, 8_000, 148.0, "three blocks, 100 tokens of a fourth, and the answer"),
        (400, 48, 8_000, 148.0, "a prompt that is no block yet"),
        (1_936, 0, 8_000, 100.0, "an answer without tokens"),
        (1_936, 48, 1_936, 100.0, "the same prompt again has no room for the answer"),
        (1_936, 48, 1_935, 0.0, "a shorter prompt is a side request, not the next turn"),
        (1_936, 9_000, 4_000, 616.0, "what the prompt has beside the three blocks is the most"),
    ] {
        let world = world(&["r1", "r2"]);
        world.turn(Some("s"), Some(&vec![b'x'; last]), answer);
        assert_eq!(world.charged_elsewhere(now), charged, "{why}");
    }
}

#[test]
fn what_other_prompts_have_shown_of_the_next_one_is_in_the_index_and_counts_once() {
    let world = world(&["r1"]);
    world.turn(Some("s"), Some(&[b'x'; 1_936]), 48);
    world.turn(None, Some(&[b'x'; 2_560]), 0);
    let pool = Arc::clone(&world.picker.pool.load());
    let text = [b'x'; 8_000];
    let asked = request(Some("s"), Some(prompt(&text)));
    let config = world.picker.config.load();
    let session = world.picker.known_session(&config, &asked, world.now.instant);
    let choices = candidates::Choices {
        picker: &world.picker,
        pool: &pool,
        config: &config,
        request: &asked,
        session,
        home: session.live_home(&pool, &asked),
        adapter: None,
        prompt_tokens: 2_000.0,
        block_tokens: 128.0,
    };
    for (depth, hidden) in [(2, 0.0), (3, 148.0), (4, 20.0), (5, 0.0)] {
        assert_eq!(choices.hidden_tokens(&[depth]), hidden, "{depth} blocks");
    }
}

#[test]
fn what_a_session_holds_is_counted_in_the_unit_of_its_prompts() {
    static BYTES: [u8; 8_000] = [b'x'; 8_000];
    // Without its body a request has no model, by which sessions are kept.
    let text = |bytes: usize| Prompt { model: "", ..prompt(&BYTES[..bytes]) };
    let tokens = |bytes: usize| Prompt { unit: Unit::TokenIds, ..text(bytes) };
    // Bytes of text are learned to be 5 to a token; ids stay 4.
    for (last, now, charged, why) in [
        (tokens(1_936), Some(tokens(4_000)), 484.0 - 384.0 + 48.0, "token ids: 3 blocks of 128, and the answer"),
        (text(1_936), Some(text(8_000)), 400.0 / 5.0 + 48.0, "text: 3 blocks of 512 bytes, and the answer"),
        (tokens(1_936), None, 484.0 + 48.0, "a body that is not read: all that was counted"),
    ] {
        let world = world(&["r1", "r2"]);
        let request = |prompt| Request { unread_bytes: Some(8_000), ..request(Some("s"), prompt) };
        let mut picked = world.picker.pick(&request(Some(last)), world.now).expect("eligible");
        picked.answered(ok(), world.now);
        picked.completed(Usage { prompt_tokens: None, answer_tokens: 48 }, world.now);
        for _ in 0..2_000 {
            world.picker.estimates.counted(5_000, 1_000);
        }
        let picked = world.picker.pick(&request(now), world.now).expect("eligible");
        let choice = picked.decision().choices[1].as_ref().expect("two endpoints");
        assert!((choice.charged.session_affinity - charged).abs() < 0.01, "{why}: {}", choice.charged.session_affinity);
    }
}
