//! A trace several times over at once, as a pool of many replicas has several times the users.
//!
//! Each copy has sessions and blocks of its own, but for the blocks that all prompts begin with. It begins at another
//! place of the trace and goes round, so that bursts do not coincide: of N copies each is 1/N of the trace's length
//! behind the one before. A conversation that was under way there is in two parts then. Every copy reads the file for
//! itself, so that none is kept.

use std::cmp::Ordering;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::simulation::BlockHash;

use super::Seconds;
use super::trace::{Arrival, Arrivals, Content, Survey, Trace, TraceError};

/// The requests of all copies in the order of their times, numbered in it.
pub struct Copies {
    copies: Vec<Reading>,
    given: u64,
}

/// One copy.
struct Reading {
    /// From 0, which is the trace itself.
    number: u64,
    trace: Trace,
    arrivals: Arrivals,
    /// Where in the trace it begins, and how long the trace is.
    begins: Seconds,
    length: Seconds,
    /// Blocks that it has in common with others.
    shared: usize,
    /// Whether it has come to the trace's end, and goes on at its beginning.
    is_round: bool,
    next: Option<Arrival>,
    given: u64,
}

impl Copies {
    /// So many copies of `trace`.
    ///
    /// # Errors
    /// The trace cannot be read.
    pub fn new(trace: &Trace, survey: &Survey, count: usize) -> Result<Self, TraceError> {
        let copy = |number| {
            let mut copy = Reading {
                number: number as u64,
                trace: trace.clone(),
                arrivals: trace.arrivals()?,
                begins: survey.length * number as f64 / count as f64,
                length: survey.length,
                shared: survey.shared.len(),
                is_round: false,
                next: None,
                given: 0,
            };
            copy.advance()?;
            Ok(copy)
        };
        Ok(Self { copies: (0..count).map(copy).collect::<Result<_, TraceError>>()?, given: 0 })
    }

    fn advance(&mut self) -> Result<Option<Arrival>, TraceError> {
        // Where a trace says nothing of time, they take turns.
        let key = |copy: &Reading| copy.next.as_ref().map(|next| (next.at, copy.given));
        let ready = self.copies.iter_mut().filter(|copy| copy.next.is_some());
        let first = ready.min_by(|a, b| key(a).partial_cmp(&key(b)).unwrap_or(Ordering::Equal));
        let Some(copy) = first else { return Ok(None) };
        let arrival = copy.next.take();
        copy.given += 1;
        copy.advance()?;
        let number = self.given;
        self.given += 1;
        Ok(arrival.map(|arrival| Arrival { number, ..arrival }))
    }
}

impl Iterator for Copies {
    type Item = Result<Arrival, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

impl Reading {
    fn advance(&mut self) -> Result<(), TraceError> {
        loop {
            match self.arrivals.next().transpose()? {
                Some(arrival) if self.is_round == (arrival.at < self.begins) => {
                    let at = if self.is_round { arrival.at + self.length } else { arrival.at } - self.begins;
                    self.next = Some(self.own(Arrival { at, ..arrival }));
                    return Ok(());
                }
                // Before its beginning.
                Some(_) if !self.is_round => {}
                None if !self.is_round && self.begins > 0.0 => {
                    self.is_round = true;
                    self.arrivals = self.trace.arrivals()?;
                }
                _ => {
                    self.next = None;
                    return Ok(());
                }
            }
        }
    }

    /// Makes what tells its users from those of other copies its own.
    fn own(&self, mut arrival: Arrival) -> Arrival {
        if self.number == 0 {
            return arrival;
        }
        if let Some(session) = arrival.session.as_mut().filter(|session| !session.is_empty()) {
            session.push_str(&format!("/{}", self.number));
        }
        let own = |id: u64| xxh3_64_with_seed(&id.to_le_bytes(), self.number);
        arrival.chain.iter_mut().skip(self.shared).for_each(|block| *block = BlockHash(own(block.0)));
        match &mut arrival.content {
            Content::Ids(ids) => ids.iter_mut().skip(self.shared).for_each(|id| *id = own(*id)),
            // Nobody knows what others would have written: the command refuses copies of texts.
            Content::Body(_) => {}
        }
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::trace::Format;

    /// Three users whose prompts begin with one block, one after the other.
    fn trace(gap: u64) -> Trace {
        let line = |user: u64| {
            let (at, id) = (user * gap, user + 1);
            format!(
                "{{\"timestamp\": {at}, \"input_length\": 1124, \"output_length\": 1, \"hash_ids\": [0, {id}, {id}], \
                 \"session\": \"{user}\"}}\n"
            )
        };
        Trace::text(&(0..3).map(line).collect::<String>(), Format::Mooncake)
    }

    fn all(gap: u64, count: usize) -> Vec<Arrival> {
        let trace = trace(gap);
        let survey = trace.survey().expect("readable").times(count as u64);
        let mut copies = Copies::new(&trace, &survey, count).expect("memory");
        copies.by_ref().map(|arrival| arrival.expect("readable")).collect()
    }

    #[test]
    fn one_copy_is_the_trace() {
        let read: Vec<_> = trace(1_000).arrivals().expect("memory").map(|arrival| arrival.expect("readable")).collect();
        assert_eq!(all(1_000, 1), read);
    }

    #[test]
    fn copies_begin_elsewhere_and_go_round() {
        let said = |gap, count| -> Vec<_> {
            let told = |arrival: Arrival| (arrival.number, arrival.at, arrival.session.unwrap_or_default());
            all(gap, count).into_iter().map(told).collect()
        };
        let expected = [(0, 0.0, "0"), (1, 0.5, "2/1"), (2, 1.0, "1"), (3, 1.5, "0/1"), (4, 2.0, "2"), (5, 2.5, "1/1")];
        assert_eq!(said(1_000, 2), expected.map(|(number, at, session)| (number, at, session.to_owned())));
        let together: Vec<_> = said(0, 2).into_iter().map(|(.., session)| session).collect();
        assert_eq!(together, ["0", "0/1", "1", "1/1", "2", "2/1"]);
    }

    #[test]
    fn copies_have_what_all_prompts_begin_with_in_common_and_nothing_else() {
        let arrivals = all(1_000, 3);
        assert_eq!(arrivals.len(), 9);
        let distinct =
            |of: &dyn Fn(&Arrival) -> u64| arrivals.iter().map(of).collect::<std::collections::HashSet<_>>().len();
        let id = |arrival: &Arrival, place: usize| match &arrival.content {
            Content::Ids(ids) => ids[place],
            Content::Body(_) => 0,
        };
        for (place, count) in [(0, 1), (1, 9), (2, 9)] {
            assert_eq!(distinct(&|arrival| id(arrival, place)), count, "id {place}");
        }
        for (place, count) in [(0, 1), (1, 9)] {
            assert_eq!(distinct(&|arrival| arrival.chain[place].0), count, "block {place}");
        }
    }
}
