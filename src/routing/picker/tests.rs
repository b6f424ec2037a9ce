use super::super::scorers::fixtures::{candidate, context};
use super::*;
use crate::config::Scorers as ScorersConfig;
use proptest::prelude::*;

fn winner_of(candidates: &[Candidate]) -> u32 {
    pick_from(&context(candidates))
}

fn pick_from(context: &PickContext<'_>) -> u32 {
    let scorers = Scorers::new(&ScorersConfig::default());
    let pick = pick(&scorers, context, &mut Vec::new()).expect("candidates are given");
    context.candidates[pick.best[0].expect("a winner").candidate].member
}

#[test]
fn the_lowest_cost_wins() {
    let near = Candidate { uncached_tokens: 100.0, waiting_tokens: 3000.0, ..candidate(0) };
    let far = Candidate { uncached_tokens: 9800.0, ..candidate(1) };
    assert_eq!(winner_of(&[near, far]), 0);
    let busy = Candidate { waiting_tokens: 30_000.0, ..near };
    assert_eq!(winner_of(&[busy, far]), 1);
}

#[test]
fn a_home_wins_what_the_index_cannot_see() {
    let home = Candidate { is_home: true, waiting_tokens: 700.0, ..candidate(0) };
    let other = candidate(1);
    assert_eq!(pick_from(&PickContext { hidden_tokens: 2000.0, ..context(&[home, other]) }), 0);
    assert_eq!(pick_from(&PickContext { hidden_tokens: 0.0, ..context(&[home, other]) }), 1);
}

#[test]
fn a_weight_divides_the_cost() {
    let heavy = Candidate { weight: 4.0, uncached_tokens: 3000.0, ..candidate(0) };
    assert_eq!(winner_of(&[heavy, candidate(1)]), 0);
}

#[test]
fn a_near_tie_goes_to_the_clearly_less_busy_one() {
    let calm = Candidate { in_flight: 1, uncached_tokens: 0.0, waiting_tokens: 10.0, ..candidate(0) };
    let busy = Candidate { in_flight: 9, uncached_tokens: 0.0, waiting_tokens: 0.0, ..candidate(1) };
    for key in 0..50 {
        assert_eq!(pick_from(&PickContext { tie_key: key, ..context(&[calm, busy]) }), 0);
    }
}

#[test]
fn a_small_difference_in_flight_is_left_to_rendezvous() {
    let a = Candidate { in_flight: 1, uncached_tokens: 0.0, ..candidate(0) };
    let b = Candidate { in_flight: 3, uncached_tokens: 0.0, ..candidate(1) };
    let wins = (0..200).filter(|key| pick_from(&PickContext { tie_key: *key, ..context(&[a, b]) }) == 0).count();
    assert!((60..140).contains(&wins), "{wins}");
}

#[test]
fn a_penalty_sends_traffic_elsewhere() {
    let failing = Candidate { penalty: 5000.0, ..candidate(0) };
    let busy = Candidate { waiting_tokens: 3000.0, ..candidate(1) };
    assert_eq!(winner_of(&[failing, busy]), 1);
}

#[test]
fn a_failing_endpoint_ties_with_nobody_however_short_the_prompt_and_idle_it_is() {
    let failing = Candidate { uncached_tokens: 20.0, penalty: 50.0, ..candidate(0) };
    let good = Candidate { uncached_tokens: 20.0, in_flight: 9, ..candidate(1) };
    assert!((0..50).all(|key| pick_from(&PickContext { tie_key: key, ..context(&[failing, good]) }) == 1));
}

#[test]
fn whoever_is_given_somebody_wins_however_small_the_weights() {
    for weight in [f64::from_bits(1), f64::MIN_POSITIVE, 1e-300] {
        let [least, kin] = [candidate(0), Candidate { is_parents_home: true, ..candidate(1) }]
            .map(|candidate| Candidate { weight, uncached_tokens: 0.0, ..candidate });
        for tie_key in 0..50 {
            assert_eq!(pick_from(&PickContext { tie_key, ..context(&[least]) }), 0, "{weight:e}");
            assert_eq!(pick_from(&PickContext { tie_key, ..context(&[least, kin]) }), 1, "{weight:e}");
        }
    }
}

#[test]
fn large_weights_everywhere_change_nothing() {
    let near = Candidate { uncached_tokens: 0.0, weight: 100.0, ..candidate(0) };
    let far = Candidate { uncached_tokens: 12_000.0, weight: 100.0, ..candidate(1) };
    assert!((0..50).all(|key| pick_from(&PickContext { tie_key: key, ..context(&[near, far]) }) == 0));
}

