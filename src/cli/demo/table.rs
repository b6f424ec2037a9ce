//! The report for people: both policies side by side.

use std::fmt::Write;

use super::report::{PolicyReport, Report};

/// Renders the table.
pub fn render(report: &Report) -> String {
    let [before, after] = &report.policies;
    let mut table = String::new();
    row(&mut table, "", before.name, after.name, "");
    let percent = |policy: &PolicyReport| format!("{:.1} %", policy.hit_ratio * 100.0);
    let gain = times(after.hit_ratio, before.hit_ratio, "more");
    row(&mut table, "prefix-cache hit ratio", &percent(before), &percent(after), &gain);
    let times_to_first = [
        ("time to first token, mean", before.ttft_ms.mean, after.ttft_ms.mean),
        ("  p50", before.ttft_ms.p50, after.ttft_ms.p50),
        ("  p90", before.ttft_ms.p90, after.ttft_ms.p90),
        ("  p99", before.ttft_ms.p99, after.ttft_ms.p99),
    ];
    for (label, before, after) in times_to_first {
        let gain = times(before, after, "less");
        row(&mut table, label, &format!("{before:.0} ms"), &format!("{after:.0} ms"), &gain);
    }
    let mut count = |label: &str, of: &dyn Fn(&PolicyReport) -> usize| {
        row(&mut table, label, &of(before).to_string(), &of(after).to_string(), "");
    };
    count("moved sessions", &|policy| policy.moved_sessions);
    count("requests", &|policy| policy.requests);
    for endpoint in before.requests_per_endpoint.keys() {
        let served = |policy: &PolicyReport| policy.requests_per_endpoint.get(endpoint).copied().unwrap_or(0);
        count(&format!("  by {endpoint}"), &served);
    }
    count("failed requests", &|policy| policy.failed);
    table
}

/// How many times one number is the other; nothing where that says nothing.
fn times(more: f64, less: f64, word: &str) -> String {
    if less > 0.0 && more > less { format!("{:.1} times {word}", more / less) } else { String::new() }
}

fn row(table: &mut String, label: &str, before: &str, after: &str, gain: &str) {
    let line = format!("{label:<28}{before:>14}{after:>14}   {gain}");
    // Writing to a string cannot fail.
    let _ = writeln!(table, "{}", line.trim_end());
}
