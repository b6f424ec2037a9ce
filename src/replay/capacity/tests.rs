use super::*;
use crate::model::Now;
use crate::replay::engine::{Constants, Profile};
use crate::replay::fixtures::Conversations;
use crate::replay::policy::Spec;
use crate::replay::run::Stage;
use crate::replay::trace::{Format, MOONCAKE_BLOCK, Trace};

fn found(text: &str, policy: &str, replicas: usize) -> (Capacity, f64) {
    let trace = Trace::text(text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let constants = Constants { block_tokens: MOONCAKE_BLOCK, ..Profile::Dense70b.constants() };
    let stage = Stage {
        trace: &trace,
        survey: &survey,
        constants,
        replicas,
        pickers: 1,
        share_every: None,
        scrape: None,
        sessions_by_prefix: false,
        changes: &[],
        seed: 7,
        base: Now::read(),
    };
    let spec: Spec = policy.parse().expect("a policy");
    let mut last = 0.0;
    let found = capacity(&stage, &spec.kind, &mut |done| {
        assert!((0.0..=1.0).contains(&done), "{done}");
        last = done;
    });
    (found.expect("readable"), last)
}

#[test]
fn a_capacity_meets_the_objective_and_progress_ends_at_the_end() {
    let text = Conversations { count: 60, turns: 4, turn_blocks: 6, within: 100_000 }.text(1);
    let (found, done) = found(&text, "default", 2);
    assert!(found.rate > 0.0 && found.outcome.meets(SHARE));
    assert!(found.outcome.summary().slo_attainment < 1.0, "the search stopped too early");
    assert_eq!(done, 1.0);
}

#[test]
fn twice_the_engines_carry_about_twice_as_much() {
    let text = Conversations { count: 200, turns: 1, turn_blocks: 20, within: 100_000 }.text(2);
    let [two, four] = [2, 4].map(|replicas| found(&text, "least-requests", replicas).0.rate);
    assert!((1.5..3.0).contains(&(four / two)), "{two} {four}");
}

#[test]
fn the_bracket_halves_until_it_is_narrow() {
    let mut bracket = Bracket::default();
    let mut rate = 1.0;
    let mut tried = 0;
    loop {
        let outcome = if rate <= 3.3 { Outcome::default() } else { missed() };
        bracket.tried(rate, outcome);
        tried += 1;
        match bracket.next() {
            Some(next) => rate = next,
            None => break,
        }
    }
    let (met, _) = bracket.met.expect("1 is met");
    assert!((3.26..=3.3).contains(&met), "{met}");
    assert!(tried < 14, "{tried}");
}

/// An outcome that misses the objective.
fn missed() -> Outcome {
    let trace = "{\"timestamp\": 0, \"input_length\": 100000, \"output_length\": 1, \"hash_ids\": []}\n".repeat(9);
    let trace = Trace::text(&trace, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let constants = Constants { block_tokens: MOONCAKE_BLOCK, ..Profile::Dense70b.constants() };
    let stage = Stage {
        trace: &trace,
        survey: &survey,
        constants,
        replicas: 1,
        pickers: 1,
        share_every: None,
        scrape: None,
        sessions_by_prefix: false,
        changes: &[],
        seed: 7,
        base: Now::read(),
    };
    run(&stage, &Kind::RoundRobin, Rate::PerSecond(100.0), None, &mut |_| {}).expect("readable")
}
