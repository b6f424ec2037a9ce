use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use super::*;
use crate::simulation::BlockHash;

const PROMPTS: Format = Format::Prompts { block_tokens: 16 };

fn read(text: &str, format: Format) -> Result<Vec<Arrival>, String> {
    Trace::text(text, format).arrivals().expect("memory").collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn mooncake(timestamp: u64, input: u64, ids: &[u64]) -> String {
    format!("{{\"timestamp\": {timestamp}, \"input_length\": {input}, \"output_length\": 7, \"hash_ids\": {ids:?}}}\n")
}

#[test]
fn a_mooncake_line_is_a_request_whose_full_blocks_can_be_shared() {
    let text = mooncake(5_000, 1_100, &[0, 1, 2]) + "\n" + &mooncake(6_000, 1_024, &[0, 1]);
    let arrivals = read(&text, Format::Mooncake).expect("readable");
    let [first, second] = &arrivals[..] else { panic!("two requests") };
    assert_eq!((first.number, first.at, first.input_tokens, first.output_tokens), (0, 0.0, 1_100, 7));
    assert_eq!(first.content, Content::Ids(vec![0, 1, 2]));
    assert_eq!((second.number, second.at), (1, 1.0));
    assert_eq!((first.chain.len(), second.chain.len()), (2, 2));
    assert_eq!(first.chain, second.chain);
}

#[test]
fn the_same_id_behind_another_beginning_is_another_block() {
    let text = mooncake(0, 1_024, &[1, 9]) + &mooncake(0, 1_024, &[2, 9]);
    let arrivals = read(&text, Format::Mooncake).expect("readable");
    assert_ne!(arrivals[0].chain[1], arrivals[1].chain[1]);
}

#[test]
fn ids_without_tokens_do_not_count_and_tokens_without_ids_are_nobody_elses() {
    let text = mooncake(0, 600, &[1, 2, 3, 4]) + &mooncake(0, 2_000, &[1]);
    let arrivals = read(&text, Format::Mooncake).expect("readable");
    assert_eq!((arrivals[0].chain.len(), arrivals[1].chain.len()), (1, 1));
    assert_eq!(arrivals[0].content, Content::Ids(vec![1, 2]));
}

#[test]
fn what_is_wrong_is_named_by_line_and_field() {
    let good = mooncake(9, 10, &[0]);
    for (format, line, said) in [
        (Format::Mooncake, "{", "line 2: EOF while parsing an object"),
        (Format::Mooncake, "[]", "line 2: invalid length 0"),
        (Format::Mooncake, r#"{"timestamp": 9}"#, "line 2: missing field `input_length`"),
        (
            Format::Mooncake,
            r#"{"timestamp": "x", "input_length": 1, "output_length": 1, "hash_ids": []}"#,
            "line 2: timestamp: ",
        ),
        (
            Format::Mooncake,
            r#"{"timestamp": 9, "input_length": -1, "output_length": 1, "hash_ids": []}"#,
            "line 2: input_length: invalid value: integer `-1`",
        ),
        (
            Format::Mooncake,
            r#"{"timestamp": 9, "input_length": 1, "output_length": 1, "hash_ids": [1, "a"]}"#,
            "line 2: hash_ids[1]: ",
        ),
        (
            Format::Mooncake,
            r#"{"timestamp": 8, "input_length": 1, "output_length": 1, "hash_ids": []}"#,
            "line 2: timestamp: earlier",
        ),
        (PROMPTS, r#"{"timestamp": 9, "max_tokens": 3}"#, "line 2: missing field `messages` or `prompt`"),
        (PROMPTS, r#"{"timestamp": 9, "messages": "hello"}"#, "line 2: messages: "),
        (PROMPTS, r#"{"timestamp": 9, "prompt": 7}"#, "line 2: prompt: "),
        (PROMPTS, r#"{"timestamp": 9, "prompt": "a", "max_tokens": "b"}"#, "line 2: max_tokens: "),
    ] {
        let first = if format == Format::Mooncake { good.clone() } else { r#"{"timestamp": 9, "prompt": "a"}"#.into() };
        let error = read(&format!("{}\n{line}\n", first.trim()), format).expect_err(line);
        assert!(error.starts_with(said), "{line}: {error}");
    }
}

#[test]
fn requests_of_one_tick_are_spread_up_to_the_next_and_the_last_tick_is_as_long_as_the_one_before() {
    for (timestamps, at) in [
        (&[0, 0, 0, 3_000, 4_000][..], &[0.0, 1.0, 2.0, 3.0, 4.0][..]),
        (&[7_000, 9_000, 9_000], &[0.0, 2.0, 3.0]),
        (&[5, 5], &[0.0, 0.0]),
        (&[5], &[0.0]),
    ] {
        let text: String = timestamps.iter().map(|at| mooncake(*at, 10, &[0])).collect();
        let arrivals = read(&text, Format::Mooncake).expect("readable");
        assert_eq!(arrivals.iter().map(|arrival| arrival.at).collect::<Vec<_>>(), at, "{timestamps:?}");
    }
}

#[test]
fn a_survey_tells_length_and_tokens_and_what_all_prompts_begin_with() {
    let text = mooncake(0, 1_100, &[0, 1, 2]) + &mooncake(0, 40, &[0]) + &mooncake(2_000, 1_030, &[0, 3, 4]);
    let survey = Trace::text(&text, Format::Mooncake).survey().expect("readable");
    let chain = read(&text, Format::Mooncake).expect("readable").swap_remove(0).chain;
    assert_eq!(
        survey,
        Survey { requests: 3, length: 4.0, input_tokens: 2_170, output_tokens: 21, shared: vec![chain[0]] }
    );
    assert_eq!(survey.rate(), Some(0.75));
    let together = Trace::text(&mooncake(0, 9, &[0]), Format::Mooncake).survey().expect("readable");
    assert_eq!(together.rate(), None);
    assert!(matches!(Trace::text("\n", Format::Mooncake).survey(), Err(TraceError::Empty)));
}

#[test]
fn a_prompt_line_may_hold_a_text_messages_or_token_ids_and_a_date() {
    let text = r#"{"timestamp": "2026-11-22T08:00:00Z", "prompt": "0123456789012345678901234567890123456789012345678901234567890123", "session": "a"}
{"timestamp": "2026-11-22 08:00:02.5", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
{"timestamp": "2026-11-22T08:00:04Z", "prompt": [1, 2, 3, 4, 5]}
"#;
    let arrivals = read(text, PROMPTS).expect("readable");
    assert_eq!(arrivals.iter().map(|arrival| arrival.at).collect::<Vec<_>>(), [0.0, 2.5, 4.0]);
    assert_eq!(arrivals[0].session.as_deref(), Some("a"));
    assert_eq!((arrivals[0].chain.len(), arrivals[0].output_tokens), (1, 256));
    assert_eq!((arrivals[1].session.as_deref(), arrivals[1].output_tokens), (None, 9));
    assert_eq!((arrivals[2].input_tokens, arrivals[2].chain.len()), (5, 0));
}

#[test]
fn a_longer_conversation_begins_with_the_blocks_of_the_shorter() {
    let turn = |role: &str| format!(r#"{{"role": "{role}", "content": "{}"}}"#, role.repeat(40));
    let line = |turns: &[&str]| {
        let turns: Vec<String> = turns.iter().map(|role| turn(role)).collect();
        format!("{{\"timestamp\": 0, \"messages\": [{}]}}\n", turns.join(", "))
    };
    let text = line(&["system", "user"]) + &line(&["system", "user", "assistant", "user"]);
    let arrivals = read(&text, PROMPTS).expect("readable");
    let [short, long]: [&[BlockHash]; 2] = [&arrivals[0].chain, &arrivals[1].chain];
    assert!(short.len() > 5 && long[..short.len()] == *short);
}

/// Counts the bytes that were read.
struct Counting<'a>(&'a [u8], Rc<Cell<usize>>);

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

#[test]
fn no_more_is_read_than_the_next_tick_needs() {
    let text: &'static str = (0..10_000).map(|at| mooncake(at, 10, &[0])).collect::<String>().leak();
    let count = Rc::new(Cell::new(0));
    let reader = || {
        let counting = Counting(text.as_bytes(), Rc::clone(&count));
        Lines::new(Box::new(BufReader::with_capacity(256, counting)), Format::Mooncake)
    };
    let mut arrivals = Arrivals::new(reader(), reader());
    assert!(arrivals.by_ref().take(100).all(|arrival| arrival.is_ok()));
    let read = 2 * 102 * text.lines().next().map_or(0, str::len);
    assert!(count.get() < 2 * read, "{} bytes", count.get());
}
