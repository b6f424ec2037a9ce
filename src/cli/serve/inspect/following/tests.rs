use std::time::{Instant, SystemTime};

use futures_util::FutureExt;

use super::*;
use crate::config::{PickerConfig, live};
use crate::model::SessionSource;
use crate::state::{PrefixIndex, pool};

fn picker() -> Arc<Picker> {
    let index = Arc::<PrefixIndex>::default();
    let (pool, _writer) = pool(Arc::clone(&index));
    let (config, _writer) = live(PickerConfig::default());
    Arc::new(Picker::new(pool, config, index, Arc::default(), "pool", Instant::now()))
}

/// Decides `count` times: for r0, r1, r0, r1 and so on, by prefix where r1 is picked, request ids as counted.
fn decide(picker: &Picker, count: u64) {
    for _ in 0..count {
        let number = picker.decisions().kept().end;
        let odd = !number.is_multiple_of(2);
        picker.decisions().push(Arc::new(Decision {
            at: SystemTime::UNIX_EPOCH,
            request_id: Some(format!("id-{number}").into()),
            endpoint: if odd { "r1" } else { "r0" }.into(),
            address: ([127, 0, 0, 1], 8001).into(),
            reason: if odd { Reason::Prefix } else { Reason::Load },
            session: SessionSource::None,
            session_field: None,
            model: None,
            prompt_tokens: 0.0,
            eligible: 2,
            choices: Default::default(),
        }));
    }
}

fn filter(endpoint: &str, reason: &str, request_id: &str) -> Filter {
    Filter::new(endpoint.into(), reason, request_id.into()).expect("a reason")
}

async fn numbers(mut following: Following) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(answer) = following.next().await {
        assert_eq!(answer.missed, 0);
        numbers.push(answer.number);
    }
    numbers
}

#[tokio::test]
async fn the_last_decisions_come_oldest_first_and_the_limit_counts_those_that_pass() {
    let cases: [(u64, Filter, u32, &[u64]); 9] = [
        (0, filter("", "", ""), 10, &[]),
        (6, filter("", "", ""), 10, &[0, 1, 2, 3, 4, 5]),
        (6, filter("", "", ""), 2, &[4, 5]),
        (6, filter("", "", ""), 0, &[]),
        (6, filter("r1", "", ""), 2, &[3, 5]),
        (6, filter("", "load", ""), 1, &[4]),
        (6, filter("", "", "id-3"), 10, &[3]),
        (6, filter("r0", "prefix", ""), 10, &[]),
        (6, filter("r9", "", ""), 10, &[]),
    ];
    for (decisions, filter, limit, expected) in cases {
        let picker = picker();
        decide(&picker, decisions);
        let told = format!("{filter:?}, {limit}");
        let following = Following::new(Arc::clone(&picker), filter, limit, false);
        decide(&picker, 2);
        assert_eq!(numbers(following).await, expected, "{told}");
    }
}

#[tokio::test]
async fn whoever_follows_sees_what_is_decided_later_and_nothing_twice() {
    let picker = picker();
    decide(&picker, 5);
    let mut following = Following::new(Arc::clone(&picker), filter("r1", "", ""), 1, true);
    assert_eq!(following.next().await.map(|answer| answer.number), Some(3));
    assert!(following.next().now_or_never().is_none(), "waits for the next");
    decide(&picker, 5);
    for expected in [5, 7, 9] {
        assert_eq!(following.next().await.map(|answer| (answer.number, answer.missed)), Some((expected, 0)));
    }
}

#[tokio::test]
async fn what_was_overwritten_before_it_was_looked_at_is_counted_once() {
    let picker = picker();
    decide(&picker, 10);
    let mut following = Following::new(Arc::clone(&picker), filter("", "", ""), 3, true);
    assert_eq!(following.next().await.map(|answer| answer.number), Some(7));
    decide(&picker, 2_000);
    let kept = picker.decisions().kept();
    let answer = following.next().await.expect("a decision");
    assert_eq!((answer.number, answer.missed), (kept.start, kept.start - 8));
    assert_eq!(following.next().await.map(|answer| answer.missed), Some(0));
}

#[tokio::test]
async fn a_list_ends_where_it_was_asked_to_also_when_the_log_has_gone_on() {
    let picker = picker();
    decide(&picker, 10);
    let mut following = Following::new(Arc::clone(&picker), filter("", "", ""), 10, false);
    decide(&picker, 2_000);
    assert!(following.next().await.is_none());
}

#[test]
fn a_reason_that_does_not_exist_is_no_filter() {
    assert!(Filter::new(String::new(), "prefx", String::new()).is_none());
}
