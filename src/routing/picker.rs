//! The lowest cost wins; near-ties go to those that stay, then to the less busy, then to rendezvous.

use crate::model::{Charges, EXPLAINED};

use super::context::{Candidate, PickContext};
use super::registry::Scorers;
use super::rendezvous::Draw;

/// A near-tie is a difference of at most this share of the lowest cost (or of one block's cost).
const NEAR_TIE_SHARE: f64 = 0.01;
/// Among near-ties a lower n wins only if it is lower by more than this many requests ...
const CLEARLY_FEWER: u32 = 2;
/// ... and by more than this share: small differences are noise, and rendezvous is worth more than noise.
const CLEARLY_LESS: f64 = 0.25;

/// One candidate and what it would cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// Index into the context's candidates.
    pub candidate: usize,
    /// All charges and the penalty, divided by the endpoint's weight.
    pub cost: f64,
    /// What each scorer charged.
    pub charges: Charges,
}

/// The winner, and the best of the others for the explanation.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// The winner first, then the others by cost; `None` fills the rest.
    pub best: [Option<Scored>; EXPLAINED],
}

/// Scores all candidates into `scratch` and picks one; `None` only where there are no candidates.
pub fn pick(scorers: &Scorers, context: &PickContext<'_>, scratch: &mut Vec<Scored>) -> Option<Pick> {
    scratch.clear();
    scratch.extend(context.candidates.iter().enumerate().map(|(index, candidate)| {
        let charges = scorers.charge(context, candidate);
        let cost = (charges.sum() + candidate.penalty) / candidate.weight;
        Scored { candidate: index, cost, charges }
    }));
    let shuns_outdated = context.seeks_home && scorers.shun_outdated();
    let winner = winner(context, scorers.block_cost(context.block_tokens), shuns_outdated, scratch)?;
    Some(Pick { best: best(scratch, winner) })
}

/// The least loaded candidate, by rendezvous among equals: what is left when scoring failed.
pub fn least_loaded(context: &PickContext<'_>) -> Option<Pick> {
    let load = |candidate: &Candidate| (candidate.waiting_tokens + candidate.penalty) / candidate.weight;
    let (index, candidate) = context.candidates.iter().enumerate().min_by(|(_, a), (_, b)| {
        load(a).total_cmp(&load(b)).then_with(|| draw(context, b).score().total_cmp(&draw(context, a).score()))
    })?;
    let charges = Charges { queue_depth: candidate.waiting_tokens, ..Charges::default() };
    let mut best = [None; EXPLAINED];
    best[0] = Some(Scored { candidate: index, cost: load(candidate), charges });
    Some(Pick { best })
}

fn winner(context: &PickContext<'_>, block_cost: f64, shuns_outdated: bool, scored: &[Scored]) -> Option<Scored> {
    let candidate = |scored: &Scored| &context.candidates[scored.candidate];
    let lowest = scored.iter().min_by(|a, b| a.cost.total_cmp(&b.cost))?;
    let penalty = candidate(lowest).penalty;
    let tied = || {
        scored.iter().filter(|scored| {
            let Candidate { weight, penalty: its, .. } = *candidate(scored);
            // A failing endpoint is always the least busy one: it ties with nobody who fails less.
            let near = lowest.cost + (block_cost / weight).max(lowest.cost * NEAR_TIE_SHARE);
            scored.cost <= near && its <= penalty
        })
    };
    // The charge on an outdated endpoint is lost in a near-tie of dear requests, so there it decides by itself.
    let shunned = |scored: &Scored| shuns_outdated && candidate(scored).is_outdated;
    let (all_shunned, fewest) = tied().map(|scored| (shunned(scored), candidate(scored).in_flight)).min()?;
    let equals = tied()
        .filter(|scored| shunned(scored) == all_shunned)
        .filter(|scored| !clearly_busier(candidate(scored).in_flight, fewest));
    let mut best: Option<(bool, f64, &Scored)> = None;
    for scored in equals {
        let kin = candidate(scored).is_parents_home;
        let draw = draw(context, candidate(scored));
        let score = match best {
            Some((best_kin, ..)) if best_kin && !kin => None,
            Some((best_kin, to_beat, _)) if best_kin == kin => draw.score_above(to_beat),
            // The first stands whatever it drew: a weight may be so small that its score is 0.
            _ => Some(draw.score()),
        };
        best = score.map(|score| (kin, score, scored)).or(best);
    }
    best.map(|(_, _, winner)| *winner)
}

fn clearly_busier(in_flight: u32, fewest: u32) -> bool {
    in_flight > fewest + CLEARLY_FEWER && f64::from(fewest) < f64::from(in_flight) * (1.0 - CLEARLY_LESS)
}

fn draw(context: &PickContext<'_>, candidate: &Candidate) -> Draw {
    Draw::new(context.tie_key, candidate.placement, candidate.weight)
}

/// The winner and the cheapest of the others, by insertion into a fixed array.
fn best(scored: &[Scored], winner: Scored) -> [Option<Scored>; EXPLAINED] {
    let mut best = [None; EXPLAINED];
    best[0] = Some(winner);
    for &next in scored.iter().filter(|scored| scored.candidate != winner.candidate) {
        // In a large pool nearly all of them.
        if best[EXPLAINED - 1].is_some_and(|last| last.cost <= next.cost) {
            continue;
        }
        let mut carried = next;
        for place in &mut best[1..] {
            match place {
                Some(held) if held.cost <= carried.cost => {}
                Some(held) => std::mem::swap(held, &mut carried),
                None => {
                    *place = Some(carried);
                    break;
                }
            }
        }
    }
    best
}

#[cfg(test)]
mod tests;
