use super::*;
use proptest::prelude::*;

/// Small enough that everything runs full.
const SMALL: Constants = Constants {
    cache_tokens: 4_000,
    block_tokens: 16,
    step_tokens: 64,
    max_sequences: 4,
    tokens_per_second: 10_000.0,
    base_step: 0.004,
    kv_read: 1e-6,
    attention_tokens: 500.0,
};

/// A prompt as a few numbers: a family that shares its beginning, and how much of it is the family's.
#[derive(Clone, Copy, Debug)]
struct Shape {
    gap: Seconds,
    family: u64,
    shared: u64,
    input: u64,
    output: u64,
}

fn shapes(most: usize) -> impl Strategy<Value = Vec<Shape>> {
    let shape = (0.0f64..0.1, 0u64..3, 0u64..40, 1u64..1_000, 1u64..100)
        .prop_map(|(gap, family, shared, input, output)| Shape { gap, family, shared, input, output });
    prop::collection::vec(shape, 1..most)
}

/// The blocks of request `number`: first those of its family, then its own.
fn chain(number: u64, Shape { family, shared, input, .. }: Shape) -> Vec<BlockHash> {
    let block = |place| if place < shared { family << 32 | place } else { (number + 10) << 32 | place };
    (0..input / SMALL.block_tokens).map(|place| BlockHash(block(place))).collect()
}

fn job(number: u64, arrived: Seconds, shape: Shape) -> Job {
    let request = Request { number, arrived, input_tokens: shape.input, output_tokens: shape.output };
    Job { request, chain: chain(number, shape) }
}

/// Lets an engine serve all of them; looks at it after everything that happens, and pokes it between.
fn play(shapes: &[Shape], poke_every: Option<Seconds>, mut look: impl FnMut(&Engine)) -> Vec<(Seconds, Event)> {
    let mut engine = Engine::with_own_cache(SMALL);
    let mut told = Vec::new();
    let gap = poke_every.unwrap_or(Seconds::INFINITY);
    let mut poke = gap;
    let mut run = |engine: &mut Engine, since: Seconds, until: Seconds| {
        // Time does not go backwards.
        poke = poke.max(since);
        while let Some(at) = engine.next_event() {
            if poke < at && poke <= until {
                engine.look_again(poke);
                poke += gap;
            } else if at <= until {
                engine.advance(|event| told.push((at, event)));
                look(engine);
            } else {
                break;
            }
        }
    };
    let mut now = 0.0;
    for (number, shape) in (0..).zip(shapes) {
        let before = now;
        now += shape.gap;
        run(&mut engine, before, now);
        engine.submit(now, job(number, now, *shape)).expect("short enough");
    }
    run(&mut engine, now, Seconds::MAX);
    told
}

fn first_tokens(told: &[(Seconds, Event)]) -> Vec<(Seconds, Request, u64)> {
    let first = |(at, event): &(Seconds, Event)| match *event {
        Event::FirstToken { request, cached_tokens } => Some((*at, request, cached_tokens)),
        Event::Finished { .. } => None,
    };
    told.iter().filter_map(first).collect()
}

fn finished(told: &[(Seconds, Event)]) -> Vec<(Seconds, Request)> {
    let finished = |(at, event): &(Seconds, Event)| match *event {
        Event::Finished { request } => Some((*at, request)),
        Event::FirstToken { .. } => None,
    };
    told.iter().filter_map(finished).collect()
}

