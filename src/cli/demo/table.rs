//! The report for people: all policies side by side.

use std::fmt::Write;

use super::report::{PolicyReport, Report};

/// The rows as they grow.
struct Table<'a> {
    policies: &'a [PolicyReport],
    text: String,
}

/// Renders the table; of two policies it also says how much better the second is.
pub fn render(report: &Report) -> String {
    let mut table = Table { policies: &report.policies, text: String::new() };
    table.row("", |policy| policy.name.clone(), None);
    let gain = |[before, after]: [f64; 2]| times(after, before, "more");
    table.numbers("prefix-cache hit ratio", |policy| policy.hit_ratio, |ratio| format!("{:.1} %", ratio * 100.0), gain);
    let mut time = |label, of: fn(&PolicyReport) -> f64| {
        table.numbers(label, of, |time| format!("{time:.0} ms"), |[before, after]| times(before, after, "less"));
    };
    time("time to first token, mean", |policy| policy.ttft_ms.mean);
    time("  p50", |policy| policy.ttft_ms.p50);
    time("  p90", |policy| policy.ttft_ms.p90);
    time("  p99", |policy| policy.ttft_ms.p99);
    table.count("moved sessions", |policy| policy.moved_sessions);
    table.count("requests", |policy| policy.requests);
    for endpoint in report.policies.iter().take(1).flat_map(|policy| policy.requests_per_endpoint.keys()) {
        let served = |policy: &PolicyReport| policy.requests_per_endpoint.get(endpoint).copied().unwrap_or(0);
        table.count(&format!("  by {endpoint}"), served);
    }
    table.count("failed requests", |policy| policy.failed);
    table.text
}

/// How many times one number is the other; nothing where that says nothing.
fn times(more: f64, less: f64, word: &str) -> String {
    if less > 0.0 && more > less { format!("{:.1} times {word}", more / less) } else { String::new() }
}

// === impl Table ===

impl Table<'_> {
    fn row(&mut self, label: &str, cell: impl Fn(&PolicyReport) -> String, gain: Option<String>) {
        let cells: String = self.policies.iter().map(|policy| format!("{:>14}", cell(policy))).collect();
        let line = format!("{label:<28}{cells}   {}", gain.unwrap_or_default());
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{}", line.trim_end());
    }

    fn count(&mut self, label: &str, of: impl Fn(&PolicyReport) -> usize) {
        self.row(label, |policy| of(policy).to_string(), None);
    }

    fn numbers(
        &mut self,
        label: &str,
        of: impl Fn(&PolicyReport) -> f64,
        write: impl Fn(f64) -> String,
        gain: impl Fn([f64; 2]) -> String,
    ) {
        let gain = match self.policies {
            [before, after] => Some(gain([of(before), of(after)])),
            _ => None,
        };
        self.row(label, |policy| write(of(policy)), gain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(policies: &[(&str, f64, usize)]) -> Report {
        let policy = |(name, hit_ratio, failed): &(&str, f64, usize)| PolicyReport {
            hit_ratio: *hit_ratio,
            failed: *failed,
            ..PolicyReport::new(*name, &["r1".to_owned()], &[])
        };
        Report { policies: policies.iter().map(policy).collect() }
    }

    fn line(table: &str, label: &str) -> String {
        table.lines().find(|line| line.starts_with(label)).unwrap_or_default().to_owned()
    }

    #[test]
    fn two_policies_are_compared_in_words() {
        let table = render(&report(&[("round-robin", 0.25, 0), ("homing", 0.5, 1)]));
        let hits = "prefix-cache hit ratio              25.0 %        50.0 %   2.0 times more";
        assert_eq!(line(&table, "prefix"), hits);
        assert_eq!(line(&table, "  p90"), "  p90                                 0 ms          0 ms");
        assert_eq!(line(&table, "failed"), "failed requests                          0             1");
    }

    #[test]
    fn of_several_policies_each_has_a_column() {
        let policies = [("round-robin", 0.4, 0), ("1-picker", 0.9, 0), ("2-alone", 0.7, 2), ("2-sharing", 0.9, 0)];
        let table = render(&report(&policies));
        let names = table.lines().next().unwrap_or_default();
        assert_eq!(Vec::from_iter(names.split_whitespace()), ["round-robin", "1-picker", "2-alone", "2-sharing"]);
        assert!(line(&table, "prefix").ends_with("40.0 %        90.0 %        70.0 %        90.0 %"), "{table}");
        assert!(table.lines().all(|line| line.len() == names.len()), "{table}");
    }
}
