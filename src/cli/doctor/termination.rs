//! The table as a container's termination message: short enough for Kubernetes, what is worst first.

use super::finding::Finding;
use super::report;

/// Bytes that a kubelet keeps of a container's message; of a longer one it keeps the end.
const LIMIT: usize = 4096;
/// Bytes that are kept for the last lines.
const FOOT: usize = 160;
/// Bytes of a finding or a fix. Much of them was written by others, and one must not push out the next.
const LONGEST: usize = 600;

/// At most [`LIMIT`] bytes. Where the table is longer, whole findings are left out, the least bad ones first.
pub fn message(findings: &[Finding]) -> String {
    let mut ordered: Vec<Finding> = findings.iter().map(shortened).collect();
    // It keeps the order of the examination among those that are as bad.
    ordered.sort_by_key(|finding| std::cmp::Reverse(finding.status));
    let width = report::width(&ordered);
    let (mut text, mut shown) = (String::new(), 0);
    for finding in &ordered {
        let row = row(finding, width);
        if text.len() + row.len() > LIMIT - FOOT {
            break;
        }
        text.push_str(&row);
        shown += 1;
    }
    if shown < ordered.len() {
        text.push_str(&format!("… {} more did not fit: see the log of this container\n", ordered.len() - shown));
    }
    text + "\n" + &report::sum(findings) + "\n"
}

fn row(finding: &Finding, width: usize) -> String {
    let mut row = Vec::new();
    report::row(finding, width, &mut row).expect("memory takes everything");
    String::from_utf8(row).expect("a row is text")
}

fn shortened(finding: &Finding) -> Finding {
    Finding { finding: cut(&finding.finding), fix: finding.fix.as_deref().map(cut), ..*finding }
}

fn cut(text: &str) -> String {
    // What it is escaped to counts.
    let text = report::plain(text);
    if text.len() <= LONGEST { text } else { format!("{}…", &text[..text.floor_char_boundary(LONGEST)]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_all_there_with_failures_first() {
        let findings = [
            Finding::ok("pool", "llm/llama"),
            Finding::skipped("tls", "no --picker"),
            Finding::warning("clock", "late", "set it"),
            Finding::failure("ports", "closed", "open them"),
        ];
        let expected = "\
failure  ports  closed
                fix: open them
warning  clock  late
                fix: set it
ok       pool   llm/llama
skipped  tls    no --picker

1 failure, 1 warning, 1 ok, 1 skipped
";
        assert_eq!(message(&findings), expected);
    }

    #[test]
    fn what_does_not_fit_is_counted_and_no_failure_gives_way_to_anything_else() {
        for length in [30, 100, 599, 601, 10_000] {
            let text = "é".repeat(length);
            let mut findings: Vec<Finding> = (0..100).map(|_| Finding::ok("ports", text.as_str())).collect();
            findings.push(Finding::failure("health", text.as_str(), text.as_str()));
            let message = message(&findings);
            assert!(message.len() <= LIMIT, "{}", message.len());
            assert!(message.starts_with("failure  health  éé"), "{message}");
            let shown = message.lines().filter(|line| line.starts_with("ok ")).count();
            assert!(message.contains(&format!("\n… {} more did not fit", 100 - shown)), "{message}");
            assert!(message.ends_with("\n\n1 failure, 0 warnings, 100 ok, 0 skipped\n"), "{message}");
        }
    }

    #[test]
    fn control_characters_do_not_make_a_row_too_long_for_the_message() {
        let message = message(&[Finding::failure("a", "\u{1}".repeat(LONGEST), "\u{1}".repeat(LONGEST))]);
        assert!(message.starts_with(r"failure  a  \u{1}"), "{message}");
    }
}
