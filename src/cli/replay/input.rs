//! The trace that was named, and what was read of it in one line.

use std::path::Path;

use anyhow::{Context, ensure};

use crate::replay::trace::{Format, Survey, Trace};

use super::progress::Progress;
use super::{Args, FormatName};

/// Opens the trace and reads all of it once; what is told of it is of all its copies.
///
/// # Errors
/// It cannot be read, or has no copies.
pub fn open(args: &Args) -> anyhow::Result<(Trace, Survey)> {
    let path = &args.trace;
    let block_tokens = args.engines.block_tokens();
    let file = |format| Ok(Trace::file(path.clone(), format));
    let trace = match args.format {
        Some(FormatName::Mooncake) => file(Format::Mooncake),
        Some(FormatName::Prompts) => file(Format::Prompts { block_tokens }),
        None => Trace::guess(path.clone(), block_tokens),
    };
    let mut progress = Progress::new(1);
    let mut tell = progress.begin("reading the trace".to_owned());
    let read = trace.and_then(|trace| Ok((trace.survey_with(&mut tell)?, trace)));
    progress.finish();
    let (survey, trace) = read.with_context(|| path.display().to_string())?;
    ensure!(
        args.copies == 1 || trace.format() == Format::Mooncake,
        "--copies: what other users would have written is not known; only a trace of hash ids has copies"
    );
    Ok((trace, survey.times(u64::from(args.copies))))
}

/// What a trace is, in one line.
pub fn line(path: &Path, survey: &Survey) -> String {
    let Survey { requests, length, with_session, sessions, .. } = survey;
    let [input, output] = means(survey).map(|mean| mean.to_string());
    let rate =
        survey.rate().map_or("all at one time".to_owned(), |rate| format!("{:.1} minutes, {rate:.2}/s", length / 60.0));
    let sessions = match with_session {
        0 => "none with a session".to_owned(),
        some => format!("{some} with a session ({sessions} sessions)"),
    };
    let path = path.display();
    format!("{path}: {requests} requests, {rate}; {sessions}; {input} tokens in and {output} out on average")
}

/// Tokens of a prompt and of an answer, on average.
pub fn means(survey: &Survey) -> [u64; 2] {
    [survey.input_tokens, survey.output_tokens]
        .map(|tokens| (tokens as f64 / survey.requests.max(1) as f64).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_told_in_one_line() {
        let survey = Survey {
            requests: 2,
            length: 90.0,
            input_tokens: 5,
            output_tokens: 8,
            with_session: 2,
            sessions: 1,
            ..Survey::default()
        };
        assert_eq!(
            line(Path::new("t.jsonl"), &survey),
            "t.jsonl: 2 requests, 1.5 minutes, 0.02/s; 2 with a session (1 sessions); 3 tokens in and 4 out on average"
        );
        let survey = Survey { length: 0.0, with_session: 0, ..survey };
        assert_eq!(
            line(Path::new("t.jsonl"), &survey),
            "t.jsonl: 2 requests, all at one time; none with a session; 3 tokens in and 4 out on average"
        );
    }
}
