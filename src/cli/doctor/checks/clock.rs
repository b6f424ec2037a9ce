//! Our clock beside the API server's. Replicas compare times with each other: one that is far ahead is not believed.

use std::time::{Duration, SystemTime};

use crate::cli::doctor::finding::Finding;

const NAME: &str = "clock";
/// Clocks that are kept differ by less.
const KEPT: Duration = Duration::from_secs(2);
/// More than that, and other replicas ignore what this one says.
const BELIEVED: Duration = Duration::from_secs(60);

/// The API server's clock, and ours around it.
#[derive(Debug)]
pub struct Reading {
    /// Its clock, cut to the second; none if it did not say.
    pub date: Option<SystemTime>,
    /// Ours before we asked.
    pub before: SystemTime,
    /// Ours when the answer was there.
    pub after: SystemTime,
}

/// By how much the two differ for certain, whatever the second was cut from and the network took.
pub fn judge(reading: &Reading) -> Finding {
    let Reading { date, before, after } = reading;
    let Some(date) = date else {
        return Finding::skipped(NAME, "the API server's answer has no date");
    };
    let ahead = before.duration_since(*date + Duration::from_secs(1)).unwrap_or_default();
    let behind = date.duration_since(*after).unwrap_or_default();
    let (off, word) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
    if off <= KEPT {
        return Finding::ok(NAME, "ours agrees with the API server's");
    }
    let finding = format!("ours is {:.0} s {word} the API server's", off.as_secs_f64());
    let fix = "keep the clocks of all nodes, and of this machine, by one time service (NTP)";
    if off > BELIEVED {
        Finding::failure(NAME, format!("{finding}; replicas ignore one that is 60 s ahead"), fix)
    } else {
        Finding::warning(NAME, finding, fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(1_000_000.0 + seconds)
    }

    #[test]
    fn only_what_is_certain_counts() {
        for (date, before, after, status) in [
            (0.0, 0.5, 0.6, Status::Ok),
            (0.0, 2.9, 3.0, Status::Ok),
            (0.0, 3.1, 3.2, Status::Warning),
            (0.0, -30.0, 10.0, Status::Ok),
            (0.0, -3.2, -2.1, Status::Warning),
            (0.0, -2.0, -1.9, Status::Ok),
            (0.0, 60.9, 61.0, Status::Warning),
            (0.0, 61.5, 61.6, Status::Failure),
            (0.0, -70.0, -61.0, Status::Failure),
        ] {
            let reading = Reading { date: Some(at(date)), before: at(before), after: at(after) };
            let finding = judge(&reading);
            assert_eq!(finding.status, status, "{date} {before} {after}: {finding:?}");
        }
        let unknown = Reading { date: None, before: at(0.0), after: at(0.0) };
        assert_eq!(judge(&unknown).status, Status::Skipped);
    }

    #[test]
    fn the_finding_says_which_of_the_two_is_ahead() {
        let reading = |before, after| Reading { date: Some(at(0.0)), before: at(before), after: at(after) };
        assert!(judge(&reading(101.0, 101.1)).finding.starts_with("ours is 100 s ahead of the API server's"));
        assert!(judge(&reading(-100.2, -100.0)).finding.starts_with("ours is 100 s behind the API server's"));
    }
}
