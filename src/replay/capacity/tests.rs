use super::*;
use crate::replay::engine::{Constants, Profile, Request};
use crate::replay::fixtures::{Conversations, stage};
use crate::replay::policy::Spec;
use crate::replay::run::Stage;
use crate::replay::trace::{Format, MOONCAKE_BLOCK, Trace};

fn constants() -> Constants {
    Constants { block_tokens: MOONCAKE_BLOCK, ..Profile::Dense70b.constants() }
}

fn found(text: &str, policy: &str, replicas: usize) -> (Capacity, f64) {
    searched(text, policy, replicas, constants()).expect("readable")
}

/// The capacity, and how much was said to be done at last.
fn searched(text: &str, policy: &str, replicas: usize, constants: Constants) -> Result<(Capacity, f64), ReplayError> {
    let trace = Trace::text(text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = Stage { constants, replicas, ..stage(&trace, &survey) };
    let spec: Spec = policy.parse().expect("a policy");
    let mut last = 0.0;
    let found = capacity(&stage, &spec.kind, &mut |done| {
        assert!((last..=1.0).contains(&done), "{last} {done}");
        last = done;
    });
    Ok((found?, last))
}

#[test]
fn a_capacity_meets_the_objective_and_progress_ends_at_the_end() {
    let text = Conversations { count: 60, turns: 4, turn_blocks: 6, within: 100_000 }.text(1);
    let (found, done) = found(&text, "default", 2);
    assert!(found.per_second() > 0.0 && found.outcome.meets(ONE_IN));
    assert!(found.outcome.summary().slo_attainment < 1.0, "the search stopped too early");
    assert_eq!(done, 1.0);
}

#[test]
fn twice_the_engines_carry_about_twice_as_much() {
    let text = Conversations { count: 200, turns: 1, turn_blocks: 20, within: 100_000 }.text(2);
    let [two, four] = [2, 4].map(|replicas| found(&text, "least-requests", replicas).0.per_second());
    assert!((1.5..3.0).contains(&(four / two)), "{two} {four}");
}

#[test]
fn a_limit_of_the_search_is_told() {
    let one = "{\"timestamp\": 0, \"input_length\": 1000, \"output_length\": 1, \"hash_ids\": []}\n";
    let (few, _) = found(&one.repeat(10), "round-robin", 8);
    assert!(matches!(few.found, Found::AtLeast(rate) if rate == few.per_second()), "{:?}", few.found);
    assert_eq!(few.doubts().len(), 2, "{:?}", few.doubts());

    let many = "{\"timestamp\": 0, \"input_length\": 30, \"output_length\": 20000, \"hash_ids\": []}\n".repeat(300);
    let slow = Constants { max_sequences: 1, ..constants() };
    let none = searched(&many, "round-robin", 1, slow).expect("readable").0;
    assert!(matches!(none.found, Found::Below(_)) && none.per_second() == 0.0 && none.rate > 0.0, "{:?}", none.found);
    assert!(none.doubts()[0].starts_with("the capacity is below"), "{:?}", none.doubts());
}

#[test]
fn where_no_request_fits_there_is_no_capacity() {
    let long = "{\"timestamp\": 0, \"input_length\": 1000, \"output_length\": 1, \"hash_ids\": []}\n";
    let small = Constants { cache_tokens: 1, ..constants() };
    let error = searched(&long.repeat(200), "random", 1, small).expect_err("nothing fits");
    assert!(matches!(error, ReplayError::NothingFits), "{error}");
}

#[test]
fn one_in_ten_may_be_late_and_not_one_more() {
    for (late, quick, meets) in [(1, 9, true), (1, 8, false), (600, 5_400, true), (600, 5_399, false)] {
        let mut outcome = Outcome::default();
        let constants = constants();
        for number in 0..late + quick {
            let request = Request { number, arrived: 0.0, input_tokens: 1, output_tokens: 1 };
            outcome.first_token(&request, 0, if number < late { 100.0 } else { 0.1 }, &constants);
        }
        assert_eq!(outcome.meets(ONE_IN), meets, "{late} of {}", late + quick);
        assert_eq!(outcome.misses() <= (late + quick) / ONE_IN, meets, "the search gives up where it is missed");
    }
}
