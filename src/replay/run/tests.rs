use super::*;
use crate::config::PickerConfig;
use crate::replay::engine::{Constants, Profile};
use crate::replay::fixtures::{Conversations, constants, stage};
use crate::replay::policy::Spec;
use crate::replay::trace::Format;

/// Half of what they share fits into one cache, and all of it into four.
const CHATS: Conversations = Conversations { count: 40, turns: 5, turn_blocks: 3, within: 60_000 };

fn replay(text: &str, policy: &str, rate: Rate, replicas: usize) -> Outcome {
    let trace = Trace::text(text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = Stage { replicas, ..stage(&trace, &survey) };
    let spec: Spec = policy.parse().expect("a policy");
    run(&stage, &spec.kind, rate, None, &mut |_| {}).expect("readable")
}

#[test]
fn the_default_finds_more_in_caches_than_round_robin_and_answers_sooner() {
    let text = CHATS.text(1);
    let [default, round_robin] = ["default", "round-robin"].map(|policy| replay(&text, policy, Rate::Times(1.5), 4));
    let [default, round_robin] = [default.summary(), round_robin.summary()];
    assert!(default.hit_ratio > 1.5 * round_robin.hit_ratio, "{default:?} {round_robin:?}");
    assert!(default.ttft_s.mean < 0.7 * round_robin.ttft_s.mean, "{default:?} {round_robin:?}");
}

#[test]
fn no_policy_finds_more_than_the_bounds() {
    let text = CHATS.text(2);
    let infinite = replay(&text, "infinite-cache", Rate::Times(0.2), 4).summary().hit_ratio;
    for policy in Spec::names() {
        let found = replay(&text, policy, Rate::Times(0.2), 4).summary().hit_ratio;
        assert!(found <= infinite, "{policy}: {found} of {infinite}");
    }
}

#[test]
fn no_policy_with_caches_of_its_own_finds_more_than_one_cache_that_holds_everything() {
    // All that is shared fits into the caches of all: then none loses what the pooled one keeps.
    let text = CHATS.text(2);
    let pooled = replay(&text, "pooled-cache", Rate::Times(0.2), 8).summary().hit_ratio;
    for policy in Spec::names().filter(|name| *name != "infinite-cache") {
        let found = replay(&text, policy, Rate::Times(0.2), 8).summary().hit_ratio;
        assert!(found <= pooled, "{policy}: {found} of {pooled}");
    }
}

#[test]
fn on_idle_engines_nobody_sends_everything_to_the_same() {
    // Prompts that have nothing in common: who knows everything still has to choose among equals.
    let line = "{\"timestamp\": 0, \"input_length\": 5000, \"output_length\": 9, \"hash_ids\": []}\n";
    for policy in Spec::names() {
        let outcome = replay(&line.repeat(200), policy, Rate::PerSecond(0.05), 4);
        let loads: Vec<f64> = outcome.load().means().iter().map(|means| means.iter().sum()).collect();
        let least = loads.iter().copied().fold(f64::MAX, f64::min);
        assert!(least > 0.1 * loads.iter().sum::<f64>(), "{policy}: {loads:?}");
    }
}

#[test]
fn who_knows_everything_sends_nothing_to_the_dead() {
    for policy in ["greedy-ttft", "pooled-cache", "infinite-cache"] {
        assert_eq!(changed(policy, &["0s:fail:r1", "0s:fail:r2"]).lost(), Failed::default(), "{policy}");
        assert_eq!(changed(policy, &["0s:fail:r0", "0s:fail:r1", "0s:fail:r2", "0s:fail:r3"]).served(), 0, "{policy}");
    }
}

fn tried(text: &str, constants: Constants, rate: Rate) -> Result<Outcome, ReplayError> {
    let trace = Trace::text(text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = Stage { constants, ..stage(&trace, &survey) };
    run(&stage, &Kind::Homing(Box::default()), rate, None, &mut |_| {})
}

#[test]
fn a_replay_that_does_not_end_is_an_error_and_never_a_good_outcome() {
    let text = CHATS.text(12);
    for (constants, rate, said) in [
        (Constants { attention_tokens: 1e-308, ..constants() }, Rate::Times(1.0), "200 of 200 requests never end"),
        (Constants { tokens_per_second: 1e-308, ..constants() }, Rate::Times(1.0), "200 of 200 requests never end"),
        (Constants { tokens_per_second: 1e-9, ..constants() }, Rate::Times(1.0), "more than a hundred years"),
        (constants(), Rate::Times(1e-320), "more than a hundred years"),
        (constants(), Rate::PerSecond(1e-9), "more than a hundred years"),
    ] {
        let error = tried(&text, constants, rate).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
    let near = "{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 1, \"hash_ids\": []}\n";
    let text = near.to_owned() + &near.replace(": 0,", ": 1e-310,");
    match tried(&text, constants(), Rate::PerSecond(2.0)) {
        Ok(outcome) => assert_eq!(outcome.served(), 2),
        Err(error) => assert!(matches!(error, ReplayError::TooLong), "{error}"),
    }
}

#[test]
fn idle_years_are_passed_over() {
    // Fifty years between two requests; 1.6e9 scrapes if all were made.
    let text = "{\"timestamp\": 0, \"input_length\": 900, \"output_length\": 9, \"hash_ids\": []}\n";
    let text = text.to_owned() + &text.replace(": 0,", ": 1600000000000,");
    assert_eq!(tried(&text, constants(), Rate::Times(1.0)).expect("readable").served(), 2);
}

#[test]
fn where_nobody_is_served_there_are_no_numbers() {
    let all_gone = changed("default", &["0s:remove:r0", "0s:remove:r1", "0s:remove:r2", "0s:remove:r3"]);
    let Summary { hit_ratio, ttft_s, slo_attainment } = all_gone.summary();
    assert!(hit_ratio.is_nan() && ttft_s.mean.is_nan() && ttft_s.p99.is_nan());
    assert_eq!((all_gone.turned_away(), slo_attainment, all_gone.meets(10)), (200, 0.0, false));
    let long = "{\"timestamp\": 0, \"input_length\": 4294967295, \"output_length\": 4294967295, \"hash_ids\": []}";
    let outcome = tried(long, constants(), Rate::Times(1.0)).expect("readable");
    assert!((outcome.left_out(), outcome.served()) == (1, 0) && outcome.summary().slo_attainment.is_nan());
    assert!(!outcome.meets(10));
}

/// The hits of sessions that hash, with the sessions that the trace names and with those that are found in prompts.
fn hashed(text: &str) -> [f64; 2] {
    let unnamed: String =
        text.lines().map(|line| line.split(", \"session\"").next().unwrap_or(line).to_owned() + "}\n").collect();
    [text, &unnamed].map(|text| replay(text, "session-hash", Rate::PerSecond(4.0), 4).summary().hit_ratio)
}

#[test]
fn conversations_are_found_in_prompts_also_where_several_system_prompts_are_hot() {
    let mut text = String::new();
    for turn in 1..=4u64 {
        for chat in 0..60u64 {
            let family = chat % 4;
            let own = (0..turn * 3).map(|block| 1_000 + chat * 100 + block);
            let ids: Vec<u64> = [family * 2, family * 2 + 1].into_iter().chain(own).collect();
            let (at, input) = (turn * 60_000 + chat * 1_000, ids.len() * 512 + 100);
            text += &format!(
                "{{\"timestamp\": {at}, \"input_length\": {input}, \"output_length\": 50, \"hash_ids\": {ids:?}, \
                 \"session\": \"{chat}\"}}\n"
            );
        }
    }
    let [named, found] = hashed(&text);
    assert!(found > 0.9 * named, "{found} of {named}");
    let odd = text.clone()
        + "{\"timestamp\": 999000, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [7, 8], \"session\": \"odd\"}\n";
    let [named, found] = hashed(&odd);
    assert!(found > 0.9 * named, "{found} of {named}");
}

#[test]
fn four_copies_on_four_times_the_engines_are_like_one_on_one_share() {
    let text = CHATS.text(13);
    let trace = Trace::text(&text, Format::Mooncake);
    let kind = Kind::LeastRequests;
    let once = trace.survey().expect("readable");
    let fourfold = once.clone().times(4);
    let [one, four] = [(1, &once), (4, &fourfold)].map(|(copies, survey)| {
        let stage = Stage { copies, replicas: 2 * copies, ..stage(&trace, survey) };
        run(&stage, &kind, Rate::Times(1.0), None, &mut |_| {}).expect("readable")
    });
    assert_eq!((one.served(), four.served()), (200, 800));
    let ratio = four.summary().ttft_s.mean / one.summary().ttft_s.mean;
    assert!((0.5..1.6).contains(&ratio), "{ratio}");
}

#[test]
fn every_policy_serves_everything_and_does_so_again_in_the_same_way() {
    let text = CHATS.text(3);
    for policy in Spec::names() {
        let [first, second] = [(), ()].map(|()| replay(&text, policy, Rate::PerSecond(5.0), 3));
        assert_eq!(first.served(), 200, "{policy}");
        assert_eq!(first.summary(), second.summary(), "{policy}");
    }
}

#[test]
fn with_one_engine_all_policies_are_alike() {
    let text = CHATS.text(4);
    let expected = replay(&text, "round-robin", Rate::Times(0.5), 1).summary();
    for policy in Spec::names().filter(|name| *name != "infinite-cache") {
        assert_eq!(replay(&text, policy, Rate::Times(0.5), 1).summary(), expected, "{policy}");
    }
}

#[test]
fn an_idle_engine_gives_the_first_token_after_a_cold_prefill() {
    let text = "{\"timestamp\": 0, \"input_length\": 5000, \"output_length\": 10, \"hash_ids\": []}";
    let summary = replay(text, "default", Rate::Times(1.0), 8).summary();
    assert!((summary.ttft_s.mean - constants().cold_prefill(5_000)).abs() < 1e-9);
    assert_eq!((summary.hit_ratio, summary.slo_attainment), (0.0, 1.0));
}

#[test]
fn a_request_that_is_longer_than_a_cache_is_left_out_and_said() {
    let long = "{\"timestamp\": 0, \"input_length\": 300000, \"output_length\": 10, \"hash_ids\": []}\n";
    for policy in Spec::names() {
        let outcome = replay(&(long.repeat(3) + &CHATS.text(5)), policy, Rate::Times(1.0), 2);
        assert_eq!((outcome.left_out(), outcome.served()), (3, 200), "{policy}");
    }
}

fn changed(policy: &str, changes: &[&str]) -> Outcome {
    let text = CHATS.text(8);
    let trace = Trace::text(&text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let changes: Vec<Change> = changes.iter().map(|change| change.parse().expect("a change")).collect();
    let stage = Stage { changes: &changes, ..stage(&trace, &survey) };
    let spec: Spec = policy.parse().expect("a policy");
    run(&stage, &spec.kind, Rate::Times(2.0), None, &mut |_| {}).expect("readable")
}

#[test]
fn every_request_is_served_or_fails_with_its_replica_and_does_so_again() {
    for policy in Spec::names() {
        let [first, second] = [(), ()].map(|()| changed(policy, &["20s:fail:r1", "25s:add:2", "30s:fail:r4"]));
        let Failed { unanswered, cut_off } = first.lost();
        assert_eq!(first.served() + unanswered, 200, "{policy}");
        assert!(unanswered + cut_off > 0, "{policy}");
        assert_eq!((first.summary(), first.lost()), (second.summary(), second.lost()), "{policy}");
    }
}

#[test]
fn what_warms_the_caches_up_counts_nowhere() {
    let text = CHATS.text(8);
    let trace = Trace::text(&text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let late = |warm_up| {
        let stage = Stage { warm_up, ..stage(&trace, &survey) };
        let outcome = run(&stage, &Kind::InfiniteCache, Rate::Times(0.2), None, &mut |_| {}).expect("readable");
        (outcome.served(), outcome.summary().hit_ratio)
    };
    let [(all, cold), (rest, warm)] = [late(0), late(50)];
    assert_eq!((all, rest), (200, 150));
    assert!(warm > cold, "{warm} {cold}");
}

#[test]
fn a_replica_that_leaves_ends_what_it_has_and_gets_no_more() {
    for policy in Spec::names() {
        let outcome = changed(policy, &["10s:remove:r0", "10s:remove:r2"]);
        assert_eq!((outcome.served(), outcome.lost()), (200, Failed::default()), "{policy}");
        let late = |engine: usize| outcome.load().means()[engine].last().copied();
        assert_eq!((late(0), late(2)), (Some(0.0), Some(0.0)), "{policy}");
    }
}

#[test]
fn a_replica_that_joins_is_used_by_everybody() {
    for policy in Spec::names() {
        let outcome = changed(policy, &["5s:add:1"]);
        assert!(outcome.load().means()[4].iter().sum::<f64>() > 0.0, "{policy}");
    }
}

#[test]
fn without_any_replica_all_is_refused() {
    for policy in Spec::names() {
        let outcome = changed(policy, &["0s:remove:r0", "0s:remove:r1", "0s:remove:r2", "0s:remove:r3"]);
        assert_eq!((outcome.served(), outcome.misses()), (0, 200), "{policy}");
    }
}

#[test]
fn a_hopeless_replay_is_given_up() {
    let text = CHATS.text(6);
    let trace = Trace::text(&text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = Stage { replicas: 1, ..stage(&trace, &survey) };
    let outcome = run(&stage, &Kind::RoundRobin, Rate::PerSecond(100.0), Some(20), &mut |_| {}).expect("readable");
    assert_eq!((outcome.misses(), outcome.meets(1)), (21, false));
    assert!(outcome.served() < 200);
}

/// Conversations of texts: each turn has all before it.
fn chats() -> String {
    let line = |turn: u64, chat: u64| {
        let asked: Vec<String> = (0..=turn)
            .map(|turn| {
                let content = format!("chat {chat}, question {turn}. ").repeat(300);
                format!(r#"{{"role": "user", "content": "{content}"}}"#)
            })
            .collect();
        let at = turn * 20_000 + chat * 600;
        let messages = asked.join(", ");
        format!("{{\"timestamp\": {at}, \"session\": \"{chat}\", \"max_tokens\": 50, \"messages\": [{messages}]}}\n")
    };
    (0..4).flat_map(|turn| (0..30).map(move |chat| line(turn, chat))).collect()
}

#[test]
fn prompts_of_ones_own_logs_are_routed_by_what_they_say() {
    let trace = Trace::text(&chats(), Format::Prompts { block_tokens: 16 });
    let survey = trace.survey().expect("readable");
    let constants = Profile::Dense70b.constants();
    let stage = Stage { constants, ..stage(&trace, &survey) };
    let [default, random, infinite] = ["default", "random", "infinite-cache"].map(|policy| {
        let spec: Spec = policy.parse().expect("a policy");
        run(&stage, &spec.kind, Rate::Times(1.0), None, &mut |_| {}).expect("readable").summary().hit_ratio
    });
    assert!(default > 0.95 * infinite && random < 0.6 * infinite, "{default} {random} {infinite}");
}

#[test]
fn a_configuration_that_sheds_is_told_so_and_its_refusals_are_misses() {
    let mut config = PickerConfig::default();
    config.limits.waiting_tokens_per_endpoint = Some(1);
    let text = CHATS.text(8);
    let trace = Trace::text(&text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = Stage { replicas: 2, sessions_by_prefix: true, ..stage(&trace, &survey) };
    let kind = Kind::Homing(Box::new(config));
    let outcome = run(&stage, &kind, Rate::Times(2.0), None, &mut |_| {}).expect("readable");
    assert!(outcome.served() < 200 && outcome.misses() >= 200 - outcome.served());
    assert!(outcome.summary().ttft_s.p99 < 2.0, "who was let in did not wait");
}

#[test]
fn pickers_that_share_nothing_find_less_and_serve_everything_all_the_same() {
    let text = CHATS.text(9);
    let trace = Trace::text(&text, Format::Mooncake);
    let survey = trace.survey().expect("readable");
    let stage = stage(&trace, &survey);
    let kind = Kind::Homing(Box::default());
    let [one, four] = [1, 4].map(|pickers| {
        let outcome = run(&Stage { pickers, ..stage }, &kind, Rate::Times(1.5), None, &mut |_| {}).expect("readable");
        assert_eq!(outcome.served(), 200);
        outcome.summary()
    });
    assert!(four.hit_ratio < one.hit_ratio && four.ttft_s.mean > one.ttft_s.mean, "{one:?} {four:?}");
}
