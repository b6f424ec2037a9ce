//! Decisions as tables for people.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use crate::proto::inspect::{Charges, Choice, Decision};

/// Writes decisions that were made some time ago.
pub fn write(decisions: &[Decision], to: &mut impl Write) -> io::Result<()> {
    decisions.iter().try_for_each(|decision| write_ago(decision, to))
}

/// Writes one, by how long ago it was made.
pub fn write_ago(decision: &Decision, to: &mut impl Write) -> io::Result<()> {
    let since = SystemTime::now().duration_since(made(decision)).map_or(0, |time| time.as_secs());
    one(decision, &format_args!("{since} s ago:"), to)
}

/// Writes one by the time at which it was made, which stays true while more follow.
pub fn write_at(decision: &Decision, to: &mut impl Write) -> io::Result<()> {
    one(decision, &humantime::format_rfc3339_millis(made(decision)), to)
}

fn one(decision: &Decision, when: &dyn Display, to: &mut impl Write) -> io::Result<()> {
    let Decision {
        unix_millis: _,
        request_id,
        endpoint,
        address,
        reason,
        session,
        session_field,
        model,
        prompt_tokens,
        eligible,
        choices,
    } = decision;
    let field = session_field.as_deref().map(|field| format!(" ({})", field.escape_debug())).unwrap_or_default();
    writeln!(
        to,
        "{when} picked {endpoint} ({address}) because of {reason}: {prompt_tokens:.0} prompt tokens, model {}, \
         session {session}{field}, {eligible} eligible, request {}",
        or_dash(model.as_deref()),
        or_dash(request_id.as_deref())
    )?;
    writeln!(
        to,
        "    {:<20} {:>10} {:>10} {:>10} {:>9} | {:>10} {:>10} {:>10} {:>10} {:>10}",
        "endpoint", "cost", "uncached", "waiting", "in flight", "session", "prefix", "queue", "adapter", "penalty"
    )?;
    choices.iter().try_for_each(|choice| {
        // The table is as wide as it can be: `--output json` has what it leaves out.
        let Choice {
            endpoint,
            cost,
            uncached_tokens,
            held_by_session: _,
            computed_tokens: _,
            waiting_tokens,
            in_flight,
            charged,
            penalty,
        } = choice;
        let Charges { session_affinity, prefix_locality, queue_depth, adapter_locality } = charged.unwrap_or_default();
        writeln!(
            to,
            "    {endpoint:<20} {cost:>10.0} {uncached_tokens:>10.0} {waiting_tokens:>10.0} {in_flight:>9} | \
             {session_affinity:>10.0} {prefix_locality:>10.0} {queue_depth:>10.0} {adapter_locality:>10.0} {penalty:>10.0}"
        )
    })
}

/// A client chose these texts: they must not speak to the terminal.
fn or_dash(text: Option<&str>) -> std::str::EscapeDebug<'_> {
    text.filter(|text| !text.is_empty()).unwrap_or("-").escape_debug()
}

/// A picker may claim any time; one that no clock can show is shown as the beginning of time.
fn made(decision: &Decision) -> SystemTime {
    let latest = Duration::from_secs(253_402_300_799);
    let since = Duration::from_millis(decision.unix_millis);
    SystemTime::UNIX_EPOCH + if since > latest { Duration::ZERO } else { since }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision() -> Decision {
        let choice = Choice { endpoint: "r1".into(), cost: 1_500.4, in_flight: 3, ..Choice::default() };
        Decision {
            unix_millis: 1_790_000_000_123,
            endpoint: "r1".into(),
            address: "127.0.0.1:8001".into(),
            reason: "prefix".into(),
            session: "header".into(),
            session_field: Some("x-session-id".into()),
            choices: vec![choice],
            ..Decision::default()
        }
    }

    fn written(decision: &Decision) -> String {
        let mut out = Vec::new();
        write_at(decision, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_decision_is_a_line_and_a_table() {
        let text = written(&decision());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "2026-09-21T14:13:20.123Z picked r1 (127.0.0.1:8001) because of prefix: 0 prompt tokens, model -, session \
             header (x-session-id), 0 eligible, request -"
        );
        assert!(lines[2].starts_with("    r1                         1500 "), "{text}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn what_a_client_chose_does_not_speak_to_the_terminal() {
        let text = written(&Decision {
            model: Some("\u{1b}[2J".into()),
            request_id: Some("a\nb".into()),
            unix_millis: u64::MAX,
            ..decision()
        });
        assert!(!text.contains('\u{1b}') && text.contains("request a\\nb\n"), "{text}");
    }
}
