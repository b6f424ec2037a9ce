//! The configuration in a ConfigMap, each time it changes.

use std::mem;

use k8s_openapi::api::core::v1 as core;
use kube::Api;
use kube::runtime::watcher::Config;

use super::client::Cluster;
use super::trouble::Trouble;
use super::watch::{Seen, Watch};

/// The key that holds the document unless another is named.
const KEY: &str = "config.yaml";

/// One ConfigMap, watched.
pub struct ConfigMapWatch {
    watch: Watch<core::ConfigMap, ConfigMap>,
    name: String,
    latest: Latest,
}

/// What was told last.
#[derive(Debug)]
struct Latest {
    key: String,
    /// `None` before anything was seen.
    map: Option<Option<ConfigMap>>,
    /// Whether there was trouble since something was told.
    troubled: bool,
}

/// Which object it is, for Events about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Located {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// The version that was read.
    pub resource_version: String,
}

/// What has become of the ConfigMap.
#[derive(Debug)]
pub enum MapNews {
    /// Its document, new or changed.
    Document(Located, String),
    /// It is there, and its key is not; the keys that there are.
    KeyMissing(Located, Vec<String>),
    /// There is none, and was none before.
    Missing,
    /// After trouble it is as it was before.
    Unchanged,
    /// It was deleted.
    Deleted(Located),
    /// It cannot be watched at the moment.
    Trouble(Trouble),
}

/// What is kept of a ConfigMap.
#[derive(Debug)]
struct ConfigMap {
    located: Located,
    data: Vec<(String, String)>,
}

impl ConfigMapWatch {
    /// Watches `name` in the namespace of `cluster`; `name` may end in `/key`, which is `config.yaml` if it does not.
    pub fn new(cluster: &Cluster, name: &str) -> Self {
        let (name, key) = name.split_once('/').unwrap_or((name, KEY));
        let api = Api::namespaced(cluster.client.clone(), cluster.namespace());
        let config = Config::default().fields(&format!("metadata.name={name}"));
        let watch = Watch::new(api, cluster.namespace(), config, "configmaps", ConfigMap::read);
        Self { watch, name: name.to_owned(), latest: Latest { key: key.to_owned(), map: None, troubled: false } }
    }

    /// The name of the ConfigMap.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key of the document.
    pub fn key(&self) -> &str {
        &self.latest.key
    }

    /// Whether the watch is up: what was told last is what there is.
    pub fn is_up(&self) -> bool {
        self.watch.is_up()
    }

    /// Waits for the next news. Dropping the future loses nothing.
    pub async fn next(&mut self) -> MapNews {
        loop {
            let found = match self.watch.next().await {
                Seen::All(mut maps) => maps.pop(),
                Seen::One(map) => Some(map),
                Seen::Gone(_) => None,
                Seen::Trouble => match self.watch.trouble() {
                    Some(trouble) => {
                        self.latest.troubled = true;
                        return MapNews::Trouble(trouble);
                    }
                    None => continue,
                },
            };
            if let Some(news) = self.latest.take(found) {
                return news;
            }
        }
    }
}

impl Latest {
    /// What `found` changes. Where it changes nothing that is news only after trouble.
    fn take(&mut self, found: Option<ConfigMap>) -> Option<MapNews> {
        let unchanged = mem::take(&mut self.troubled).then_some(MapNews::Unchanged);
        let before = self.map.replace(found);
        match (before, self.map.as_ref()?) {
            (None, None) => Some(MapNews::Missing),
            (Some(None), None) => unchanged,
            (Some(Some(before)), None) => Some(MapNews::Deleted(before.located)),
            (before, Some(now)) => {
                let before = before.flatten();
                if before.is_some_and(|before| before.located.uid == now.located.uid && before.data == now.data) {
                    return unchanged;
                }
                Some(match now.data.iter().find(|(key, _)| *key == self.key) {
                    Some((_, text)) => MapNews::Document(now.located.clone(), text.clone()),
                    None => {
                        let keys = now.data.iter().map(|(key, _)| key.clone()).collect();
                        MapNews::KeyMissing(now.located.clone(), keys)
                    }
                })
            }
        }
    }
}

impl ConfigMap {
    fn read(map: core::ConfigMap) -> Self {
        let metadata = map.metadata;
        let located = Located {
            namespace: metadata.namespace.unwrap_or_default(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
        };
        Self { located, data: map.data.unwrap_or_default().into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(uid: &str, text: &str) -> Option<ConfigMap> {
        let located = Located { uid: uid.to_owned(), ..Located::default() };
        Some(ConfigMap { located, data: vec![("config.yaml".to_owned(), text.to_owned())] })
    }

    fn latest() -> Latest {
        Latest { key: "config.yaml".to_owned(), map: None, troubled: false }
    }

    fn document(news: Option<MapNews>) -> Option<String> {
        if let Some(MapNews::Document(_, text)) = news { Some(text) } else { None }
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut latest = latest();
        assert!(matches!(latest.take(None), Some(MapNews::Missing)));
        assert!(latest.take(None).is_none());
        assert_eq!(document(latest.take(map("u-1", "a"))).as_deref(), Some("a"));
        assert!(latest.take(map("u-1", "a")).is_none());
        assert_eq!(document(latest.take(map("u-1", "b"))).as_deref(), Some("b"));
        assert_eq!(
            document(latest.take(map("u-2", "b"))).as_deref(),
            Some("b"),
            "another one, which an Event must name"
        );
        assert!(matches!(latest.take(None), Some(MapNews::Deleted(Located { uid, .. })) if uid == "u-2"));
        assert!(latest.take(None).is_none());
    }

    #[test]
    fn after_trouble_it_is_told_once_that_nothing_has_changed() {
        let mut latest = latest();
        latest.take(map("u-1", "a"));
        latest.troubled = true;
        assert!(matches!(latest.take(map("u-1", "a")), Some(MapNews::Unchanged)));
        assert!(latest.take(map("u-1", "a")).is_none());
        latest.troubled = true;
        assert_eq!(document(latest.take(map("u-1", "b"))).as_deref(), Some("b"));
        latest.troubled = true;
        assert!(matches!(latest.take(None), Some(MapNews::Deleted(_))), "deleted meanwhile");
        latest.troubled = true;
        assert!(matches!(latest.take(None), Some(MapNews::Unchanged)), "still deleted");
    }

    #[test]
    fn a_key_that_is_not_there_is_told_with_those_that_are() {
        let mut latest = Latest { key: "picker.yaml".to_owned(), ..latest() };
        let Some(MapNews::KeyMissing(_, keys)) = latest.take(map("u-1", "a")) else { panic!("no such key") };
        assert_eq!(keys, ["config.yaml"]);
    }
}