proptest! {
    #[test]
    fn room_is_never_overbooked_and_all_of_it_comes_back(shapes in shapes(40)) {
        let mut last = (0, 0);
        play(&shapes, None, |engine| {
            let cache = engine.cache.borrow();
            assert!(cache.in_use() <= cache.capacity());
            assert!(engine.running() <= SMALL.max_sequences);
            last = (cache.in_use(), engine.running() + engine.waiting());
        });
        prop_assert_eq!(last, (0, 0));
    }

    #[test]
    fn every_request_sees_its_first_token_and_its_end_once_and_in_this_order(shapes in shapes(40)) {
        let told = play(&shapes, None, |_| {});
        let (first, finished) = (first_tokens(&told), finished(&told));
        prop_assert_eq!(first.len(), shapes.len());
        let mut numbers: Vec<u64> = finished.iter().map(|(_, request)| request.number).collect();
        numbers.sort_unstable();
        prop_assert!(numbers.iter().copied().eq(0..shapes.len() as u64));
        for (ended, request) in finished {
            let (began, ..) = first[request.number as usize];
            prop_assert!(began > request.arrived);
            let steps = (request.output_tokens - 1) as f64;
            prop_assert!(ended - began >= steps * SMALL.base_step - 1e-9);
        }
    }

    #[test]
    fn first_tokens_come_in_the_order_of_arrival(shapes in shapes(40)) {
        let numbers = first_tokens(&play(&shapes, None, |_| {})).into_iter().map(|(_, request, _)| request.number);
        prop_assert!(numbers.eq(0..shapes.len() as u64));
    }

    #[test]
    fn every_token_of_a_prompt_is_computed_or_was_cached(shapes in shapes(40)) {
        let mut computed = 0;
        let told = play(&shapes, None, |engine| computed = engine.computed_tokens());
        let cached: u64 = first_tokens(&told).iter().map(|(.., cached)| cached).sum();
        prop_assert_eq!(computed + cached, shapes.iter().map(|shape| shape.input).sum::<u64>());
    }

    #[test]
    fn a_jump_over_steps_ends_where_the_steps_end(shapes in shapes(25), poke_every in 0.001f64..0.05) {
        let (jumped, stepped) = (play(&shapes, None, |_| {}), play(&shapes, Some(poke_every), |_| {}));
        prop_assert_eq!(jumped.len(), stepped.len());
        for ((jumped_at, jumped), (stepped_at, stepped)) in jumped.into_iter().zip(stepped) {
            prop_assert_eq!(jumped, stepped);
            prop_assert!((jumped_at - stepped_at).abs() < 1e-9);
        }
    }

    #[test]
    fn an_idle_engine_takes_longer_for_a_longer_prompt_and_as_long_as_is_said(input in 1u64..2_000, more in 1u64..1_000) {
        let ttft = |input| {
            let shape = Shape { gap: 0.0, family: 0, shared: 0, input, output: 1 };
            first_tokens(&play(&[shape], None, |_| {}))[0].0
        };
        prop_assert!((ttft(input) - SMALL.cold_prefill(input)).abs() < 1e-9);
        prop_assert!(ttft(input + more) >= ttft(input));
    }

    #[test]
    fn who_waits_behind_more_waits_no_shorter(ahead in 1u64..1_500, more in 1u64..500, own in 1u64..900) {
        let ttft = |ahead| {
            let shape = |input| Shape { gap: 0.0, family: 0, shared: 0, input, output: 1 };
            first_tokens(&play(&[shape(ahead), shape(own)], None, |_| {}))[1].0
        };
        // But for what the last step, which is not full, does beside reading the weights.
        prop_assert!(ttft(ahead + more) >= ttft(ahead) - SMALL.base_step);
    }

    #[test]
    fn work_that_is_pending_is_never_negative_and_ends_with_the_last_prompt(shapes in shapes(40)) {
        let mut last = 1.0;
        play(&shapes, None, |engine| {
            last = engine.pending_work();
            assert!(last > -1e-3, "{last}");
        });
        prop_assert_eq!(last, 0.0);
    }

    #[test]
    fn the_oracle_is_right_on_an_idle_engine(input in 1u64..100_000) {
        let constants = Profile::Dense70b.constants();
        let predicted = Engine::with_own_cache(constants).predicted_first_token(0.0, &[], input);
        // But for the context, whose reading it takes for nothing, and for a last step that is not full.
        let off = constants.cold_prefill(input) - predicted;
        prop_assert!((0.0..constants.base_step + 0.01 * predicted).contains(&(off + 1e-9)), "{off}");
    }
}

