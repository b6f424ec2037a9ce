//! A gateway that tries again elsewhere tells by that what it found.

use super::*;
use crate::state::Outcome::{Answered, Unreachable};

#[test]
fn a_retry_that_another_endpoint_served_is_a_connection_failure_of_the_picked_one_until_it_answers() {
    let world = world(&["r1", "r2"]);
    let only = endpoint("r1").address;
    let other = endpoint("r2").address;
    let is_gone = || world.picker.pool.load().members()[0].load.is_gone();
    let count = |outcome| world.picker.pool.load().members()[0].load.count(outcome, world.now.instant);
    let mut subset = Subset::default();
    subset.admit(&only.to_string());
    let moved = |_nth| {
        let request = Request { subset: Some(&subset), ..request(None, None) };
        let mut picked = world.picker.pick(&request, world.now).expect("an endpoint is eligible");
        picked.answered(Head { served: Some(other), ..ok() }, world.now);
        picked.completed(Usage::default(), world.now);
    };
    for before in [&[Unreachable][..], &[]] {
        before.iter().for_each(|outcome| count(*outcome));
        (before.len()..2).for_each(moved);
        assert!(!is_gone(), "after two");
        moved(2);
        assert!(is_gone(), "after three");
        count(Answered);
        assert!(!is_gone(), "after an answer");
    }
    assert!(world.picker.endpoints(world.now.instant)[0].failure_share > 0.5);
}
