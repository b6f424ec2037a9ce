use std::collections::HashMap;
use std::thread;
use std::time::SystemTime;

use super::*;
use crate::model::{Reason, SessionSource};

/// A decision that can be told from others by its prompt's length.
fn decision(prompt_tokens: u32) -> Arc<Decision> {
    Arc::new(Decision {
        at: SystemTime::UNIX_EPOCH,
        request_id: None,
        endpoint: "r1".into(),
        address: ([127, 0, 0, 1], 8001).into(),
        reason: Reason::Load,
        session: SessionSource::None,
        session_field: None,
        model: None,
        prompt_tokens: prompt_tokens.into(),
        eligible: 1,
        choices: Default::default(),
    })
}

fn tokens(decisions: &[Arc<Decision>]) -> Vec<f64> {
    decisions.iter().map(|decision| decision.prompt_tokens).collect()
}

#[test]
fn the_newest_come_first_and_the_oldest_give_way() {
    let log = DecisionLog::new(3);
    assert_eq!((log.kept(), log.recent(9).len()), (0..0, 0));
    for n in 0..5 {
        assert_eq!(log.push(decision(n)), u64::from(n));
    }
    assert_eq!(log.kept(), 2..5);
    assert_eq!(tokens(&log.recent(9)), [4.0, 3.0, 2.0]);
    assert_eq!(tokens(&log.recent(1)), [4.0]);
    assert!(log.recent(0).is_empty());
}

#[test]
fn a_number_names_one_decision_for_ever() {
    let log = DecisionLog::new(2);
    for n in 0..3 {
        assert!(log.get(n.into()).is_none(), "not made yet");
        log.push(decision(n));
        assert_eq!(log.get(n.into()).map(|found| found.prompt_tokens), Some(n.into()));
    }
    assert!(log.get(0).is_none(), "overwritten");
    assert!(log.get(u64::MAX / 2 - 1).is_none());
}

#[test]
fn a_writer_that_was_overtaken_by_the_whole_ring_changes_nothing() {
    let log = DecisionLog::new(1);
    log.push(decision(0));
    log.push(decision(1));
    log.slot(0).write(0, decision(0));
    assert_eq!(tokens(&log.recent(1)), [1.0]);
}

#[test]
fn whoever_reads_while_others_write_gets_each_decision_under_its_own_number() {
    const WRITERS: u32 = 4;
    const EACH: u32 = 5_000;
    let log = DecisionLog::new(64);
    let mut read = Vec::new();
    let mut written = HashMap::new();
    thread::scope(|scope| {
        let log = &log;
        let write = |writer| (0..EACH).map(move |n| writer * EACH + n).map(|id| (log.push(decision(id)), id)).collect();
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || -> Vec<_> { write(writer) })).collect();
        let mut number = 0;
        while number < u64::from(WRITERS * EACH) {
            let kept = log.kept();
            read.extend(log.get(number).map(|found| (number, found.prompt_tokens)));
            number = if number < kept.start { kept.start } else { kept.end.min(number + 1) };
        }
        written.extend(writers.into_iter().flat_map(|writer| writer.join().expect("a writer ends")));
    });
    assert_eq!(written.len(), (WRITERS * EACH) as usize, "no number is given twice");
    assert!(!read.is_empty());
    for (number, tokens) in read {
        assert_eq!(tokens, f64::from(written[&number]), "number {number}");
    }
}
