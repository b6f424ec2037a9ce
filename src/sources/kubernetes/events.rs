//! Kubernetes Events on a ConfigMap: what `kubectl describe` shows to whoever has just edited it.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::timeout;

use super::client::Cluster;
use super::config_map::Located;
use super::trouble::innermost;

/// Who reports, as `kubectl` shows it.
const REPORTER: &str = "homing.dev/picker";
/// Longest note that the API server takes, in bytes.
const NOTE: usize = 1024;
/// Nothing waits longer than this for an Event to be taken.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes Events; the last one is counted up instead of written again.
pub struct Events {
    cluster: Cluster,
    /// This replica's name.
    instance: String,
    last: Option<Last>,
}

struct Last {
    name: String,
    uid: String,
    reason: &'static str,
    note: String,
    count: i32,
}

impl Events {
    /// Writes in the namespace of `cluster`, as the replica called `instance`.
    pub fn new(cluster: Cluster, instance: String) -> Self {
        Self { cluster, instance, last: None }
    }

    /// Writes a warning about `map`; returns whether it was. That it was not is logged if `aloud`; nothing else
    /// depends on it.
    pub async fn warn(&mut self, map: &Located, reason: &'static str, note: &str, aloud: bool) -> bool {
        let note = shortened(note);
        let cause = match timeout(PATIENCE, self.write(map, reason, note)).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => innermost(&error).to_string(),
            Err(_) => "not taken in time".to_owned(),
        };
        if aloud {
            tracing::warn!(cause, reason, "the Event on the ConfigMap could not be written; we keep trying");
        } else {
            tracing::debug!(cause, reason, "the Event on the ConfigMap could not be written again");
        }
        false
    }

    async fn write(&mut self, map: &Located, reason: &'static str, note: &str) -> Result<(), kube::Error> {
        let api = Api::<Event>::namespaced(self.cluster.client.clone(), &map.namespace);
        let now = MicroTime(Timestamp::now());
        let is_same = |last: &Last| last.uid == map.uid && last.reason == reason && last.note == note;
        if let Some(last) = self.last.as_mut().filter(|last| is_same(last)) {
            let count = last.count + 1;
            let series = json!({"series": {"count": count, "lastObservedTime": now}});
            match api.patch(&last.name, &PatchParams::default(), &Patch::Merge(series)).await {
                // It has expired, or somebody has removed it.
                Err(kube::Error::Api(status)) if status.code == 404 => self.last = None,
                patched => {
                    // What fails is tried again, with the same count.
                    return patched.map(|_| last.count = count);
                }
            }
        }
        let event = api.create(&PostParams::default(), &self.event(map, reason, note, now)).await?;
        let name = event.metadata.name.unwrap_or_default();
        self.last = Some(Last { name, uid: map.uid.clone(), reason, note: note.to_owned(), count: 1 });
        Ok(())
    }

    fn event(&self, map: &Located, reason: &str, note: &str, now: MicroTime) -> Event {
        let Located { namespace, name, uid, resource_version } = map.clone();
        Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{name}-")),
                namespace: Some(namespace.clone()),
                ..ObjectMeta::default()
            },
            regarding: Some(ObjectReference {
                api_version: Some("v1".into()),
                kind: Some("ConfigMap".into()),
                name: Some(name),
                namespace: Some(namespace),
                uid: Some(uid),
                resource_version: Some(resource_version),
                field_path: None,
            }),
            type_: Some("Warning".into()),
            reason: Some(reason.into()),
            action: Some("Configure".into()),
            note: Some(note.into()),
            reporting_controller: Some(REPORTER.into()),
            reporting_instance: Some(self.instance.clone()),
            event_time: Some(now),
            ..Event::default()
        }
    }
}

/// The first lines of a note, as far as the API server takes them.
fn shortened(note: &str) -> &str {
    &note[..note.floor_char_boundary(NOTE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(NOTE);
        assert_eq!(shortened(&long).len(), NOTE);
        assert_eq!(shortened(&long[..NOTE + 2]).len(), NOTE);
        assert_eq!(shortened(&format!("x{long}")).len(), NOTE - 1);
    }
}
