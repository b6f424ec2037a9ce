//! What the state takes, in bytes that were asked of the allocator.

#[allow(dead_code, reason = "other test binaries need the rest of it")]
#[path = "support/counting.rs"]
mod counting;

use counting::held_here;
use homing::state::{Lane, PrefixIndex};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

/// What the index may take for one (block, endpoint).
const BYTES_PER_BLOCK: f64 = 40.0;
/// What it may take for each further endpoint that holds the block.
const BYTES_PER_SHARER: f64 = 16.0;

const TURN_BLOCKS: u64 = 5;
const FIRST_BLOCKS: u64 = 24;
const NO_LIMIT: usize = 1 << 22;

/// Bytes that this thread holds now; tests beside it do not count.
fn live() -> f64 {
    held_here() as f64
}

/// A hash that stands for block `at` of chat `chat`.
fn block(chat: u64, at: u64) -> u64 {
    let mixed = ((chat << 20) + at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93) ^ mixed >> 29
}

fn chain(chat: u64, blocks: u64) -> Vec<u64> {
    (0..blocks).map(|at| block(chat, at)).collect()
}

/// Chats of a few turns each, of which a hundred go on at a time, in turn; every one has a home among `lanes`.
/// `after_turn` is told how many blocks there are.
fn chats(index: &PrefixIndex, lanes: &[Lane], capacity: usize, blocks: usize, mut after_turn: impl FnMut(usize)) {
    let (mut held, mut turn) = (0, 0);
    while held < blocks {
        let (round, place) = (turn / 100, turn % 100);
        let (generation, turns) = (round / 8, round % 8);
        let chat = generation * 100 + place;
        let chain = chain(chat, FIRST_BLOCKS + turns * TURN_BLOCKS);
        index.record(&lanes[chat as usize % lanes.len()], &chain, capacity);
        held += if turns == 0 { FIRST_BLOCKS } else { TURN_BLOCKS } as usize;
        turn += 1;
        after_turn(held);
    }
}

#[test]
fn a_block_that_nobody_shares_takes_no_more_than_its_budget_at_any_fill() {
    let before = live();
    let index = PrefixIndex::default();
    let lanes: Vec<Lane> = (0..8).map(Lane::new).collect();
    let (mut most, mut last) = ((0.0, 0), 0.0);
    chats(&index, &lanes, NO_LIMIT, 1_000_000, |held| {
        last = (live() - before) / held as f64;
        if held > 10_000 && last > most.0 {
            most = (last, held);
        }
    });
    println!("{last:.1} bytes a block at a million, at most {:.1} at {}", most.0, most.1);
    assert!(most.0 <= BYTES_PER_BLOCK, "{} bytes a block at {}", most.0, most.1);
    is_as_it_says(last * 1_000_000.0, &lanes);
}

#[test]
fn prompts_of_eight_blocks_are_long_enough_for_the_budget() {
    const BLOCKS: u64 = 50_000;
    let taken = |prompt: u64| {
        let before = live();
        let (index, lane) = (PrefixIndex::default(), Lane::new(0));
        for chat in 0..BLOCKS / prompt {
            index.record(&lane, &chain(chat, prompt), NO_LIMIT);
        }
        (live() - before) / BLOCKS as f64
    };
    let taken = [1, 2, 4, 8].map(taken);
    println!("{taken:.1?} bytes a block where prompts have 1, 2, 4 and 8");
    assert!(taken[3] <= BYTES_PER_BLOCK && taken[0] <= 97.0, "{taken:.1?} bytes a block");
}

/// What the index says of itself is what it takes, to a fifth.
fn is_as_it_says(taken: f64, lanes: &[Lane]) {
    let said = lanes.iter().map(Lane::bytes).sum::<usize>() as f64;
    assert!((said / taken - 1.0).abs() < 0.2, "{said} is not {taken}");
}

/// Bytes of one block where all prompts share their first 20 and have `own` more, and what is left when long chats have
/// taken their place.
fn retrieval(own: u64, generation: u32) -> [f64; 2] {
    const BLOCKS: u64 = 60_000;
    let before = live();
    let (index, lane) = (PrefixIndex::default(), Lane::new(0));
    let record = |chain: &[u64]| {
        index.record_and_tell(&lane, chain, BLOCKS as usize, generation, |_, _, _| ());
    };
    let head = chain(0, 20);
    (1..=BLOCKS / own).for_each(|prompt| record(&[&head[..], &chain(prompt, own)].concat()));
    let taken = (live() - before) / lane.len() as f64;
    is_as_it_says(live() - before, std::slice::from_ref(&lane));
    (0..BLOCKS / 200).for_each(|chat| record(&chain(BLOCKS + chat, 200)));
    is_as_it_says(live() - before, std::slice::from_ref(&lane));
    [taken, (live() - before) / lane.len() as f64]
}

#[test]
fn prompts_of_one_shared_head_and_few_blocks_of_their_own_take_what_is_said_and_leave_nothing_to_long_ones() {
    for (generation, most) in [(0, [97.0, 58.0, 53.0, 38.0, 30.0]), (1, [115.0, 67.0, 59.0, 40.0, 31.0])] {
        let taken = [1, 2, 3, 8, 50].map(|own| retrieval(own, generation));
        println!(
            "{taken:.1?} bytes a block where prompts have 1, 2, 3, 8 and 50 of their own, in generation {generation}"
        );
        for ([short, long], most) in taken.into_iter().zip(most) {
            assert!(short <= most, "{short}, and may be {most}");
            assert!(long <= BYTES_PER_BLOCK, "{long} of a block when long prompts have taken their place");
        }
    }
}

#[test]
fn lanes_that_are_full_take_no_more_for_what_comes_and_goes() {
    let before = live();
    let index = PrefixIndex::default();
    let lanes: Vec<Lane> = (0..8).map(Lane::new).collect();
    let mut most = 0.0_f64;
    chats(&index, &lanes, 10_000, 500_000, |held| {
        if held > 10_000 {
            most = most.max((live() - before) / held.min(80_000) as f64);
        }
    });
    println!("at most {most:.1} bytes a block");
    assert!(most <= BYTES_PER_BLOCK, "{most} bytes a block");
    lanes.iter().for_each(|lane| index.forget(lane, false));
    let left = (live() - before) / 80_000.0;
    println!("{left:.1} bytes a block are kept for what comes next");
    assert!(left < 5.0, "{left} bytes are kept for a block that is gone");
}

#[test]
fn an_endpoint_that_shares_blocks_takes_no_more_than_its_budget() {
    const BLOCKS: usize = 20_000;
    let taken = |endpoints: &[u32]| {
        let before = live();
        let index = PrefixIndex::default();
        let lanes: Vec<Lane> = endpoints.iter().map(|slot| Lane::new(*slot)).collect();
        for lane in &lanes {
            chats(&index, std::slice::from_ref(lane), NO_LIMIT, BLOCKS, |_| ());
        }
        live() - before
    };
    let alone = taken(&[0]);
    for endpoints in [2, 3, 4, 5, 8, 30, 100_u32] {
        for stride in [1, 50] {
            let slots: Vec<u32> = (0..endpoints).map(|number| number * stride).collect();
            let further = (taken(&slots) - alone) / (BLOCKS as f64 * f64::from(endpoints - 1));
            println!("{further:.1} bytes for each further of {endpoints} endpoints, {stride} slots apart");
            assert!(further <= BYTES_PER_SHARER, "{further} bytes for each further of {endpoints} endpoints");
        }
    }
}
