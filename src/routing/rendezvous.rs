//! Weighted rendezvous hashing: who wins a tie, the same on every replica.
//!
//! The score of an endpoint is `weight / -ln(u)` with `u` uniform in (0, 1) from XXH3 of the key and the
//! endpoint's identity (the logarithmic method of Schindelhauer and Schomaker, 2005). The highest score
//! wins, so removing one of N endpoints moves only its own keys.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// What one endpoint drew for one key.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    uniform: f64,
    weight: f64,
}

impl Draw {
    /// The draw of the endpoint with this `placement`.
    pub fn new(key: u64, placement: u64, weight: f64) -> Self {
        let hash = xxh3_64_with_seed(&key.to_le_bytes(), placement);
        // 53 bits fill a double's mantissa; the half keeps u away from 0 and 1.
        Self { uniform: ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64, weight }
    }

    /// Its score; higher wins. Not negative for a positive weight, and 0 for one that is next to nothing.
    pub fn score(self) -> f64 {
        self.weight / -self.uniform.ln()
    }

    /// Its score if that may be above `best`. Of many draws hardly any may, which is told without a logarithm:
    /// `-ln(u)` is at least `1 - u`.
    pub fn score_above(self, best: f64) -> Option<f64> {
        (self.weight / (1.0 - self.uniform) >= best).then(|| self.score()).filter(|score| *score > best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Endpoint;
    use proptest::prelude::*;

    fn winner(key: u64, endpoints: &[(u64, f64)]) -> usize {
        let mut best = (0, f64::MIN);
        for (index, (placement, weight)) in endpoints.iter().enumerate() {
            let score = Draw::new(key, *placement, *weight).score();
            if score > best.1 {
                best = (index, score);
            }
        }
        best.0
    }

    fn placement(name: &str) -> u64 {
        Endpoint::new(name, ([10, 0, 0, 1], 8000).into()).placement()
    }

    fn pool(size: usize) -> Vec<(u64, f64)> {
        (0..size).map(|i| (placement(&format!("r{i}")), 1.0)).collect()
    }

    proptest! {
        #[test]
        fn removing_one_endpoint_moves_only_its_keys(size in 2usize..20, gone in 0usize..20, keys in prop::collection::vec(any::<u64>(), 50)) {
            let gone = gone % size;
            let before = pool(size);
            let mut after = before.clone();
            after.remove(gone);
            for key in keys {
                let old = winner(key, &before);
                if old != gone {
                    prop_assert_eq!(before[old], after[winner(key, &after)]);
                }
            }
        }
    }

    #[test]
    fn adding_one_endpoint_takes_its_fair_share_and_no_more() {
        let before = pool(8);
        let after = pool(9);
        let moved = (0..20_000u64).filter(|key| winner(*key, &before) != winner(*key, &after)).count();
        let share = moved as f64 / 20_000.0;
        assert!((share - 1.0 / 9.0).abs() < 0.02, "{share}");
    }

    #[test]
    fn a_double_weight_wins_twice_as_often() {
        let endpoints = vec![(placement("a"), 2.0), (placement("b"), 1.0)];
        let wins = (0..30_000u64).filter(|key| winner(*key, &endpoints) == 0).count();
        assert!((wins as f64 / 30_000.0 - 2.0 / 3.0).abs() < 0.02, "{wins}");
    }

    proptest! {
        #[test]
        fn a_score_is_told_where_it_is_above_the_best_and_only_there(key: u64, placement: u64, weight in 1e-3..1e3, best in 0.0..1e4) {
            let draw = Draw::new(key, placement, weight);
            prop_assert_eq!(draw.score_above(best), Some(draw.score()).filter(|score| *score > best));
        }
    }

    #[test]
    fn scores_are_the_same_in_every_process_and_release() {
        assert_eq!(Draw::new(7, 9, 1.0).score().to_bits(), 4_610_697_266_529_409_306);
    }
}
