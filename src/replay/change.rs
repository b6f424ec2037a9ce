//! What happens to the replicas while a trace is replayed: `30s:fail:r3`, `60s:add:2`, `90s:remove:r0`.

use std::fmt;
use std::str::FromStr;

use super::Seconds;

/// One change, at a time of the replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Seconds since the first request came.
    pub at: Seconds,
    /// What happens.
    pub what: What,
}

/// What happens to replicas. They are numbered from 0; those that are added get the next numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The replica dies, and all that it had fails. It leaves the pool [`NOTICED`] later.
    Fail(usize),
    /// The replica leaves the pool, and ends what it has.
    Remove(usize),
    /// So many replicas with empty caches join the pool; at least 1.
    Add(usize),
}

/// How long a replica that died stays in the pool, until somebody says that it is not ready.
pub const NOTICED: Seconds = 1.0;
/// Replicas that there may be in one replay, those that have left included.
pub const MOST: usize = 4_096;
/// Replicas that may be added at once.
const MOST_ADDED: usize = 1_000;

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a change is `30s:fail:r3`, `30s:remove:r3` or `60s:add:2`".to_owned();
        let mut parts = text.split(':');
        let (Some(at), Some(what), Some(which), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(wrong());
        };
        let at = humantime::parse_duration(at).map_err(|error| error.to_string())?.as_secs_f64();
        let replica = || which.strip_prefix('r').and_then(|number| number.parse().ok()).ok_or_else(wrong);
        let what = match what {
            "fail" => What::Fail(replica()?),
            "remove" => What::Remove(replica()?),
            "add" => What::Add(which.parse().ok().filter(|count| (1..=MOST_ADDED).contains(count)).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        };
        Ok(Self { at, what })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, what } = self;
        match what {
            What::Fail(number) => write!(f, "r{number} dies after {at} s"),
            What::Remove(number) => write!(f, "r{number} leaves after {at} s"),
            What::Add(count) => write!(f, "{count} join after {at} s"),
        }
    }
}

/// Puts changes in the order of their times.
///
/// # Errors
/// One names a replica that is not there at its time, or there are more than [`MOST`] in all.
pub fn in_order(mut changes: Vec<Change>, replicas: usize) -> Result<Vec<Change>, String> {
    changes.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut there = vec![true; replicas];
    for Change { at, what } in &changes {
        match what {
            What::Fail(number) | What::Remove(number) => {
                let is_there = there.get_mut(*number).filter(|is_there| **is_there);
                *is_there.ok_or_else(|| format!("there is no replica r{number} after {at} s"))? = false;
            }
            What::Add(count) if there.len() + count > MOST => {
                return Err(format!("there are more than {MOST} replicas after {at} s, those that have left included"));
            }
            What::Add(count) => there.extend(std::iter::repeat_n(true, *count)),
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_a_time_a_kind_and_whom_or_how_many() {
        for (text, change) in [
            ("30s:fail:r3", Some((30.0, What::Fail(3)))),
            ("1m 30s:remove:r0", Some((90.0, What::Remove(0)))),
            ("500ms:add:2", Some((0.5, What::Add(2)))),
            ("30s:fail:3", None),
            ("30s:add:r2", None),
            ("30s:add:0", None),
            ("30:fail:r3", None),
            ("30s:stop:r3", None),
            ("30s:fail", None),
            ("30s:fail:r3:r4", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), change.map(|(at, what)| Change { at, what }), "{text}");
        }
    }

    #[test]
    fn who_is_not_there_cannot_leave() {
        let checked = |texts: &[&str]| {
            let changes = texts.iter().map(|text| text.parse().expect("a change")).collect();
            in_order(changes, 2).map(|changes| changes.len())
        };
        assert_eq!(checked(&["9s:fail:r3", "5s:add:2"]), Ok(2));
        assert!(checked(&["5s:fail:r3", "9s:add:2"]).is_err());
        assert!(checked(&["5s:fail:r1", "9s:remove:r1"]).is_err());
    }

    #[test]
    fn no_more_join_than_a_replay_can_name() {
        let joined = |last: usize| {
            let adds = [1_000, 1_000, 1_000, 1_000, last].map(|count| Change { at: 1.0, what: What::Add(count) });
            in_order(adds.into(), 2).map(|changes| changes.len())
        };
        assert_eq!(joined(94), Ok(5));
        assert!(joined(95).is_err_and(|error| error.contains("more than 4096")));
    }
}