#[test]
fn the_explanation_holds_the_winner_and_the_cheapest_of_the_others_in_order() {
    let candidates: Vec<_> =
        (0..20).map(|i| Candidate { waiting_tokens: f64::from((i * 7) % 20) * 1000.0, ..candidate(i) }).collect();
    let pick = pick(&Scorers::new(&ScorersConfig::default()), &context(&candidates), &mut Vec::new()).expect("a pick");
    let costs: Vec<f64> = pick.best.iter().flatten().map(|scored| scored.cost).collect();
    assert_eq!(costs, (0..8).map(|i| f64::from(i) * 1000.0 + 2000.0).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn the_winner_is_never_dearer_than_a_near_tie(
        loads in prop::collection::vec((0.0f64..1e5, 0.0f64..1e5, 0u32..50, any::<bool>()), 1..40),
        hidden in 0.0f64..1e4,
        key in any::<u64>(),
    ) {
        let candidates: Vec<_> = loads.iter().enumerate().map(|(i, (waiting, uncached, in_flight, home))| Candidate {
            waiting_tokens: *waiting, uncached_tokens: *uncached, in_flight: *in_flight, is_home: *home,
            ..candidate(u32::try_from(i).expect("small"))
        }).collect();
        let context = PickContext { hidden_tokens: hidden, tie_key: key, ..context(&candidates) };
        let mut scored = Vec::new();
        let pick = pick(&Scorers::new(&ScorersConfig::default()), &context, &mut scored).expect("candidates");
        let lowest = scored.iter().map(|scored| scored.cost).fold(f64::INFINITY, f64::min);
        let won = pick.best[0].expect("a winner").cost;
        prop_assert!(won <= lowest + (256.0f64).max(lowest * 0.01) + 1e-6);
        prop_assert_eq!(pick.best.iter().flatten().count(), candidates.len().min(EXPLAINED));
    }

    #[test]
    fn the_order_of_endpoints_does_not_matter(
        loads in prop::collection::vec((0u32..3, 0u32..3), 2..12),
        key in any::<u64>(),
    ) {
        let candidates: Vec<_> = loads.iter().enumerate().map(|(i, (waiting, in_flight))| Candidate {
            waiting_tokens: f64::from(*waiting) * 200.0, in_flight: *in_flight * 4,
            ..candidate(u32::try_from(i).expect("small"))
        }).collect();
        let mut reversed = candidates.clone();
        reversed.reverse();
        let forward = PickContext { tie_key: key, ..context(&candidates) };
        let backward = PickContext { tie_key: key, ..context(&reversed) };
        prop_assert_eq!(pick_from(&forward), pick_from(&backward));
    }

    #[test]
    fn least_loaded_takes_the_lowest_queue(waiting in prop::collection::vec(0u32..1000, 1..20)) {
        let candidates: Vec<_> = waiting.iter().enumerate().map(|(i, waiting)| Candidate {
            waiting_tokens: f64::from(*waiting), ..candidate(u32::try_from(i).expect("small"))
        }).collect();
        let pick = least_loaded(&context(&candidates)).expect("candidates");
        let won = candidates[pick.best[0].expect("a winner").candidate].waiting_tokens;
        prop_assert_eq!(won, waiting.iter().copied().map(f64::from).fold(f64::INFINITY, f64::min));
    }
}

#[test]
fn among_ties_the_parents_home_wins_and_a_cheaper_one_wins_over_it() {
    let parents = Candidate { is_parents_home: true, ..candidate(0) };
    let cheaper = Candidate { uncached_tokens: 0.0, ..candidate(1) };
    for key in 0..50 {
        assert_eq!(pick_from(&PickContext { tie_key: key, ..context(&[parents, candidate(1)]) }), 0);
        assert_eq!(pick_from(&PickContext { tie_key: key, ..context(&[parents, cheaper]) }), 1);
    }
}

#[test]
fn of_a_wide_near_tie_the_outdated_drop_out_where_a_home_is_sought_and_nowhere_else() {
    let dear = |n, is_outdated| Candidate { uncached_tokens: 100_000.0, is_outdated, ..candidate(n) };
    let wins_of_the_old = |candidates: &[Candidate], seeks_home, outdated_tokens| {
        let mut config = ScorersConfig::default();
        config.session_affinity.outdated_tokens = outdated_tokens;
        let won = (0..100).filter(|key| {
            let context = PickContext { tie_key: *key, seeks_home, ..context(candidates) };
            let picked = pick(&Scorers::new(&config), &context, &mut Vec::new()).expect("candidates");
            candidates[picked.best[0].expect("a winner").candidate].is_outdated
        });
        won.count()
    };
    let pool = [dear(0, true), dear(1, false)];
    assert_eq!(wins_of_the_old(&pool, true, 512.0), 0);
    assert!(wins_of_the_old(&pool, true, 0.0) > 20, "it is switched off");
    assert!(wins_of_the_old(&pool, false, 512.0) > 20, "it has a home or needs none");
    assert_eq!(wins_of_the_old(&[dear(0, true), dear(1, true)], true, 512.0), 100, "there is nobody else");
    let busy = Candidate { waiting_tokens: 10_000.0, ..dear(1, false) };
    assert_eq!(wins_of_the_old(&[dear(0, true), busy], true, 512.0), 100, "load is more than a near-tie");
}

proptest! {
    #[test]
    fn an_outdated_endpoint_is_never_left_out_and_the_order_of_the_others_is_as_without(
        loads in prop::collection::vec((0.0f64..1e5, 0.0f64..1e5, any::<bool>()), 1..12),
        outdated_tokens in 0.0f64..1e5,
    ) {
        let candidates: Vec<Candidate> = (0u32..).zip(&loads).map(|(n, &(waiting_tokens, uncached_tokens, is_outdated))| {
            Candidate { waiting_tokens, uncached_tokens, is_outdated, ..candidate(n) }
        }).collect();
        let scored = |outdated_tokens, seeks_home| {
            let mut config = ScorersConfig::default();
            config.session_affinity.outdated_tokens = outdated_tokens;
            let mut scored = Vec::new();
            let context = PickContext { seeks_home, ..context(&candidates) };
            let picked = pick(&Scorers::new(&config), &context, &mut scored);
            (picked.map(|pick| pick.best[0]), scored)
        };
        let (without, plain) = scored(outdated_tokens, false);
        let (picked, charged) = scored(outdated_tokens, true);
        prop_assert_eq!(charged.len(), candidates.len());
        prop_assert!(picked.is_some());
        for (before, after) in plain.iter().zip(&charged) {
            let more = after.cost - before.cost;
            let most = if candidates[before.candidate].is_outdated { outdated_tokens } else { 0.0 };
            prop_assert!((more - most).abs() < 1e-6, "{more} instead of {most}");
        }
        prop_assert_eq!(scored(0.0, true).0, without, "off at 0");
    }
}
