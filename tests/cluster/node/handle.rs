//! A pod's object at the API server: what is known of it, and what can be done to it.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::keeper::Shared;
use super::tables::Kind;

/// One pod's object; another that takes its name is a stranger.
#[derive(Clone)]
pub struct Handle {
    pub shared: Arc<Shared>,
    pub namespace: String,
    pub name: String,
    pub uid: String,
    changed: watch::Receiver<()>,
}

/// What somebody else has done to a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is to end.
    Deleted,
    /// It is no more.
    Gone,
}

impl Handle {
    pub fn new(object: &DynamicObject, shared: &Arc<Shared>) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Self {
            shared: Arc::clone(shared),
            namespace: text(&object.metadata.namespace),
            name: text(&object.metadata.name),
            uid: text(&object.metadata.uid),
            changed: shared.watched.subscribe(),
        }
    }

    /// The object as it is known now.
    pub fn object(&self) -> Option<DynamicObject> {
        let object = self.shared.watched.get(Kind::Pod, &self.namespace, &self.name)?;
        (object.metadata.uid.as_ref() == Some(&self.uid)).then(|| object.clone())
    }

    /// What has become of it; nothing as a rule.
    pub fn fate(&self) -> Option<Fate> {
        match self.object() {
            None => Some(Fate::Gone),
            Some(object) => object.metadata.deletion_timestamp.is_some().then_some(Fate::Deleted),
        }
    }

    /// Waits until somebody does something to it.
    pub async fn meets_its_fate(&mut self) -> Fate {
        loop {
            if let Some(fate) = self.fate() {
                return fate;
            }
            self.changed().await;
        }
    }

    /// Waits until anything has changed that the node follows.
    pub async fn changed(&mut self) {
        self.changed.changed().await.expect("a node lives longer than its pods");
    }

    /// Binds it to the node, unless that has been done.
    pub async fn bind(&self, object: &DynamicObject) -> Result<(), String> {
        if !object.data["spec"]["nodeName"].is_null() {
            return Ok(());
        }
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": self.name, "uid": self.uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": self.shared.name},
        });
        let path = format!("/api/v1/namespaces/{}/pods/{}/binding", self.namespace, self.name);
        let request = http::Request::post(path).header("content-type", "application/json");
        let request = request.body(binding.to_string().into_bytes()).map_err(|error| error.to_string())?;
        self.shared.client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
    }

    /// Reports its status.
    pub async fn report(&self, mut status: Value) {
        status["metadata"] = json!({"uid": self.uid});
        let patched = self.api().patch_status(&self.name, &PatchParams::default(), &Patch::Merge(status)).await;
        match patched {
            // It is no more, or another has its name.
            Err(kube::Error::Api(refused)) if matches!(refused.code, 404 | 409) => {}
            Err(error) => self.problem(&format!("its status: {error}")),
            Ok(_) => {}
        }
    }

    /// Says that it has ended: it is no more.
    pub async fn remove(&self) {
        let preconditions = Preconditions { uid: Some(self.uid.clone()), resource_version: None };
        let at_once = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        let _gone_already = self.api().delete(&self.name, &at_once).await;
    }

    /// Tells what no pod can say of itself.
    pub fn problem(&self, text: &str) {
        self.shared.problem(format!("{}/{}: {text}", self.namespace, self.name));
    }

    fn api(&self) -> Api<Pod> {
        Api::namespaced(self.shared.client.clone(), &self.namespace)
    }
}
