//! What can be seen of the engines when a request comes, and the ways to choose among them that policies share.

use rand::RngExt;
use rand_pcg::Pcg64Mcg;

use crate::replay::engine::Engine;

/// The pool at one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The numbers of those to whom requests are sent, in order.
    pub members: &'a [usize],
    /// All engines by number, also those that have left. Only who knows everything may look into them.
    pub engines: &'a [Engine],
    /// Which of them have died, by number.
    pub dead: &'a [bool],
    /// What tells the request's conversation from others: its session, or else what it goes on.
    pub conversation: u64,
}

/// Requests in flight of each engine, as far as the picker sent them there.
#[derive(Debug, Default)]
pub struct InFlight(Vec<u32>);

impl View<'_> {
    /// The member with the lowest cost among those that live, as one who knows everything would choose: any of equal
    /// ones. Where none lives, any member.
    pub fn lowest(&self, random: &mut Pcg64Mcg, cost: impl Fn(&Engine) -> f64) -> Option<usize> {
        let alive = self.members.iter().filter(|engine| !self.dead[**engine]);
        let lowest = least(random, alive.map(|engine| (*engine, cost(&self.engines[*engine]))));
        lowest.or_else(|| least(random, self.members.iter().map(|engine| (*engine, 0.0))))
    }
}

impl InFlight {
    /// How many this engine has.
    pub fn of(&self, engine: usize) -> u32 {
        self.0.get(engine).copied().unwrap_or(0)
    }

    /// It has one more.
    pub fn begin(&mut self, engine: usize) {
        if engine >= self.0.len() {
            self.0.resize(engine + 1, 0);
        }
        self.0[engine] += 1;
    }

    /// One of them ended.
    pub fn end(&mut self, engine: usize) {
        self.0[engine] -= 1;
    }
}

/// Whose value is the least; any of equal ones, all equally likely. Chance is only asked where there are any.
pub fn least(random: &mut Pcg64Mcg, values: impl Iterator<Item = (usize, f64)>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    let mut equal = 1u32;
    for (engine, value) in values {
        match best.map(|(_, least)| value.total_cmp(&least)) {
            Some(std::cmp::Ordering::Greater) => {}
            Some(std::cmp::Ordering::Equal) => {
                equal += 1;
                // Each of them stays with the same chance.
                if random.random_range(0..equal) == 0 {
                    best = Some((engine, value));
                }
            }
            Some(std::cmp::Ordering::Less) | None => (best, equal) = (Some((engine, value)), 1),
        }
    }
    best.map(|(engine, _)| engine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_least_value_wins_and_equal_ones_win_equally_often() {
        let mut random = Pcg64Mcg::seed_from_u64(1);
        let mut wins = [0; 5];
        for _ in 0..3_000 {
            let values = [2.0, 1.0, 1.0, 3.0, 1.0];
            wins[least(&mut random, (0..).zip(values)).expect("some")] += 1;
        }
        assert_eq!((wins[0], wins[3]), (0, 0));
        assert!([1, 2, 4].iter().all(|place| (900..1_100).contains(&wins[*place])), "{wins:?}");
        assert_eq!(least(&mut random, std::iter::empty()), None);
    }
}
