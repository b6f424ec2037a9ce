//! How each direction of the exchange goes, told once whenever it changes.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::sources::shared_state::{Failure, Side};

/// Both directions.
#[derive(Debug)]
pub struct Health {
    server: String,
    sides: Mutex<Sides>,
}

#[derive(Debug, Default)]
struct Sides {
    writing: State,
    reading: State,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing has been tried to its end.
    #[default]
    New,
    Well,
    Failing {
        said: String,
        since: Instant,
    },
}

impl Health {
    /// Of the server of this name; nothing is known yet.
    pub fn new(server: String) -> Self {
        Self { server, sides: Mutex::default() }
    }

    /// Takes down how one side goes, and logs it where that is news; returns whether both go well now.
    pub fn note(&self, side: Side, outcome: Result<(), &Failure>, now: Instant) -> bool {
        let Self { server, sides } = self;
        let mut sides = sides.lock();
        let state = match side {
            Side::Writing => &mut sides.writing,
            Side::Reading => &mut sides.reading,
        };
        let verb = verb(side);
        match (&mut *state, outcome) {
            (State::Well, Ok(())) => {}
            (State::New, Ok(())) => {
                tracing::info!(server, "shared state: connected, it can be {verb}");
                *state = State::Well;
            }
            (State::Failing { since, .. }, Ok(())) => {
                let away = rounded(now.saturating_duration_since(*since));
                tracing::info!(server, after = %humantime::format_duration(away), "shared state: it can be {verb} again");
                *state = State::Well;
            }
            // Once: two kinds may take turns for hours. Readiness and `explain` say the latest.
            (State::Failing { said, .. }, Err(failure)) => *said = failure.to_string(),
            (State::New | State::Well, Err(failure)) => {
                tracing::warn!(server, "shared state: it cannot be {verb}: {failure}; this replica goes on alone");
                *state = State::Failing { said: failure.to_string(), since: now };
            }
        }
        matches!(*sides, Sides { writing: State::Well, reading: State::Well })
    }

    /// In a few words, with so many other replicas.
    pub fn describe(&self, replicas: usize, now: Instant) -> String {
        let sides = self.sides.lock();
        let failing = [(Side::Writing, &sides.writing), (Side::Reading, &sides.reading)];
        let mut failing = failing.into_iter().filter_map(|(side, state)| match state {
            State::Failing { said, since, .. } => Some((side, said, *since)),
            State::New | State::Well => None,
        });
        if let Some((side, said, since)) = failing.next() {
            let since = humantime::format_duration(rounded(now.saturating_duration_since(since)));
            return format!("for {since} it cannot be {}: {said}; this replica goes on alone", verb(side));
        }
        match *sides {
            Sides { writing: State::Well, reading: State::Well } => format!("connected, {replicas} others heard"),
            _ => "connecting".to_owned(),
        }
    }
}

fn verb(side: Side) -> &'static str {
    match side {
        Side::Writing => "written",
        Side::Reading => "read",
    }
}

/// To seconds: nobody reads more.
fn rounded(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::SharingFailure;

    #[test]
    fn it_is_well_only_while_both_sides_are() {
        let (health, now) = (Health::new("v:6379".to_owned()), Instant::now());
        let failure = Failure::new(SharingFailure::Timeout, "no answer");
        let at = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(health.describe(0, now), "connecting");
        assert!(!health.note(Side::Writing, Ok(()), now));
        assert!(health.note(Side::Reading, Ok(()), now));
        assert_eq!(health.describe(3, now), "connected, 3 others heard");
        assert!(!health.note(Side::Writing, Err(&failure), at(1)));
        assert!(!health.note(Side::Writing, Err(&failure), at(5)));
        assert!(!health.note(Side::Reading, Ok(()), at(5)));
        assert_eq!(health.describe(0, at(13)), "for 12s it cannot be written: no answer; this replica goes on alone");
        assert!(health.note(Side::Writing, Ok(()), at(14)));
    }

    #[test]
    fn another_failure_does_not_begin_the_time_anew() {
        let (health, now) = (Health::new(String::new()), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        for (second, kind) in [(0, SharingFailure::Timeout), (3, SharingFailure::Unreachable)] {
            health.note(Side::Reading, Err(&Failure::new(kind, "away")), at(second));
        }
        assert!(health.describe(0, at(9)).starts_with("for 9s it cannot be read: away"));
    }
}
