//! Whether whoever asks may do all that Homing does.

use std::time::Duration;

use futures_util::future::join_all;

use super::{in_time, mend};
use crate::cli::doctor::finding::{Finding, count};
use crate::sources::kubernetes::{Cluster, Members, Rule, Unanswered, rules};

const NAME: &str = "permissions";
/// Names of pods' accounts begin so.
const ACCOUNT: &str = "system:serviceaccount:";

/// A rule, and what was said to each of its verbs.
type Answer = (Rule, Result<Vec<(&'static str, bool)>, Unanswered>);

/// Asks for each right on its own.
pub async fn check(
    cluster: &Cluster,
    members: Option<&Members>,
    config_map: Option<&str>,
    user: &str,
    limit: Duration,
) -> Vec<Finding> {
    let asked = rules(members, config_map).into_iter().map(async |rule| {
        let verbs = rule.verbs.iter().map(async |verb| Ok((*verb, cluster.allows(&rule, verb).await?)));
        let verbs = in_time(limit, async { join_all(verbs).await.into_iter().collect() }).await;
        (rule, verbs)
    });
    judge(&join_all(asked).await, cluster.namespace(), user)
}

fn judge(answers: &[Answer], namespace: &str, user: &str) -> Vec<Finding> {
    let who = if user.is_empty() { "whoever asks" } else { user };
    let findings = answers.iter().filter_map(|(rule, verbs)| {
        let missing: Vec<&str> = match verbs {
            Ok(verbs) => verbs.iter().filter(|(_, allowed)| !allowed).map(|(verb, _)| *verb).collect(),
            Err(unanswered) => {
                let finding = format!("not known for {}: {unanswered}", what(rule));
                return Some(Finding::failure(NAME, finding, mend(unanswered)));
            }
        };
        (!missing.is_empty()).then(|| {
            let finding = format!("{who} may not {} {} in {namespace}", missing.join(" and "), what(rule));
            let fix = format!("add to the Role in {namespace}: {}{}", written(rule), hint(user));
            // Events tell people what Homing's log tells them too.
            if rule.resource == "events" {
                Finding::warning(NAME, finding, fix)
            } else {
                Finding::failure(NAME, finding, fix)
            }
        })
    });
    let findings: Vec<Finding> = findings.collect();
    if !findings.is_empty() {
        return findings;
    }
    let rights = answers.iter().map(|(rule, _)| rule.verbs.len()).sum();
    vec![Finding::ok(NAME, format!("{who} has the {} that Homing uses in {namespace}", count(rights, "right")))]
}

fn what(rule: &Rule) -> String {
    let Rule { group, resource, name, .. } = rule;
    let of = if group.is_empty() { String::new() } else { format!(" of {group}") };
    match name {
        Some(name) => format!("{resource} {name}{of}"),
        None => format!("{resource}{of}"),
    }
}

/// The rule as a Role has it.
fn written(rule: &Rule) -> String {
    let Rule { group, resource, name, verbs } = rule;
    let group = if group.is_empty() { "\"\"" } else { *group };
    let names = name.as_ref().map(|name| format!(", resourceNames: [{name}]")).unwrap_or_default();
    format!("{{apiGroups: [{group}], resources: [{resource}]{names}, verbs: [{}]}}", verbs.join(", "))
}

/// People who look from outside are not who Homing runs as.
fn hint(user: &str) -> &'static str {
    if user.starts_with(ACCOUNT) {
        ""
    } else {
        "; this user is not the one that Homing runs as: --as system:serviceaccount:NAMESPACE:NAME asks for that one"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;
    use crate::sources::kubernetes::Trouble;

    fn answers(denied: &[(&str, &str)]) -> Vec<Answer> {
        let allowed = |rule: &Rule, verb: &&'static str| (*verb, !denied.contains(&(rule.resource, *verb)));
        let rules = rules(Some(&Members::Pool("llama".to_owned())), Some("picker"));
        rules
            .into_iter()
            .map(|rule| (rule.clone(), Ok(rule.verbs.iter().map(|verb| allowed(&rule, verb)).collect())))
            .collect()
    }

    #[test]
    fn all_rights_are_one_line() {
        let findings = judge(&answers(&[]), "llm", "system:serviceaccount:llm:homing");
        assert_eq!(
            findings,
            [Finding::ok("permissions", "system:serviceaccount:llm:homing has the 8 rights that Homing uses in llm")]
        );
    }

    #[test]
    fn a_missing_right_names_the_rule_that_gives_it() {
        let denied =
            [("inferencepools", "watch"), ("configmaps", "list"), ("configmaps", "watch"), ("events", "patch")];
        let findings = judge(&answers(&denied), "llm", "system:serviceaccount:llm:homing");
        let told: Vec<_> = findings.iter().map(|it| (it.status, it.finding.as_str(), it.fix.as_deref())).collect();
        let who = "system:serviceaccount:llm:homing may not";
        assert_eq!(
            told,
            [
                (
                    Status::Failure,
                    &*format!("{who} watch inferencepools of inference.networking.k8s.io in llm"),
                    Some(
                        "add to the Role in llm: {apiGroups: [inference.networking.k8s.io], resources: [inferencepools], \
                         verbs: [list, watch]}"
                    )
                ),
                (
                    Status::Failure,
                    &*format!("{who} list and watch configmaps picker in llm"),
                    Some(
                        "add to the Role in llm: {apiGroups: [\"\"], resources: [configmaps], resourceNames: [picker], \
                         verbs: [list, watch]}"
                    )
                ),
                (
                    Status::Warning,
                    &*format!("{who} patch events of events.k8s.io in llm"),
                    Some(
                        "add to the Role in llm: {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}"
                    )
                ),
            ]
        );
    }

    #[test]
    fn another_user_is_told_how_to_ask_for_homing() {
        let findings = judge(&answers(&[("pods", "list")]), "llm", "alice");
        assert!(
            findings[0].fix.as_ref().is_some_and(|fix| fix.contains("--as system:serviceaccount:")),
            "{findings:?}"
        );
    }

    #[test]
    fn an_api_server_that_does_not_say_is_a_failure() {
        let mut answers = answers(&[]);
        answers[0].1 = Err(Unanswered { trouble: Trouble::Failing, said: "no".to_owned() });
        assert_eq!(judge(&answers, "llm", "")[0].status, Status::Failure);
    }
}
