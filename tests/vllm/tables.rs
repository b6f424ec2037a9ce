//! The report for people.

use std::fmt::Write;

use crate::arm;
use crate::prediction::{LEARNING, Spread, Summary};
use crate::report::{Report, Setup};

/// Renders all tables.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = policies(&mut text, report)
        .and_then(|()| predictions(&mut text, report))
        .and_then(|()| claims(&mut text, report));
    text
}

fn policies(text: &mut String, report: &Report) -> std::fmt::Result {
    let setup = &report.setup;
    let [before, after] = &report.policies;
    let Setup { vllm, model, questions, seed, requests, .. } = setup;
    let questions = format!("{questions:?}").to_lowercase();
    writeln!(text, "vLLM {vllm}, model {model}, {requests} requests each, {questions} questions, seed {seed}\n")?;
    writeln!(text, "{:<34}{:>14}{:>14}", "", before.name, after.name)?;
    let mut row = |label: &str, number: &dyn Fn(&arm::Summary) -> String| {
        writeln!(text, "{label:<34}{:>14}{:>14}", number(before), number(after))
    };
    row("prompt tokens", &|it| format!("{:.0}", it.total.prompt_tokens))?;
    row("  of these in a cache", &|it| format!("{:.0}", it.total.hit_tokens))?;
    row("  of these computed", &|it| format!("{:.0}", it.total.computed_tokens))?;
    row("hit ratio, by the engines", &|it| format!("{:.1} %", it.hit_ratio * 100.0))?;
    row("time to first token, mean", &|it| format!("{:.0} ms", it.ttft_s.mean * 1e3))?;
    row("  p50", &|it| format!("{:.0} ms", it.ttft_s.p50 * 1e3))?;
    row("  p90", &|it| format!("{:.0} ms", it.ttft_s.p90 * 1e3))?;
    row("  p99", &|it| format!("{:.0} ms", it.ttft_s.p99 * 1e3))?;
    row("all of it", &|it| format!("{:.0} s", it.seconds))?;
    for engine in 0..before.engines.len() {
        row(&format!("requests of r{}", engine + 1), &|it| format!("{:.0}", it.engines[engine].requests))?;
    }
    row("preemptions", &|it| format!("{:.0}", it.total.preemptions))
}

fn predictions(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        text,
        "\nUncached tokens as Homing predicted and as the engines reported, from request {} on;\n\
         of single requests predicted less reported, and which part is the prompt's length and which is what was held.\n",
        LEARNING + 1
    )?;
    writeln!(
        text,
        "{:<26}{:>9}{:>10}{:>10}{:>9}   {:>22}{:>8}   {:>18}   {:>18}",
        "",
        "requests",
        "predicted",
        "reported",
        "sum",
        "p10 / p50 / p90",
        "max",
        "length, p10 / p90",
        "held, p10 / p90"
    )?;
    for summary in &report.predictions {
        let Summary { group, requests, predicted, reported, off, off_by_length, off_by_held } = summary;
        if *requests == 0 {
            continue;
        }
        let two = |spread: &Spread| format!("{:+.0} / {:+.0}", spread.p10, spread.p90);
        writeln!(
            text,
            "{group:<26}{requests:>9}{predicted:>10.0}{reported:>10.0}{:>+7.1} %   {:>22}{:>8.0}   {:>18}   {:>18}",
            summary.relative() * 100.0,
            format!("{:+.0} / {:+.0} / {:+.0}", off.p10, off.p50, off.p90),
            off.max_absolute,
            two(off_by_length),
            two(off_by_held),
        )?;
    }
    writeln!(text, "\nBytes of prompt in a token, as learned: {:.3}", report.setup.bytes_per_token)
}

fn claims(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "\nWhat must hold:\n")?;
    for claim in &report.claims {
        let verdict = if claim.holds { "holds" } else { "FAILS" };
        writeln!(text, "  {verdict}  {}: {}", claim.claim, claim.seen)?;
    }
    Ok(())
}
