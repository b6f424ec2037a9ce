//! What an endpoint is predicted to compute, and who goes by it.

use super::*;
use crate::model::{Choice, EngineKind, EngineReport};

impl World {
    /// The choices of a session's next prompt, its home first, and the picked request.
    fn choices_of(&self, request: &Request<'_>) -> (Picked, Choice, Choice) {
        let picked = self.picker.pick(request, self.now).expect("eligible");
        assert_eq!(picked.decision().reason, Reason::Session);
        let [home, other] = [0, 1].map(|at| picked.decision().choices[at].clone().expect("two endpoints"));
        (picked, home, other)
    }
}

#[test]
fn what_the_session_holds_is_booked_learned_and_counted_as_held_at_home_and_nowhere_else() {
    let world = world(&["r1", "r2"]);
    let text = [b'x'; 8_000];
    world.turn(Some("s"), Some(&text[..1_936]), 48);
    let (matched, uncached) = (world.picker.metrics.matched_tokens.get(), world.picker.estimates.uncached_tokens());
    let (picked, home, other) = world.choices_of(&request(Some("s"), Some(prompt(&text))));
    // 2,000 tokens: 384 in the index, 100 at the end of the last prompt, 48 of the answer.
    assert_eq!((home.uncached_tokens, home.held_by_session, home.computed_tokens), (1_616.0, 148.0, 1_468.0));
    assert_eq!((other.uncached_tokens, other.held_by_session, other.computed_tokens), (2_000.0, 0.0, 2_000.0));
    assert_eq!(world.load(&picked.decision().endpoint).0, 1_468.0);
    assert_eq!(world.picker.metrics.matched_tokens.get() - matched, 532.0);
    let learned = uncached + (1_468.0 - uncached) * 0.02;
    assert!((world.picker.estimates.uncached_tokens() - learned).abs() < 1e-6);
    // The cost stays that of U and C apart: at home U counts as if C were not.
    assert_eq!((home.charged.prefix_locality, other.charged.session_affinity), (2.0 * 1_616.0, 148.0));
}

#[test]
fn the_context_of_an_excerpt_is_no_token_of_its_prompt() {
    let world = world(&["r1", "r2"]);
    let text = [b'x'; 800];
    let excerpt = request(Some("s"), Some(Prompt { unit: Unit::Excerpt, ..prompt(&text) }));
    let mut first = world.picker.pick(&excerpt, world.now).expect("eligible");
    first.answered(ok(), world.now);
    first.completed(Usage { prompt_tokens: Some(5_000), answer_tokens: 500 }, world.now);
    let (_, home, other) = world.choices_of(&excerpt);
    assert_eq!((home.held_by_session, home.computed_tokens), (0.0, 72.0));
    assert_eq!((other.held_by_session, other.computed_tokens), (0.0, 5_700.0));
}

#[test]
fn of_a_body_that_is_not_read_the_home_holds_the_context() {
    let world = world(&["r1", "r2"]);
    let unread = |bytes| Request { unread_bytes: Some(bytes), ..request(Some("s"), None) };
    for affinity in [Affinity::Soft, Affinity::Hard] {
        world.configure(|config| config.sessions.affinity = affinity);
        let mut first = world.picker.pick(&unread(4_000), world.now).expect("eligible");
        first.answered(ok(), world.now);
        first.completed(Usage { prompt_tokens: None, answer_tokens: 48 }, world.now);
        let again = world.picker.pick(&unread(4_800), world.now).expect("eligible");
        let home = again.decision().choices[0].clone().expect("a choice");
        assert_eq!((home.uncached_tokens, home.held_by_session, home.computed_tokens), (1_200.0, 1_048.0, 152.0));
    }
}

#[test]
fn an_engine_reuses_whole_blocks_of_its_own_and_computes_at_least_one_token() {
    for (now, block, computed, why) in [
        (8_000, None, 2_000.0 - 532.0, "an engine that does not tell"),
        (8_000, Some(16), 2_000.0 - 528.0, "33 blocks of 16 of the 532 tokens"),
        (8_000, Some(500), 2_000.0 - 500.0, "one of 500"),
        (8_000, Some(1_000), 2_000.0, "none of 1,000"),
        (1_936, Some(1), 1.0, "the same prompt again, of which all is held"),
        (1_936, Some(4), 4.0, "and that one token is in a block of 4"),
    ] {
        let world = world(&["r1", "r2"]);
        for member in world.picker.pool.load().members() {
            let report = EngineReport {
                engine: Some(EngineKind::Vllm),
                block_tokens: block,
                blocks: Some(9_999),
                ..EngineReport::default()
            };
            world.picker.engine_said(member.id, Ok(&report), world.now.instant);
        }
        let text = [b'x'; 8_000];
        world.turn(Some("s"), Some(&text[..1_936]), 48);
        let (_, home, other) = world.choices_of(&request(Some("s"), Some(prompt(&text[..now]))));
        assert_eq!((home.computed_tokens, other.computed_tokens), (computed, now as f64 / 4.0), "{why}");
    }
}
