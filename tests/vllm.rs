//! What `make test-vllm` reads and reckons with, held against numbers that are known; it needs no engine.

#[allow(dead_code, reason = "what the program needs of it")]
#[path = "vllm"]
mod program {
    pub mod arguments;
    pub mod chat;
    pub mod corpus;
    pub mod counters;
    pub mod decisions;
    pub mod drive;
    pub mod http;
    pub mod plan;
    pub mod prediction;
    pub mod progress;
}

// Where the program has them.
use program::{arguments, chat, corpus, counters, decisions, drive, http, plan, prediction, progress};

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use arguments::Questions;
use chat::Answer;
use counters::{Cache, Counters, Gauges, Page};
use drive::Exchange;
use plan::Plan;

const PAGE: &str = r#"# HELP vllm:prompt_tokens Number of prefill tokens processed.
vllm:num_requests_running{engine="0",model_name="mini"} 16.0
vllm:num_requests_waiting{engine="0",model_name="mini"} 3.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="mini",reason="capacity"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="mini"} 0.75
vllm:prompt_tokens_total{engine="0",model_name="mini"} 1000.0
vllm:prompt_tokens_created{engine="0",model_name="mini"} 1.7953278842070408e+09
vllm:prompt_tokens_by_source_total{engine="0",model_name="mini",source="local_compute"} 360.0
vllm:prompt_tokens_by_source_total{engine="0",model_name="mini",source="local_cache_hit"} 640.0
vllm:prompt_tokens_cached_total{engine="0",model_name="mini"} 640.0
vllm:prompt_tokens_cached_by_source_total{engine="0",model_name="mini",source="device"} 640.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="mini"} 1.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="mini"} 4.0
vllm:cache_config_info{_block_size_resolved="True",block_size="32",effective_attention_block_size="64",hash_block_size="None",num_cpu_blocks="None",num_gpu_blocks="320",num_gpu_blocks_override="7"} 1.0
"#;

#[test]
fn counters_are_those_of_exactly_these_names_and_labels() {
    let page = Page::new(PAGE.to_owned());
    let counted = Counters {
        computed_tokens: 360.0,
        hit_tokens: 640.0,
        cached_tokens: 640.0,
        prompt_tokens: 1000.0,
        requests: 5.0,
        preemptions: 0.0,
    };
    assert_eq!(page.counters(), counted);
    assert_eq!(page.gauges(), Gauges { running: 16.0, waiting: 3.0, kv_usage: 0.75 });
    assert_eq!(page.cache().expect("it is told"), Cache { block_tokens: 32, blocks: 320 });
    let twice: Counters = [counted, counted].into_iter().sum();
    assert_eq!(twice - counted, counted);
    assert!(Page::new("vllm:num_requests_running{} 1".to_owned()).cache().is_err());
}

#[test]
fn a_plan_is_its_seeds_and_lets_no_conversation_ask_twice_in_a_row() {
    let corpus = corpus::Corpus::of("Some prose. ".repeat(2000), "let code = 1;\n".repeat(2000));
    let plan = |seed, questions| Plan::new(&corpus, seed, 300, questions);
    let (one, same, other) = (plan(1, Questions::Mixed), plan(1, Questions::Mixed), plan(2, Questions::Mixed));
    assert_eq!((one.order.len(), &one.order), (300, &same.order));
    assert_ne!(one.order, other.order);
    assert!(one.order.windows(3).all(|turns| turns[0] != turns[1] && turns[0] != turns[2]));
    let asked =
        |plan: &Plan| -> Vec<String> { plan.conversations.iter().flat_map(|it| it.questions.clone()).collect() };
    assert_eq!(asked(&one), asked(&same));
    assert_eq!(asked(&one).len(), 300);
    assert!(asked(&plan(1, Questions::Short)).iter().all(|question| question.len() < 400));
}

#[test]
fn a_prediction_is_what_homing_says_of_who_was_picked() {
    let choices = json!([{"computedTokens": 60.0}, {"computedTokens": 1000.0}]);
    let decision =
        json!({"requestId": "q", "endpoint": "r1", "reason": "session", "promptTokens": 1000.0, "choices": choices});
    let decision: decisions::Decision = serde_json::from_value(decision).expect("a decision");
    let decisions = HashMap::from([("q".to_owned(), decision)]);
    let answer = Answer {
        request_id: "q".to_owned(),
        text: String::new(),
        first_token: Duration::ZERO,
        prompt_tokens: 1_020,
        cached_tokens: 832,
    };
    let exchanges = [Exchange { turn: 1, answer }];
    let joined = prediction::join(&exchanges, &decisions).expect("it was decided");
    let [one] = joined.as_slice() else { panic!("one request") };
    assert_eq!((one.predicted, one.reported(), one.off()), (60.0, 188.0, 60.0 - 188.0));
    assert_eq!(one.off(), one.off_by_length() + one.off_by_held());
    assert!(prediction::join(&exchanges, &HashMap::new()).is_err(), "a request that Homing did not decide");
}

#[test]
fn an_answer_without_cached_tokens_is_an_error_and_not_zero() {
    let events = |details: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-q\",\"choices\":[{{\"delta\":{{\"role\":\"assistant\",\"content\":\"\"}}}}]}}\n\n\
             data: {{\"id\":\"chatcmpl-q\",\"choices\":[{{\"delta\":{{\"content\":\" why\"}}}}]}}\n\n\
             data: {{\"id\":\"chatcmpl-q\",\"choices\":[],\"usage\":{{\"prompt_tokens\":9{details}}}}}\n\n\
             data: [DONE]\n\n"
        )
    };
    let told = events(",\"prompt_tokens_details\":{\"cached_tokens\":0}");
    let second = Duration::from_secs(1);
    // The first event came at once, and the others a second later.
    let arrived = [(told.find("\n\n").expect("an event") + 2, Duration::ZERO), (told.len(), second)];
    let answer = Answer::read(&told, &arrived).expect("a whole answer");
    assert_eq!((answer.request_id.as_str(), answer.text.as_str(), answer.first_token), ("q", " why", second));
    assert_eq!((answer.prompt_tokens, answer.cached_tokens), (9, 0));
    for silent in ["", ",\"prompt_tokens_details\":null"] {
        let silent = events(silent);
        assert!(Answer::read(&silent, &[(silent.len(), second)]).is_err());
    }
}
