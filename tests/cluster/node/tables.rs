//! What a node knows of its namespaces, kept up to date by watches.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, TypeMeta};
use kube::core::GroupVersionKind;
use kube::runtime::watcher::{self, Event};
use parking_lot::{MappedRwLockReadGuard, RwLock, RwLockReadGuard};
use tokio::sync::watch;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Pod,
    Service,
    ConfigMap,
    Secret,
}

/// Kind, namespace and name.
type Key = (Kind, String, String);

/// All of it.
#[derive(Default)]
pub struct Tables(BTreeMap<Key, DynamicObject>);

/// The same, shared, and whether it has changed.
#[derive(Clone)]
pub struct Watched {
    tables: Arc<RwLock<Tables>>,
    changed: watch::Sender<()>,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Pod, Self::Service, Self::ConfigMap, Self::Secret];

    fn types(self) -> TypeMeta {
        TypeMeta { api_version: "v1".to_owned(), kind: format!("{self:?}") }
    }

    fn resource(self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", &format!("{self:?}")))
    }
}

impl Tables {
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&DynamicObject> {
        self.0.get(&(kind, namespace.to_owned(), name.to_owned()))
    }

    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &DynamicObject> {
        self.0.iter().filter(move |((of, ..), _)| *of == kind).map(|(_, object)| object)
    }
}

impl Watched {
    pub fn new() -> Self {
        Self { tables: Arc::default(), changed: watch::Sender::new(()) }
    }

    pub fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.tables.read()
    }

    /// One object, while nobody writes.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<MappedRwLockReadGuard<'_, DynamicObject>> {
        RwLockReadGuard::try_map(self.read(), |tables| tables.get(kind, namespace, name)).ok()
    }

    /// Tells when something has changed since it was last asked.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Follows one kind in one namespace for ever.
    pub async fn follow(self, client: kube::Client, kind: Kind, namespace: String) {
        let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &kind.resource());
        let mut events = watcher::watcher(api, watcher::Config::default()).boxed();
        let mut listed = BTreeMap::new();
        while let Some(event) = events.next().await {
            let key = |object: &DynamicObject| {
                (kind, namespace.clone(), object.metadata.name.clone().expect("an object has a name"))
            };
            // Objects of a list do not say of what kind they are.
            let typed = |object| DynamicObject { types: Some(kind.types()), ..object };
            let mut tables = self.tables.write();
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    listed.insert(key(&object), typed(object));
                }
                Ok(Event::InitDone) => {
                    tables.0.retain(|(of, within, _), _| (*of, within.as_str()) != (kind, namespace.as_str()));
                    tables.0.append(&mut listed);
                }
                Ok(Event::Apply(object)) => {
                    tables.0.insert(key(&object), typed(object));
                }
                Ok(Event::Delete(object)) => {
                    tables.0.remove(&key(&object));
                }
                // The watcher tries again.
                Err(error) => eprintln!("node: {kind:?}: {error}"),
            }
            drop(tables);
            self.changed.send_replace(());
        }
    }
}
