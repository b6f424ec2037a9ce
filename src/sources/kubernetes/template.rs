//! Which template a pod was made of, and which is the newest of its kind. Pure.
//!
//! During a rolling update a session that loses its home should not move to a pod that will end as well. A template
//! is as old as the oldest pod that was seen of it since it last had none; of several templates of one workload the
//! youngest is the newest, as soon as one of its pods serves. A new version that never comes up so makes nobody
//! outdated.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

/// Labels that tell the templates of a workload apart: of Deployments, of StatefulSets and DaemonSets, of Argo's
/// Rollouts.
const HASHES: [&str; 3] = ["pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash"];

/// What a pod was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The workload, the same for all its templates: kind and name of the pod's owner, without the hash.
    pub workload: Arc<str>,
    /// The template's hash.
    pub hash: Arc<str>,
    /// When the pod was made, in seconds since 1970.
    pub created: i64,
}

/// When the first pod of a template was made, by workload and hash, of all that have pods.
pub type Ages = HashMap<(Arc<str>, Arc<str>), i64>;

/// The newest template of each workload, at one moment.
#[derive(Debug, Default)]
pub struct Newest<'a> {
    templates: HashMap<(&'a Arc<str>, &'a Arc<str>), Seen>,
    /// By workload, when the oldest pod of its newest template was made.
    newest: HashMap<&'a Arc<str>, i64>,
}

#[derive(Debug)]
struct Seen {
    oldest: i64,
    serves: bool,
}

impl Template {
    /// The template of a pod with these labels and owners; `None` where no controller made it.
    pub fn read(labels: &BTreeMap<String, String>, owners: &[OwnerReference], created: Option<i64>) -> Option<Self> {
        let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
        let hash = HASHES.iter().find_map(|name| labels.get(*name))?;
        // A Deployment makes a ReplicaSet for each template and puts the hash behind its own name.
        let name = owner.name.strip_suffix(hash.as_str()).and_then(|name| name.strip_suffix('-'));
        let workload = format!("{}/{}", owner.kind, name.unwrap_or(&owner.name));
        Some(Self { workload: workload.into(), hash: hash.as_str().into(), created: created? })
    }
}

impl<'a> Newest<'a> {
    /// The newest templates among those of `pods`, each with whether its pod serves; of before, `ages` are known.
    pub fn of(pods: impl Iterator<Item = (&'a Template, bool)>, ages: &Ages) -> Self {
        let mut found = Self::default();
        for (template, serves) in pods {
            let seen = found.templates.entry((&template.workload, &template.hash)).or_insert_with(|| {
                let known = ages.get(&(Arc::clone(&template.workload), Arc::clone(&template.hash)));
                Seen { oldest: known.copied().unwrap_or(template.created), serves }
            });
            seen.oldest = seen.oldest.min(template.created);
            seen.serves |= serves;
        }
        for ((workload, _), seen) in found.templates.iter().filter(|(_, seen)| seen.serves) {
            let newest = found.newest.entry(workload).or_insert(seen.oldest);
            *newest = seen.oldest.max(*newest);
        }
        found
    }

    /// Whether there is a newer template of the same workload. Templates of the same second are equally new.
    pub fn outdates(&self, template: &Template) -> bool {
        let own = self.templates.get(&(&template.workload, &template.hash));
        let newest = self.newest.get(&template.workload);
        own.zip(newest).is_some_and(|(own, newest)| own.oldest < *newest)
    }

    /// How old the templates are, to be remembered: pods that are made again make no template younger.
    pub fn ages(&self) -> Ages {
        let age = |(&(workload, hash), seen): (&(&Arc<str>, &Arc<str>), &Seen)| {
            ((Arc::clone(workload), Arc::clone(hash)), seen.oldest)
        };
        self.templates.iter().map(age).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(kind: &str, owner: &str, label: &str, hash: &str) -> Option<Template> {
        let owner = json!({"apiVersion": "v1", "kind": kind, "name": owner, "uid": "u", "controller": true});
        let labels = BTreeMap::from([("app".to_owned(), "llama".to_owned()), (label.to_owned(), hash.to_owned())]);
        Template::read(&labels, &[serde_json::from_value(owner).expect("an owner")], Some(7))
    }

    fn template(workload: &str, hash: &str, created: i64) -> Template {
        Template { workload: workload.into(), hash: hash.into(), created }
    }

    #[test]
    fn all_templates_of_a_workload_name_the_same_workload() {
        for (kind, owner, label, hash, workload) in [
            ("ReplicaSet", "llama-7d9f", "pod-template-hash", "7d9f", "ReplicaSet/llama"),
            ("ReplicaSet", "llama-canary-7d9f", "pod-template-hash", "7d9f", "ReplicaSet/llama-canary"),
            ("ReplicaSet", "7d9f", "pod-template-hash", "7d9f", "ReplicaSet/7d9f"),
            ("ReplicaSet", "llama-55c", "rollouts-pod-template-hash", "55c", "ReplicaSet/llama"),
            ("StatefulSet", "llama", "controller-revision-hash", "llama-66b", "StatefulSet/llama"),
            ("DaemonSet", "llama", "controller-revision-hash", "66b", "DaemonSet/llama"),
        ] {
            let read = read(kind, owner, label, hash).expect("a template");
            assert_eq!((&*read.workload, &*read.hash, read.created), (workload, hash, 7));
        }
    }

    #[test]
    fn a_pod_that_no_controller_made_has_no_template() {
        assert_eq!(Template::read(&BTreeMap::from([("pod-template-hash".into(), "a".into())]), &[], Some(7)), None);
        assert_eq!(read("Job", "batch", "job-name", "batch"), None);
    }

    #[test]
    fn outdated_is_a_template_with_a_newer_one_of_its_workload_that_serves() {
        let old = template("llama", "a", 100);
        for (others, outdated) in [
            (vec![], false),
            (vec![(template("llama", "b", 200), true)], true),
            (vec![(template("llama", "b", 200), false)], false),
            (vec![(template("llama", "b", 200), false), (template("llama", "b", 210), true)], true),
            (vec![(template("mistral", "b", 200), true)], false),
            (vec![(template("llama", "b", 100), true)], false),
            (vec![(template("llama", "b", 50), true)], false),
            // One of the old pods was made again: its template is as old as its oldest pod.
            (vec![(template("llama", "a", 300), true), (template("llama", "b", 200), true)], true),
        ] {
            let all = || std::iter::once((&old, true)).chain(others.iter().map(|(it, serves)| (it, *serves)));
            assert_eq!(Newest::of(all(), &Ages::new()).outdates(&old), outdated, "{others:?}");
        }
    }

    #[test]
    fn after_a_rollback_the_newest_is_what_was_rolled_back_to() {
        let (bad, good) = (template("llama", "b", 200), template("llama", "a", 300));
        let newest = Newest::of([(&bad, true), (&good, true)].into_iter(), &Ages::new());
        assert!(newest.outdates(&bad) && !newest.outdates(&good));
    }
}