#[test]
fn nothing_is_left_over_of_work_that_is_done() {
    for input in 1..1_000 {
        let mut last = 1.0;
        let shape = Shape { gap: 0.0, family: 0, shared: 0, input, output: 1 };
        play(&[shape], None, |engine| last = engine.pending_work());
        assert_eq!(last, 0.0, "{input}");
    }
}

#[test]
fn a_prompt_that_was_served_is_cached_but_for_its_last_token() {
    let shape = |gap| Shape { gap, family: 1, shared: 40, input: 640, output: 2 };
    let told = first_tokens(&play(&[shape(0.0), shape(1.0)], None, |_| {}));
    assert_eq!((told[0].2, told[1].2), (0, 624));
}

#[test]
fn a_block_can_be_hit_while_it_is_computed() {
    let shape = Shape { gap: 0.0, family: 1, shared: 2, input: 33, output: 2 };
    let ahead = Shape { family: 2, input: 30, ..shape };
    let told = first_tokens(&play(&[ahead, shape, shape], None, |_| {}));
    assert_eq!(told[1].0, told[2].0, "both were computed in one step");
    assert_eq!((told[1].2, told[2].2), (0, 32));
}

#[test]
fn what_does_not_fit_into_the_cache_is_refused_and_changes_nothing() {
    let mut engine = Engine::with_own_cache(SMALL);
    let shape = Shape { gap: 0.0, family: 0, shared: 0, input: 3_990, output: 11 };
    assert_eq!(engine.submit(0.0, job(0, 0.0, shape)), Err(TooLong));
    assert_eq!((engine.waiting(), engine.next_event(), engine.pending_work()), (0, None, 0.0));
    assert_eq!(engine.submit(0.0, job(0, 0.0, Shape { output: 10, ..shape })), Ok(()));
}

#[test]
fn who_finds_no_room_waits_and_so_does_everybody_behind() {
    let large = Shape { gap: 0.0, family: 0, shared: 0, input: 3_000, output: 10 };
    let small = Shape { input: 10, output: 1, ..large };
    let told = play(&[large, large, small], None, |_| {});
    let (first, finished) = (first_tokens(&told), finished(&told));
    assert_eq!(finished[0].1.number, 0);
    assert!(first[1].0 > finished[0].0 && first[2].0 >= first[1].0);
}

#[test]
fn a_request_is_on_the_metrics_page_once_the_step_has_ended_in_which_it_came() {
    let mut engine = Engine::with_own_cache(SMALL);
    let shape = Shape { gap: 0.0, family: 0, shared: 0, input: 64 * 3, output: 1 };
    let gauges = |engine: &Engine, now| (engine.gauges(now).waiting, engine.gauges(now).running);
    for number in 0..2 {
        engine.submit(0.0, job(number, 0.0, shape)).expect("short enough");
    }
    assert_eq!(gauges(&engine, 0.0), (0, 0));
    let first = engine.next_event().expect("under way");
    engine.advance(|_| {});
    assert_eq!(gauges(&engine, first), (1, 1));
    let second = engine.next_event().expect("under way");
    engine.advance(|_| {});
    assert_eq!(gauges(&engine, second), (1, 1));
    while engine.next_event().is_some() {
        engine.advance(|_| {});
    }
    assert_eq!(gauges(&engine, 9.0), (0, 0));
    assert_eq!(engine.gauges(9.0).kv_usage, 0.0);
}

#[test]
fn a_run_of_steps_is_on_the_metrics_page_from_the_end_of_its_first() {
    let mut engine = Engine::with_own_cache(SMALL);
    let shape = Shape { gap: 0.0, family: 0, shared: 0, input: 64, output: 50 };
    engine.submit(0.0, job(0, 0.0, shape)).expect("short enough");
    let prefilled = engine.next_event().expect("under way");
    engine.advance(|_| {});
    let usage = engine.gauges(prefilled).kv_usage;
    assert!(usage > 0.0);
    assert_eq!(engine.gauges(prefilled + 1e-3), engine.gauges(prefilled + 0.1));
}
