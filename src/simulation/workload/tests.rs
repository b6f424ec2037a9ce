use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::*;
use crate::simulation::words::Words;
use crate::simulation::{Constants, Engine, Event, Job, JobId};

const ENGINES: usize = 6;

fn plan(rate: f64, seed: u64, seconds: u64) -> Workload {
    Workload::new(Shape { starts_per_second: rate, ..Shape::default() }, seed, Duration::from_secs(seconds))
}

/// One answered request of a run in virtual time.
struct Served {
    asked: Duration,
    first_token: Duration,
}

/// Runs a workload by round robin in virtual time.
fn round_robin(workload: &Workload, length: Duration) -> Vec<Served> {
    let constants = Constants::default();
    let mut engines: Vec<Engine> = (0..ENGINES).map(|_| Engine::new(constants)).collect();
    let mut dialogues: Vec<Dialogue> = Vec::new();
    let mut questions = BinaryHeap::new();
    for (index, conversation) in workload.conversations().iter().enumerate() {
        dialogues.push(workload.dialogue(conversation, constants.bytes_per_token));
        questions.push(Reverse((conversation.joins, index)));
    }
    let mut running: HashMap<(usize, JobId), (usize, Served)> = HashMap::new();
    let mut served = Vec::new();
    let mut turn = 0;
    loop {
        let asks = questions.peek().map(|Reverse((at, _))| *at);
        let happens = engines.iter().filter_map(Engine::next_event).min();
        let Some(now) = asks.into_iter().chain(happens).min().filter(|now| *now < length) else { return served };
        for (place, engine) in engines.iter_mut().enumerate() {
            for (at, event) in engine.advance(now) {
                match event {
                    Event::FirstToken(first) => {
                        let (_, served) = running.get_mut(&(place, first.job)).expect("running");
                        served.first_token = at;
                    }
                    Event::Finished(job) => {
                        let (index, done) = running.remove(&(place, job)).expect("running");
                        let text = Words::seeded(&dialogues[index].render(), constants.bytes_per_token);
                        dialogues[index].answered(text.text(workload.shape().answer_tokens));
                        questions.push(Reverse((at + workload.shape().thinking, index)));
                        served.push(done);
                    }
                }
            }
        }
        while let Some(Reverse((at, index))) = questions.peek().copied().filter(|Reverse((at, _))| *at <= now) {
            questions.pop();
            if !dialogues[index].ask() {
                continue;
            }
            let job = Job::new(dialogues[index].render(), workload.shape().answer_tokens, &constants).expect("fits");
            let record = Served { asked: at, first_token: at };
            let place = turn % ENGINES;
            turn += 1;
            running.insert((place, engines[place].submit(now, job)), (index, record));
        }
    }
}

/// Whether requests late in a long run wait no longer than requests in its middle.
fn carries(rate: f64) -> bool {
    let served = round_robin(&plan(rate, 1, 900), Duration::from_secs(900));
    let mean_wait = |from: f64, to: f64| {
        let part = served.iter().filter(|one| (from..to).contains(&one.asked.as_secs_f64()));
        let waits: Vec<f64> = part.map(|one| (one.first_token - one.asked).as_secs_f64()).collect();
        waits.iter().sum::<f64>() / waits.len() as f64
    };
    mean_wait(600.0, 850.0) < 1.5 * mean_wait(200.0, 450.0)
}

#[test]
fn round_robin_carries_what_is_written_and_no_more() {
    assert!(carries(ROUND_ROBIN_CARRIES));
    assert!(!carries(ROUND_ROBIN_CARRIES + 0.5));
}

#[test]
fn the_same_seed_plans_the_same_and_another_seed_something_else() {
    assert_eq!(plan(4.0, 7, 60).conversations(), plan(4.0, 7, 60).conversations());
    assert_ne!(plan(4.0, 7, 60).conversations(), plan(4.0, 8, 60).conversations());
}

#[test]
fn starts_come_at_the_rate_that_was_asked_for() {
    let workload = plan(4.0, 1, 10_000);
    let fresh = workload.conversations().iter().filter(|conversation| conversation.past_turns == 0).count();
    assert!((38_000..42_000).contains(&fresh), "{fresh}");
}

#[test]
fn a_run_begins_in_the_middle_of_conversations() {
    let workload = plan(4.0, 1, 60);
    let joined = workload.conversations().iter().filter(|conversation| conversation.past_turns > 0);
    assert!(joined.clone().count() > 60);
    assert!(
        joined.clone().all(|conversation| conversation.joins <= workload.shape().turn_time
            && conversation.past_turns < conversation.turns)
    );
}

#[test]
fn the_first_system_prompt_is_used_twice_as_often_as_the_second() {
    let mut uses: BTreeMap<u32, f64> = BTreeMap::new();
    for conversation in plan(4.0, 1, 10_000).conversations() {
        *uses.entry(conversation.system).or_default() += 1.0;
    }
    assert_eq!((uses.len(), *uses.keys().min().expect("some")), (24, 0));
    assert!((1.8..2.2).contains(&(uses[&0] / uses[&1])));
}

#[test]
fn a_dialogue_grows_by_whole_turns() {
    let workload = plan(4.0, 1, 60);
    let conversation = Conversation { number: 1, joins: Duration::ZERO, system: 0, past_turns: 1, turns: 2 };
    let mut dialogue = workload.dialogue(&conversation, 4);
    assert!(dialogue.ask());
    let lengths: Vec<_> = dialogue.messages().iter().map(|message| (message.role, message.content.len())).collect();
    assert_eq!(lengths, [("system", 8_000), ("user", 800), ("assistant", 400), ("user", 800)]);
    dialogue.answered(String::new());
    assert!(!dialogue.ask());
}
