use super::*;
use crate::config::Affinity;
use crate::metrics::Metrics;
use crate::model::SessionSource;
use crate::replay::trace::{Format, Trace};

/// A picker over two engines, and all requests of a trace, of which none has been asked yet.
fn asked(config: &PickerConfig, text: &str, format: Format) -> (Homing, Vec<Arrival>) {
    let setting = Setting { replicas: 2, block_tokens: 16, blocks: 1_000, seed: 1, base: Now::read(), replica: None };
    let mut homing = Homing::new(config, &setting);
    homing.pool(&[0, 1], 0.0);
    let arrivals = Trace::text(text, format).arrivals().expect("memory");
    (homing, arrivals.map(|arrival| arrival.expect("readable")).collect())
}

fn pick(homing: &mut Homing, arrival: &Arrival, now: Seconds) -> Option<usize> {
    let view = View { members: &[0, 1], engines: &[], dead: &[false; 2], conversation: 0 };
    homing.pick(arrival, &view, now)
}

const PROMPTS: Format = Format::Prompts { block_tokens: 16 };

#[test]
fn the_body_is_read_where_it_can_change_the_pick_and_only_there() {
    let mut off = PickerConfig::default();
    off.scorers.prefix_locality.weight = 0.0;
    let mut hard = PickerConfig::default();
    hard.sessions.affinity = Affinity::Hard;
    let line =
        "{\"timestamp\": 0, \"input_length\": 4000, \"output_length\": 5, \"hash_ids\": [], \"session\": \"a\"}\n";
    // Tokens of the prompts that were read: of two requests in one session.
    for (config, read) in [(PickerConfig::default(), 8_000.0), (off, 0.0), (hard, 4_000.0)] {
        let (mut homing, arrivals) = asked(&config, &line.repeat(2), Format::Mooncake);
        for arrival in arrivals {
            let engine = pick(&mut homing, &arrival, 0.0).expect("a pick");
            let request = Request { number: arrival.number, arrived: 0.0, input_tokens: 4_000, output_tokens: 5 };
            let booked = homing.pool.load().members()[engine].load.booked_tokens();
            // The second, unread, is as long as the context that its session's home holds.
            let charged = if arrival.number == 0 || read == 8_000.0 { 3_900..=4_100 } else { 0..=100 };
            assert!(charged.contains(&booked), "{booked}: an unread prompt is charged as well");
            homing.accepted(&request, engine, 0.0);
            homing.first_token(&request, engine, 1.0);
            homing.finished(&request, engine, 2.0);
        }
        assert_eq!(homing.picker.metrics().prompt_tokens.get(), read);
    }
}

#[test]
fn sessions_are_read_as_the_server_reads_them() {
    for (line, source) in [
        (r#"{"timestamp": 0, "prompt": "hello", "session": "a"}"#, SessionSource::Header),
        (r#"{"timestamp": 0, "prompt": "hello", "session": ""}"#, SessionSource::Generated),
        (r#"{"timestamp": 0, "prompt": "hello", "session": "a b"}"#, SessionSource::Generated),
        (r#"{"timestamp": 0, "prompt": "hello", "session_id": "a"}"#, SessionSource::Body),
        (r#"{"timestamp": 0, "prompt": "hello", "prompt_cache_key": "a"}"#, SessionSource::Group),
        (r#"{"timestamp": 0, "prompt": "hello", "session": "a", "session_id": "b"}"#, SessionSource::Header),
        (r#"{"timestamp": 0, "prompt": "hello"}"#, SessionSource::Generated),
    ] {
        let (mut homing, arrivals) = asked(&PickerConfig::default(), line, PROMPTS);
        pick(&mut homing, &arrivals[0], 0.0).expect("a pick");
        let seen = |metrics: &Metrics, source| metrics.sessions.of(source).get();
        for other in SessionSource::ALL {
            assert_eq!(seen(homing.picker.metrics(), other), u64::from(other == source), "{line}: {other:?}");
        }
    }
}

#[test]
fn an_answer_that_does_not_stream_is_heard_of_when_it_is_complete() {
    for (said, streams) in [("", true), (r#", "stream": true"#, true), (r#", "stream": false"#, false)] {
        let line = format!(r#"{{"timestamp": 0, "prompt": "{}"{said}}}"#, "word ".repeat(4_000));
        let (mut homing, arrivals) = asked(&PickerConfig::default(), &line, PROMPTS);
        let engine = pick(&mut homing, &arrivals[0], 0.0).expect("a pick");
        let waiting = |homing: &Homing| homing.pool.load().members()[engine].load.booked_tokens() > 0;
        let input_tokens = arrivals[0].input_tokens;
        let request = Request { number: 0, arrived: 0.0, input_tokens, output_tokens: 5 };
        homing.accepted(&request, engine, 0.0);
        homing.first_token(&request, engine, 0.001);
        assert_eq!(waiting(&homing), !streams, "{said}: nobody saw a byte of it");
        // Five thousand tokens at the speed that is taken for an engine's until it shows its own.
        homing.end_waits(homing.at(60.0));
        assert!(!waiting(&homing), "{said}: by prediction");
        homing.finished(&request, engine, 61.0);
        assert!(homing.sent.is_empty(), "{said}");
    }
}
