//! What Homing has to be allowed, and whether it is.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::client::Cluster;
use super::follow::Members;
use super::once::Unanswered;

/// A rule of a Role: verbs on one resource of the namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty is the core.
    pub group: &'static str,
    /// The resource, in the plural.
    pub resource: &'static str,
    /// The one object that is meant; all of them without.
    pub name: Option<String>,
    /// What is done with it.
    pub verbs: &'static [&'static str],
}

/// The rules that Homing uses to follow `members`, and the ConfigMap of this name if there is one.
pub fn rules(members: Option<&Members>, config_map: Option<&str>) -> Vec<Rule> {
    const FOLLOW: &[&str] = &["list", "watch"];
    let rule = |group, resource, verbs| Rule { group, resource, name: None, verbs };
    let mut rules = Vec::new();
    if matches!(members, Some(Members::Pool(_))) {
        rules.push(rule("inference.networking.k8s.io", "inferencepools", FOLLOW));
    }
    if members.is_some() {
        rules.push(rule("", "pods", FOLLOW));
    }
    if let Some(name) = config_map {
        rules.push(Rule { name: Some(name.to_owned()), ..rule("", "configmaps", FOLLOW) });
        rules.push(rule("events.k8s.io", "events", &["create", "patch"]));
    }
    rules
}

impl Cluster {
    /// Whether the API server allows `verb` of a rule to whoever asks.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn allows(&self, rule: &Rule, verb: &str) -> Result<bool, Unanswered> {
        let attributes = ResourceAttributes {
            group: Some(rule.group.to_owned()),
            resource: Some(rule.resource.to_owned()),
            name: rule.name.clone(),
            namespace: Some(self.namespace().to_owned()),
            verb: Some(verb.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
        let answer = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    /// The name of whoever asks, as the API server knows it.
    ///
    /// # Errors
    /// The API server does not answer, or does not accept who asks.
    pub async fn user(&self) -> Result<String, Unanswered> {
        let review = SelfSubjectReview::default();
        let answer: SelfSubjectReview = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let user = answer.status.and_then(|status| status.user_info?.username);
        Ok(user.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_rules_are_those_of_the_example_role() {
        let example = include_str!("../../../deploy/kubernetes/rbac.yaml");
        let role = example.split("\n---\n").find(|part| part.contains("kind: Role\n")).expect("a Role");
        let role: Value = serde_saphyr::from_str(role).expect("YAML");
        let ours = rules(Some(&Members::Pool("p".to_owned())), Some("homing-config"));
        let ours = ours.iter().map(|Rule { group, resource, name, verbs }| {
            let mut rule = json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
            if let Some(name) = name {
                rule["resourceNames"] = json!([name]);
            }
            rule
        });
        assert_eq!(role["rules"], ours.collect::<Value>());
    }

    #[test]
    fn what_is_not_followed_needs_no_right() {
        let pods = Members::Pods(super::super::Spec::default());
        assert_eq!(rules(Some(&pods), None).iter().map(|rule| rule.resource).collect::<Vec<_>>(), ["pods"]);
        assert!(rules(None, None).is_empty());
    }
}
