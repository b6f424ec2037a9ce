use std::cell::Cell;
use std::io::BufReader;
use std::rc::Rc;

use super::*;
use crate::simulation::BlockHash;

const PROMPTS: Format = Format::Prompts { block_tokens: 16 };

fn read(text: &str, format: Format) -> Result<Vec<Arrival>, String> {
    let arrivals = Trace::text(text, format).arrivals().and_then(Iterator::collect::<Result<Vec<_>, _>>);
    arrivals.map_err(|error| error.to_string())
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
        (PROMPTS, r#"{"timestamp": 9, "max_tokens": 3}"#, "line 2: missing field `messages`, `prompt` or"),
        (PROMPTS, r#"{"timestamp": 9, "messages": "hello"}"#, "line 2: messages: "),
        (PROMPTS, r#"{"timestamp": 9, "prompt": 7}"#, "line 2: prompt: "),
        (PROMPTS, r#"{"timestamp": 9, "prompt": "a", "max_tokens": "b"}"#, "line 2: max_tokens: "),
        (PROMPTS, r#"{"timestamp": 9, "prompt": "a", "max_tokens": 4294967297}"#, "line 2: max_tokens: invalid value"),
        (PROMPTS, r#"{"timestamp": 9, "messages": [1, 2]}"#, "line 2: messages: not a list of messages"),
        (PROMPTS, r#"{"timestamp": 9, "messages": [], "prompt": "a"}"#, "line 2: prompt: `messages` is there too"),
        (PROMPTS, r#"{"timestamp": 9, "body": {"prompt": 7}}"#, "line 2: body.prompt: "),
        (PROMPTS, r#"{"timestamp": 9, "body": {"max_tokens": 7}}"#, "line 2: missing field `messages`"),
        (PROMPTS, r#"{"timestamp": 9, "body": "{"}"#, "line 2: body.EOF"),
        (
            PROMPTS,
            r#"{"timestamp": 9, "input_length": 1, "output_length": 1, "hash_ids": []}"#,
            "line 2: missing field `messages`, `prompt` or `input`, on the line or under `body`; this is a line of \
             `--format mooncake`",
        ),
        (
            Format::Mooncake,
            r#"{"timestamp": 9, "prompt": "a"}"#,
            "line 2: missing field `input_length`; this is a line of `--format prompts`",
        ),
    ] {
        let first = if format == Format::Mooncake { good.clone() } else { r#"{"timestamp": 9, "prompt": "a"}"#.into() };
        let error = read(&format!("{}\n{line}\n", first.trim()), format).expect_err(line);
        assert!(error.starts_with(said), "{line}: {error}");
    }
}

#[test]
fn requests_of_one_tick_are_spread_over_a_tick_of_the_clock_and_into_no_pause() {
    for (timestamps, at) in [
        (&[0, 0, 0, 3_000, 6_000][..], &[0.0, 1.0, 2.0, 3.0, 6.0][..]),
        // Clocks are not exact, and what is nearly a tick is one.
        (&[0, 0, 0, 3_000, 5_000], &[0.0, 1.0, 2.0, 3.0, 5.0]),
        (&[0, 0, 2_000, 4_000, 4_000, 600_000], &[0.0, 1.0, 2.0, 4.0, 5.0, 600.0]),
        (&[7_000, 9_000, 9_000], &[0.0, 2.0, 3.0]),
        // A burst, and one more after ten minutes.
        (&[0, 0, 0, 600_000], &[0.0, 0.0, 0.0, 600.0]),
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
    assert_eq!((survey.requests, survey.length), (3, 4.0));
    assert_eq!((survey.input_tokens, survey.output_tokens), (2_170, 21));
    assert_eq!(survey.shared, [chain[0]]);
    assert_eq!(survey.rate(), Some(0.75));
    assert_eq!(survey.notes, Vec::<String>::new());
    let together = Trace::text(&mooncake(0, 9, &[0]), Format::Mooncake).survey().expect("readable");
    assert_eq!(together.rate(), None);
    assert!(matches!(Trace::text("\n", Format::Mooncake).survey(), Err(TraceError::Empty)));
}

#[test]
fn a_survey_counts_sessions() {
    let line = |session: &str| format!("{{\"timestamp\": 0, \"prompt\": \"a\", \"session\": {session}}}\n");
    let text: String = ["\"a\"", "\"a\"", "7", "\"\"", "null"].map(line).concat();
    let survey = Trace::text(&text, PROMPTS).survey().expect("readable");
    assert_eq!((survey.with_session, survey.sessions), (3, 2));
}

#[test]
fn what_is_odd_is_said_once_with_its_first_line() {
    let notes = |text: &str, format| Trace::text(text, format).survey().expect("readable").notes;
    let odd = mooncake(0, 1_100, &[1, 2, 3]) + &mooncake(0, 600, &[1]) + &mooncake(0, 0, &[1]) + &mooncake(0, 0, &[]);
    assert_eq!(
        notes(&odd, Format::Mooncake),
        [
            "line 2: `hash_ids` has fewer ids than the prompt has blocks of 512 tokens; the rest is nobody else's",
            "line 3: `hash_ids` has more ids than the prompt has blocks of 512 tokens; the rest is not read",
            "2 lines, of which line 3 is the first: the prompt has no tokens; 1 is taken",
        ]
    );
    let line = |more: &str| format!("{{\"timestamp\": 0, \"prompt\": \"a\"{more}}}\n");
    let unsaid = line(r#", "model": "a", "maxTokens": 3"#) + &line(r#", "model": "b", "maxTokens": 3"#);
    assert_eq!(
        notes(&unsaid, PROMPTS),
        [
            "line 1: `maxTokens` is not read; is it `max_tokens`?",
            "2 lines, of which line 1 is the first: nothing says how long the answer is; 256 tokens are taken",
            "the lines name 2 models; all go to the same engines, so keep one model a trace",
        ]
    );
    let capped = notes(&line(r#", "max_tokens": 4096"#).repeat(10), PROMPTS);
    assert!(capped[0].starts_with("all lines have `max_tokens` 4096"), "{capped:?}");
    let generated = line(r#", "max_tokens": 4096, "output_tokens": 3"#).repeat(10);
    assert_eq!(notes(&generated, PROMPTS), Vec::<String>::new());
    let long = mooncake(0, 1, &[1]) + &mooncake(32 * 86_400_000, 1, &[1]);
    assert!(notes(&long, Format::Mooncake)[0].starts_with("it spans 32 days, from 0 ms to 2764800000 ms"));
}

#[test]
fn seconds_since_1970_are_no_milliseconds() {
    let line = |at: &str| format!("{{\"timestamp\": {at}, \"prompt\": \"a\"}}\n");
    let error = read(&line("1795165205.504"), PROMPTS).expect_err("seconds");
    assert_eq!(
        error,
        "line 1: timestamp: 1795165205.504 is seconds since 1970, and milliseconds are meant; multiply all by 1000"
    );
    // A trace that counts from its own beginning may be that long, and dates are what they are.
    assert!(read(&(line("0") + &line("1795165205")), PROMPTS).is_ok());
    assert!(read(&line("\"1970-02-01T00:00:00Z\""), PROMPTS).is_ok());
}

#[test]
fn a_whole_body_is_read_wherever_it_stands_and_whatever_its_api() {
    let prompts = [
        r#""messages": [{"role": "user", "content": "hello there"}], "max_tokens": 9"#,
        r#""input": "hello there", "instructions": "be kind", "max_output_tokens": 9"#,
        r#""prompt": "hello there", "max_completion_tokens": 9, "max_tokens": 5"#,
        r#""input_ids": [1, 2, 3, 4], "max_tokens": 9"#,
    ];
    for prompt in prompts {
        let text = serde_json::to_string(&format!("{{{prompt}}}")).expect("JSON");
        let flat = read(&format!("{{\"timestamp\": 0, \"session\": \"a\", {prompt}}}"), PROMPTS).expect("flat");
        for under in [format!("{{{prompt}}}"), text] {
            let line = format!("{{\"timestamp\": 0, \"session\": \"a\", \"body\": {under}}}");
            let nested = read(&line, PROMPTS).expect("nested");
            assert_eq!(nested[0].content, Content::Body(format!("{{{prompt}}}")));
            assert_eq!(nested[0].chain, flat[0].chain);
            assert_eq!((nested[0].input_tokens, nested[0].output_tokens), (flat[0].input_tokens, 9), "{line}");
        }
    }
    let generated = read(r#"{"timestamp": 0, "prompt": "a", "max_tokens": 9, "output_tokens": 3}"#, PROMPTS);
    assert_eq!(generated.expect("readable")[0].output_tokens, 3);
}

#[test]
fn what_comes_before_the_first_line_or_is_no_text_is_told() {
    let line = r#"{"timestamp": 0, "prompt": "a"}"#;
    assert_eq!(read(&format!("\u{feff}{line}\n"), PROMPTS).expect("a mark").len(), 1);
    let error = read(&format!("[{line}]"), PROMPTS).expect_err("an array");
    assert!(error.starts_with("it is a JSON array, and one JSON object a line is wanted; `jq"), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trace.jsonl");
    std::fs::write(&file, [b"{\"timestamp\": 0, \"prompt\": \"a\"}\n{\"prompt\": \"\xff".as_slice()].concat())
        .expect("written");
    let error = Trace::file(file.clone(), PROMPTS).survey().expect_err("no text").to_string();
    assert_eq!(error, "line 2: byte 13 is no UTF-8; convert the file, with iconv for one");
    for nothing in [folder.path().to_owned(), "-".into(), "/dev/null".into()] {
        assert!(matches!(Trace::guess(nothing, 16), Err(TraceError::NoFile)));
    }
    assert_eq!(Trace::guess(file.clone(), 16).expect("a file").format(), PROMPTS);
    std::fs::write(&file, mooncake(0, 1, &[1])).expect("written");
    assert_eq!(Trace::guess(file, 16).expect("a file").format(), Format::Mooncake);
}

#[test]
fn a_prompt_line_may_hold_a_text_messages_or_token_ids_and_a_date() {
    let text = r#"{"timestamp": "2026-11-22T08:00:00Z", "prompt": "0123456789012345678901234567890123456789012345678901234567890123", "session": "a"}
{"timestamp": "2026-11-22 10:00:02.5+02:00", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 9}
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

impl io::Read for Counting<'_> {
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
    let mut arrivals = Arrivals::new(reader(), reader(), 1.0);
    assert!(arrivals.by_ref().take(100).all(|arrival| arrival.is_ok()));
    let read = 2 * 102 * text.lines().next().map_or(0, str::len);
    assert!(count.get() < 2 * read, "{} bytes", count.get());
}
