//! What was asked for, and what of it cannot be.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

use anyhow::{bail, ensure};

use crate::replay::change::Change;
use crate::replay::policy::Spec;
use crate::replay::trace::{Format, Survey, Trace};
use crate::replay::{Rate, Seconds};

use super::Args;

/// Rates beyond so many times the trace's own are told to shrink the pauses.
const FAST: f64 = 2.0;

/// Refuses what could not be told apart afterwards, or what would silently do nothing.
///
/// # Errors
/// What it is, and what to write instead.
pub fn check(args: &Args, policies: &[Spec], trace: &Trace, survey: &Survey) -> anyhow::Result<()> {
    if let Some(name) = twice(policies.iter().map(|spec| spec.name.as_str())) {
        bail!("--policy: {name:?} is there twice; give one of them another name: OTHER=FILE");
    }
    if let Some(count) = twice(args.pickers.iter()) {
        bail!("--pickers: {count} is there twice");
    }
    if let Some(every) = twice(args.share_every.iter()) {
        bail!("--share-every: {every} is there twice");
    }
    let can_share = args.pickers.iter().any(|count| *count > 1) && policies.iter().any(|spec| spec.kind.can_share());
    ensure!(
        can_share || args.share_every.iter().all(|every| every.0.is_none()),
        "--share-every: only several pickers of Homing tell each other anything; add --pickers 2 and --policy default"
    );
    ensure!(
        trace.format() != Format::Mooncake || args.engines.block_tokens_asked().is_none(),
        "--block-tokens: the hash ids of this trace stand for 512 tokens each, and that is the block; leave it out"
    );
    let end = end(if args.capacity { &[] } else { &args.rates }, survey);
    if let Some(Change { at, .. }) = args.changes.iter().find(|change| change.at > end) {
        bail!("--event: the last request comes after {end:.0} s, so nothing would be seen of what happens at {at} s");
    }
    Ok(())
}

/// What is said of rates at which conversations are no longer what they were.
pub fn note(rates: &[Rate], survey: &Survey) -> Option<String> {
    let own = survey.rate()?;
    let times = |rate: &Rate| match rate {
        Rate::Times(times) => *times,
        Rate::PerSecond(rate) => rate / own,
    };
    let most = rates.iter().map(times).fold(0.0, f64::max);
    (most > FAST).then(|| {
        format!(
            "at {most:.1} times the trace's own pace the pauses within conversations shrink as well; `--copies` gives \
             more conversations at the same pace"
        )
    })
}

/// When the last request of the slowest replay comes; never, where that is not known.
fn end(rates: &[Rate], survey: &Survey) -> Seconds {
    let end = |rate: &Rate| match rate {
        Rate::Times(times) => survey.length / times,
        Rate::PerSecond(rate) => survey.requests as f64 / rate,
    };
    rates.iter().map(end).reduce(f64::max).unwrap_or(Seconds::INFINITY)
}

/// The first that was there before.
fn twice<T: Copy + Eq + Hash + Display>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let mut seen = HashSet::new();
    all.find(|one| !seen.insert(*one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_rate_is_told_what_it_does_to_pauses() {
        let survey = Survey { requests: 10, length: 10.0, ..Survey::default() };
        for (rate, is_fast) in [
            (Rate::Times(2.0), false),
            (Rate::Times(2.5), true),
            (Rate::PerSecond(1.9), false),
            (Rate::PerSecond(30.0), true),
        ] {
            assert_eq!(note(&[Rate::Times(1.0), rate], &survey).is_some(), is_fast, "{rate:?}");
        }
        assert_eq!(note(&[Rate::PerSecond(9.0)], &Survey { length: 0.0, ..survey }), None);
    }
}
