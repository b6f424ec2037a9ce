//! Whether the API server answers, and whom it takes us for.

use std::time::{Duration, SystemTime};

use super::clock::Reading;
use super::{in_time, mend};
use crate::cli::doctor::finding::Finding;
use crate::sources::kubernetes::{About, Cluster, Unanswered};

const NAME: &str = "api-server";

/// What later checks want to know of it.
#[derive(Debug)]
pub struct Answer {
    /// The name of whoever asks; empty where it is not told.
    pub user: String,
    /// Its clock beside ours.
    pub clock: Reading,
}

/// Asks who it is, and who we are; the answer is there if it answers at all.
pub async fn check(cluster: &Cluster, limit: Duration) -> (Finding, Option<Answer>) {
    let before = SystemTime::now();
    let asked = in_time(limit, cluster.about()).await;
    let after = SystemTime::now();
    let user = match &asked {
        Ok(_) => in_time(limit, cluster.user()).await,
        Err(unanswered) => Err(unanswered.clone()),
    };
    let finding = judge(cluster.server(), &asked, &user);
    let date = asked.ok().map(|about| about.date);
    let clock = date.map(|date| Reading { date, before, after });
    (finding, clock.map(|clock| Answer { user: user.unwrap_or_default(), clock }))
}

fn judge(server: &str, about: &Result<About, Unanswered>, user: &Result<String, Unanswered>) -> Finding {
    match (about, user) {
        (Err(unanswered), _) => Finding::failure(NAME, format!("{server}: {unanswered}"), mend(unanswered)),
        (Ok(about), user) => {
            let version = about.version.as_deref().unwrap_or("of a version that it does not tell");
            match user {
                Ok(user) => Finding::ok(NAME, format!("{server} {version}, asked as {user}")),
                Err(unanswered) => {
                    let finding = format!("{server} {version} does not say who we are: {unanswered}");
                    Finding::warning(NAME, finding, mend(unanswered))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;
    use crate::sources::kubernetes::Trouble;

    #[test]
    fn one_that_is_away_is_a_failure_that_says_how_it_fails() {
        let away = Unanswered { trouble: Trouble::Unreachable, said: "connection refused".to_owned() };
        let finding = judge("https://10.0.0.1", &Err(away.clone()), &Err(away));
        assert_eq!(finding.status, Status::Failure);
        assert_eq!(finding.finding, "https://10.0.0.1: the API server cannot be reached (connection refused)");
        let about = About { version: Some("v1.36.3".to_owned()), date: None };
        let finding = judge("https://10.0.0.1", &Ok(about), &Ok("alice".to_owned()));
        assert_eq!(finding.finding, "https://10.0.0.1 v1.36.3, asked as alice");
    }
}
