//! The search for the highest rate that meets an objective: a bracket that is halved, and a look below what was found.
//!
//! More requests do not always do worse: a policy may recover from one burst and not from another. So what is found is
//! looked at again a little below, and where it misses the objective there, the search goes on below that.

/// The rate is known once it is between two that differ by no more than this share.
const PRECISION: f64 = 0.01;
/// How far the first tries go up or down, until one meets the objective and one does not.
const STRIDE: f64 = 1.5;
/// Parts of what was found that have to meet the objective as well.
const BELOW: [f64; 2] = [0.95, 0.9];

/// What a search came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Found {
    /// The highest rate that met the objective, and did so a little below; above it one missed.
    Rate(f64),
    /// It was met at this rate, and the search did not look higher.
    AtLeast(f64),
    /// It was missed at this rate, and the search did not look lower.
    Below(f64),
}

/// A search under way.
struct Search<F> {
    /// Whether a rate meets the objective; told how many tries are about to follow.
    meets: F,
    met: Vec<f64>,
    missed: Option<f64>,
}

/// Finds the highest rate between `lowest` and `highest` that meets the objective, from `rate` on. `meets` tries one;
/// it is told how many tries are left, about, itself included.
///
/// # Errors
/// Those of `meets`.
pub fn search<E>(
    mut rate: f64,
    (lowest, highest): (f64, f64),
    meets: impl FnMut(f64, f64) -> Result<bool, E>,
) -> Result<Found, E> {
    let mut search = Search { meets, met: Vec::new(), missed: None };
    loop {
        if !(lowest..=highest).contains(&rate) {
            return Ok(match search.highest_met() {
                Some(met) => Found::AtLeast(met),
                None => Found::Below(search.missed.unwrap_or(rate)),
            });
        }
        search.try_out(rate)?;
        match search.next() {
            Some(next) => rate = next,
            None => match search.look_below()? {
                Some(next) => rate = next,
                None => return Ok(search.highest_met().map_or(Found::Below(rate), Found::Rate)),
            },
        }
    }
}

impl<E, F: FnMut(f64, f64) -> Result<bool, E>> Search<F> {
    fn try_out(&mut self, rate: f64) -> Result<bool, E> {
        let left = self.tries_left();
        let meets = (self.meets)(rate, left)?;
        if meets {
            self.met.push(rate)
        } else {
            self.missed = Some(rate)
        }
        Ok(meets)
    }

    /// The highest rate that met the objective below the one that missed it.
    fn highest_met(&self) -> Option<f64> {
        let missed = self.missed.unwrap_or(f64::INFINITY);
        self.met.iter().copied().filter(|met| *met < missed).max_by(f64::total_cmp)
    }

    /// What to try next; nothing where the bracket is narrow.
    fn next(&self) -> Option<f64> {
        match (self.highest_met(), self.missed) {
            (Some(met), Some(missed)) => (missed / met > 1.0 + PRECISION).then(|| (met * missed).sqrt()),
            (Some(met), None) => Some(met * STRIDE),
            (None, Some(missed)) => Some(missed / STRIDE),
            (None, None) => None,
        }
    }

    /// Looks below what was found; where it misses there, that bounds the bracket, and this is what to try next.
    fn look_below(&mut self) -> Result<Option<f64>, E> {
        'found: while let Some(found) = self.highest_met() {
            for part in BELOW {
                if !self.try_out(found * part)? {
                    match self.next() {
                        Some(next) => return Ok(Some(next)),
                        None => continue 'found,
                    }
                }
            }
            return Ok(None);
        }
        Ok(self.next())
    }

    /// Tries that are left, about: the distance is halved by each.
    fn tries_left(&self) -> f64 {
        let distance = match (self.highest_met(), self.missed) {
            (Some(met), Some(missed)) => missed / met,
            _ => STRIDE,
        };
        let halves = (distance.ln() / (1.0 + PRECISION).ln()).log2().max(0.0).ceil();
        halves + BELOW.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: (f64, f64) = (0.01, 1_000.0);

    fn found(meets: impl Fn(f64) -> bool) -> (Found, usize) {
        let mut tried = 0;
        let found = search(1.0, RANGE, |rate, left| {
            tried += 1;
            assert!(left >= 1.0 && tried < 100, "{rate}");
            Ok::<_, ()>(meets(rate))
        });
        (found.expect("no error"), tried)
    }

    #[test]
    fn the_bracket_halves_until_it_is_narrow() {
        for edge in [0.07, 0.98, 1.0, 3.3, 740.0] {
            let (Found::Rate(rate), tried) = found(|rate| rate <= edge) else { panic!("{edge} is in the range") };
            assert!((edge * 0.985..=edge).contains(&rate), "{rate} for {edge}");
            assert!(tried < 27, "{tried} for {edge}");
        }
    }

    #[test]
    fn what_misses_a_little_below_is_not_what_is_found() {
        for (holes, edge) in [
            (vec![2.9..3.2], 2.9),
            (vec![3.2..3.25, 2.9..3.1], 2.9),
            (vec![2.9..3.2, 2.55..2.8], 2.55),
            (vec![0.2..3.2], 0.2),
        ] {
            let meets = |rate: f64| rate <= 3.3 && !holes.iter().any(|hole| hole.contains(&rate));
            let (Found::Rate(rate), _) = found(meets) else { panic!("{holes:?}") };
            assert!((edge * 0.985..=edge).contains(&rate), "{rate} for {holes:?}");
            assert!([1.0, 0.95, 0.9].iter().all(|part| meets(rate * part)), "{rate} for {holes:?}");
        }
    }

    #[test]
    fn where_the_search_ends_is_said() {
        let (Found::AtLeast(rate), _) = found(|_| true) else { panic!("all are met") };
        assert!((600.0..=1_000.0).contains(&rate), "{rate}");
        let (Found::Below(rate), _) = found(|_| false) else { panic!("none is met") };
        assert!((0.01..0.02).contains(&rate), "{rate}");
    }
}
