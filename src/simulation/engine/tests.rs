use proptest::prelude::*;

use super::*;
use crate::simulation::words::Words;

const CONSTANTS: Constants = Constants {
    cache_tokens: 1_600,
    block_tokens: 16,
    prefill_tokens_per_second: 1_000.0,
    decode_step: Duration::from_millis(20),
    bytes_per_token: 4,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn prompt(name: u8, tokens: usize) -> Vec<u8> {
    vec![name; tokens * 4]
}

fn job(prompt: Vec<u8>, output: u64) -> Job {
    Job::new(prompt, output, &CONSTANTS).expect("fits")
}

fn events(engine: &mut Engine, until: u64) -> Vec<(Duration, Event)> {
    engine.advance(ms(until)).collect()
}

fn first(job: JobId, cached_tokens: u64) -> Event {
    Event::FirstToken(FirstToken { job, cached_tokens })
}

#[test]
fn a_prefill_costs_its_uncached_tokens_and_a_decode_its_steps() {
    let mut engine = Engine::new(CONSTANTS);
    let id = engine.submit(ms(0), job(prompt(b'a', 100), 11));
    assert_eq!(engine.next_event(), Some(ms(100)));
    assert_eq!(events(&mut engine, 1_000), [(ms(100), first(id, 0)), (ms(300), Event::Finished(id))]);
    assert_eq!(engine.next_event(), None);
}

#[test]
fn prefills_run_one_at_a_time_in_the_order_they_came() {
    let mut engine = Engine::new(CONSTANTS);
    let a = engine.submit(ms(0), job(prompt(b'a', 100), 1));
    let b = engine.submit(ms(10), job(prompt(b'b', 50), 1));
    assert_eq!((engine.running(), engine.waiting()), (1, 1));
    let firsts: Vec<_> =
        events(&mut engine, 1_000).into_iter().filter(|(_, event)| matches!(event, Event::FirstToken(_))).collect();
    assert_eq!(firsts, [(ms(100), first(a, 0)), (ms(150), first(b, 0))]);
}

#[test]
fn decodes_do_not_slow_a_prefill() {
    let mut engine = Engine::new(CONSTANTS);
    engine.submit(ms(0), job(prompt(b'a', 10), 100));
    let b = engine.submit(ms(50), job(prompt(b'b', 50), 1));
    assert!(events(&mut engine, 200).contains(&(ms(100), first(b, 0))));
}

#[test]
fn the_last_token_of_a_cached_prompt_is_computed_again() {
    let mut engine = Engine::new(CONSTANTS);
    engine.submit(ms(0), job(prompt(b'a', 64), 1));
    let again = engine.submit(ms(100), job(prompt(b'a', 64), 1));
    assert!(events(&mut engine, 200).contains(&(ms(116), first(again, 48))));
}

#[test]
fn an_answer_that_comes_back_as_history_is_cached() {
    let mut engine = Engine::new(CONSTANTS);
    let question = prompt(b'a', 64);
    let answer = Words::seeded(&question, 4).text(32);
    engine.submit(ms(0), job(question.clone(), 32));
    let history = [question, answer.into_bytes(), prompt(b'q', 16)].concat();
    let next = engine.submit(ms(2_000), job(history, 1));
    assert!(events(&mut engine, 3_000).contains(&(ms(2_016), first(next, 96))));
}

#[test]
fn a_job_that_finds_no_room_waits_until_another_ends() {
    let mut engine = Engine::new(CONSTANTS);
    let large = engine.submit(ms(0), job(prompt(b'a', 1_500), 11));
    let next = engine.submit(ms(0), job(prompt(b'b', 300), 1));
    let log = events(&mut engine, 5_000);
    assert!(log.contains(&(ms(1_700), Event::Finished(large))));
    assert!(log.contains(&(ms(2_000), first(next, 0))));
}

#[test]
fn a_job_larger_than_the_cache_is_refused() {
    assert!(Job::new(prompt(b'a', 1_600), 1, &CONSTANTS).is_err());
    assert!(Job::new(prompt(b'a', 1_599), 1, &CONSTANTS).is_ok());
}

#[test]
fn an_aborted_prefill_lets_the_next_start_and_keeps_what_it_computed() {
    let mut engine = Engine::new(CONSTANTS);
    let a = engine.submit(ms(0), job(prompt(b'a', 1_000), 1));
    let b = engine.submit(ms(0), job(prompt(b'a', 1_000), 1));
    engine.abort(ms(500), a);
    // 500 tokens were computed: 31 full blocks.
    assert_eq!(events(&mut engine, 5_000)[0], (ms(500 + 1_000 - 496), first(b, 496)));
}

#[test]
fn an_aborted_decode_and_an_aborted_wait_leave_nothing_behind() {
    let mut engine = Engine::new(CONSTANTS);
    let a = engine.submit(ms(0), job(prompt(b'a', 100), 500));
    let b = engine.submit(ms(0), job(prompt(b'b', 100), 500));
    engine.abort(ms(50), b);
    engine.abort(ms(150), a);
    assert_eq!((engine.running(), engine.waiting(), engine.kv_usage()), (0, 0, 0.0));
    assert_eq!(engine.totals().generated, 3);
}

#[test]
fn usage_counts_running_jobs_only() {
    let mut engine = Engine::new(CONSTANTS);
    engine.submit(ms(0), job(prompt(b'a', 799), 1));
    assert!((engine.kv_usage() - 0.5).abs() < 1e-9);
    engine.advance(ms(1_000)).for_each(drop);
    assert_eq!(engine.kv_usage(), 0.0);
}

proptest! {
    #[test]
    fn every_job_gets_one_first_token_and_one_end_unless_it_is_aborted(
        jobs in prop::collection::vec((0u64..200, b'a'..b'f', 1usize..400, 1u64..40, prop::option::of(0u64..3_000)), 1..40)
    ) {
        let mut engine = Engine::new(CONSTANTS);
        let mut calls: Vec<(u64, usize, bool)> = Vec::new();
        let mut at = 0;
        for (index, (gap, .., abort)) in jobs.iter().enumerate() {
            at += gap;
            calls.push((at, index, true));
            calls.extend(abort.map(|after| (at + after, index, false)));
        }
        calls.sort_by_key(|(at, index, submit)| (*at, *index, !*submit));
        let mut ids = vec![None; jobs.len()];
        let mut log = Vec::new();
        for (at, index, submit) in calls {
            let (_, name, tokens, output, _) = jobs[index];
            if submit {
                ids[index] = Some(engine.submit(ms(at), job(prompt(name, tokens), output)));
            } else if let Some(id) = ids[index] {
                engine.abort(ms(at), id);
            }
            log.extend(engine.advance(ms(at)));
        }
        log.extend(engine.advance(ms(10_000_000)));
        prop_assert!(log.is_sorted_by_key(|(at, _)| *at));
        for (index, id) in ids.iter().enumerate() {
            let id = id.expect("submitted");
            let firsts = log.iter().filter(|(_, event)| matches!(event, Event::FirstToken(first) if first.job == id)).count();
            let ends = log.iter().filter(|(_, event)| *event == Event::Finished(id)).count();
            prop_assert!(ends <= firsts && firsts <= 1);
            prop_assert!(ends == 1 || jobs[index].4.is_some());
        }
        prop_assert_eq!((engine.running(), engine.waiting(), engine.kv_usage()), (0, 0, 0.0));
    }
}
