//! `homing trace`: a trace for `homing replay`, made by chance, or made of prompts that nobody else shall read.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::replay::trace::{Trace, TraceError};
use crate::replay::workload::Workload;

/// Prints a trace for `homing replay`, in the format of Mooncake.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Coding agents: long sessions, nine tenths of each prompt sent before
    Agents(Chance),
    /// Few calls a session, behind one of many long prompts of which some are hot
    Tools(Chance),
    /// People who chat: short sessions, long pauses, a short system prompt
    Chat(Chance),
    /// Short prompts that nobody sends twice
    Batch(Chance),
    /// A trace of prompts without the prompts: numbers tell which blocks and sessions are equal, and nothing else
    Hash {
        /// The trace of prompts.
        #[arg(value_name = "FILE")]
        trace: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Chance {
    /// Of how much time.
    #[arg(long, default_value = "30m", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: Duration,

    /// Where all chance comes from: the same seed gives the same trace.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
}

/// Prints a trace.
///
/// # Errors
/// A trace of prompts cannot be read, or standard output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    match print(args.what, &mut out).and_then(|()| Ok(out.flush()?)) {
        // Whoever read it has read enough, as `head` does.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        printed => printed.map(|()| ExitCode::SUCCESS),
    }
}

fn print(what: What, out: &mut dyn Write) -> anyhow::Result<()> {
    let (workload, Chance { length, seed }) = match what {
        What::Agents(chance) => (Workload::Agents, chance),
        What::Tools(chance) => (Workload::Tools, chance),
        What::Chat(chance) => (Workload::Chat, chance),
        What::Batch(chance) => (Workload::Batch, chance),
        What::Hash { trace } => {
            let name = trace.display().to_string();
            return Trace::write_hashed(trace, out).context(name);
        }
    };
    Ok(workload.write(length.as_secs_f64(), seed, out)?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let from_trace = error.downcast_ref::<TraceError>().and_then(|error| match error {
        TraceError::Io(error) => Some(error),
        _ => None,
    });
    from_trace.or(error.downcast_ref()).is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_prompts_becomes_numbers_that_tell_what_is_equal_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let trace = folder.path().join("trace.jsonl");
        let line = |at: u64, session: &str, text: &str| {
            format!(
                "{{\"timestamp\": {at}, \"session\": \"{session}\", \"prompt\": \"{text}\", \"output_tokens\": 3}}\n"
            )
        };
        let [shared, one, other] = ["secret", "me", "you"].map(|word| word.repeat(2_048 / word.len() + 1));
        let text = line(1_700_000_000_500, "anna", &format!("{shared}{one}"))
            + &line(1_700_000_001_000, "bert", &format!("{shared}{other}"))
            + &line(1_700_000_001_000, "anna", "hi");
        std::fs::write(&trace, text).expect("written");
        let mut hashed = Vec::new();
        print(What::Hash { trace: trace.clone() }, &mut hashed).expect("readable");
        let hashed = String::from_utf8(hashed).expect("JSON");
        let lines: Vec<_> = hashed.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"timestamp": 0, "session": "0", "input_length": 1026, "output_length": 3, "hash_ids": [0, 1, 2]}"#
        );
        assert!(lines[1].starts_with(r#"{"timestamp": 500, "session": "1", "#), "{hashed}");
        assert!(lines[1].ends_with(r#""hash_ids": [0, 3, 4]}"#), "{hashed}");
        assert!(lines[2].contains(r#""session": "0", "#) && lines[2].ends_with(r#""hash_ids": [5]}"#), "{hashed}");
        for word in ["secret", "anna", "bert", "1700000"] {
            assert!(!hashed.contains(word), "{word}");
        }

        std::fs::write(&trace, &hashed).expect("written");
        let error = print(What::Hash { trace }, &mut Vec::new()).expect_err("numbers");
        assert!(format!("{error:#}").contains("trace.jsonl: line 1: missing field `messages`"), "{error:#}");
    }
}
