//! A namespace of a test's own, with what the documentation tells operators to make there.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace as NamespaceObject, Pod, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::control_plane::ControlPlane;
use super::objects::{self, PodOf};
use crate::support::{eventually, within};

/// The rights that the documentation tells operators to give.
const RBAC: &str = "deploy/kubernetes/rbac.yaml";
/// The ConfigMap that these rights name.
pub const CONFIG_MAP: &str = "homing-config";

/// A namespace, used by somebody who may do everything.
pub struct Namespace {
    pub name: String,
    client: kube::Client,
    /// For Homing's own ServiceAccount.
    pub kubeconfig: String,
}

impl Namespace {
    /// A new one, with Homing's ServiceAccount, Role and RoleBinding.
    pub async fn create(plane: &ControlPlane) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = plane.client();
        let mut namespace = Self { name: name.clone(), client, kubeconfig: String::new() };
        let object: NamespaceObject = made(json!({"metadata": {"name": name}}));
        namespace.cluster_wide().create(&PostParams::default(), &object).await.expect("a namespace");
        // Where controllers run, one of them makes it; pods need it.
        let kind = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
        namespace.put::<ServiceAccount>(kind).await;
        namespace.apply_rbac().await;
        let token = namespace.token().await;
        namespace.kubeconfig = plane.kubeconfig(&token, &name);
        namespace
    }

    /// Applies the example of the documentation.
    pub async fn apply_rbac(&self) {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RBAC)).expect("the example");
        let text = text.replace("namespace: default", &format!("namespace: {}", self.name));
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document).expect("the example is YAML");
            match object["kind"].as_str().expect("a kind") {
                "ServiceAccount" => self.put::<ServiceAccount>(object).await,
                "Role" => self.put::<Role>(object).await,
                "RoleBinding" => self.put::<RoleBinding>(object).await,
                kind => panic!("{RBAC} has a {kind}"),
            }
        }
    }

    /// Takes Homing's permissions away.
    pub async fn revoke(&self) {
        self.api::<RoleBinding>().delete("homing", &DeleteParams::default()).await.expect("the RoleBinding is deleted");
    }

    /// Takes the permission for one resource out of Homing's Role.
    pub async fn forbid(&self, resource: &str) {
        let mut role = self.role().await;
        let others = |rule: &PolicyRule| rule.resources.iter().flatten().all(|named| named != resource);
        role.rules = Some(role.rules.into_iter().flatten().filter(others).collect());
        self.api::<Role>().replace("homing", &PostParams::default(), &role).await.expect("the Role is taken");
    }

    /// Makes a pool of the pods of `app`, or changes it.
    pub async fn pool(&self, name: &str, app: &str, ports: &[u16]) {
        self.pool_of(name, objects::pool(name, app, ports)["spec"].clone()).await;
    }

    /// Makes a pool of this spec, or changes it.
    pub async fn pool_of(&self, name: &str, spec: Value) {
        let (group, kind) = ("inference.networking.k8s.io/v1", "InferencePool");
        let object = json!({"apiVersion": group, "kind": kind, "metadata": {"name": name}, "spec": spec});
        let pool: DynamicObject = made(object);
        self.pools().patch(name, &apply(), &Patch::Apply(pool)).await.expect("the pool is accepted");
    }

    /// Deletes a pool.
    pub async fn delete_pool(&self, name: &str) {
        self.pools().delete(name, &DeleteParams::default()).await.expect("the pool is deleted");
        eventually("the pool is gone", async || self.pools().get_opt(name).await.ok()?.is_none().then_some(())).await;
    }

    /// Makes a pod and reports its status.
    pub async fn pod(&self, pod: &PodOf) {
        self.api::<Pod>().create(&PostParams::default(), &made(pod.object())).await.expect("the pod is accepted");
        self.report(pod).await;
    }

    /// Reports the status of a pod, as its kubelet would.
    pub async fn report(&self, pod: &PodOf) {
        let status = Patch::Merge(pod.status());
        self.api::<Pod>().patch_status(&pod.name, &PatchParams::default(), &status).await.expect("the status is taken");
    }

    /// Changes annotations of a pod; null takes one out.
    pub async fn annotate(&self, name: &str, annotations: Value) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": annotations}}));
        self.api::<Pod>().patch(name, &PatchParams::default(), &patch).await.expect("the annotations are taken");
    }

    /// Says that one workload made a pod, from the template of this hash.
    pub async fn made_from(&self, name: &str, hash: &str) {
        // A ReplicaSet would take the pod away, and so would the collector if there were none: any object will do.
        self.configure(json!({})).await;
        let maker = self.api::<ConfigMap>().get(CONFIG_MAP).await.expect("it was made just now");
        let owner = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "name": CONFIG_MAP, "uid": maker.metadata.uid, "controller": true,
        });
        let metadata = json!({"labels": {"pod-template-hash": hash}, "ownerReferences": [owner]});
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.api::<Pod>().patch(name, &PatchParams::default(), &patch).await.expect("the owner is taken");
    }

    /// Changes the app of a pod.
    pub async fn label(&self, name: &str, app: &str) {
        let patch = Patch::Merge(json!({"metadata": {"labels": {"app": app}}}));
        self.api::<Pod>().patch(name, &PatchParams::default(), &patch).await.expect("the label is taken");
    }

    /// Asks a pod to end: it is still there, and being deleted.
    pub async fn delete_pod(&self, name: &str) {
        let deleted = self.api::<Pod>().delete(name, &DeleteParams::default()).await.expect("the pod is deleted");
        let still = deleted.left().expect("a pod on a node ends when its kubelet says so");
        assert!(still.metadata.deletion_timestamp.is_some());
    }

    /// Says that a pod has ended: it is no more.
    pub async fn remove_pod(&self, name: &str) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.api::<Pod>().delete(name, &at_once).await.expect("the pod is removed");
    }

    /// Writes Homing's ConfigMap.
    pub async fn configure(&self, data: Value) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": data,
        });
        self.put::<ConfigMap>(object).await;
    }

    /// Deletes it.
    pub async fn delete_configuration(&self) {
        let api = self.api::<ConfigMap>();
        api.delete(CONFIG_MAP, &DeleteParams::default()).await.expect("the ConfigMap is deleted");
    }

    /// The Events about it, once there are `count`.
    pub async fn events(&self, count: usize) -> Vec<Event> {
        eventually(&format!("{count} Events on the ConfigMap"), async || {
            let all = self.api::<Event>().list(&ListParams::default()).await.expect("Events can be listed");
            let ours = |event: &Event| {
                event.regarding.as_ref().is_some_and(|object| object.name.as_deref() == Some(CONFIG_MAP))
            };
            let events: Vec<Event> = all.items.into_iter().filter(ours).collect();
            (events.len() >= count).then_some(events)
        })
        .await
    }

    /// The Role as it is.
    pub async fn role(&self) -> Role {
        self.api::<Role>().get("homing").await.expect("the Role")
    }

    async fn token(&self) -> String {
        let request: TokenRequest = made(json!({"spec": {"audiences": [], "expirationSeconds": 3600}}));
        let api = self.api::<ServiceAccount>();
        let answer = within("a token", api.create_token_request("homing", &PostParams::default(), &request)).await;
        answer.expect("a token").status.expect("a token").token
    }

    async fn put<K>(&self, object: Value)
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + serde::Serialize
            + std::fmt::Debug,
    {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        self.api::<K>().patch(&name, &apply(), &Patch::Apply(object)).await.expect("the object is accepted");
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    fn cluster_wide(&self) -> Api<NamespaceObject> {
        Api::all(self.client.clone())
    }

    fn pools(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("inference.networking.k8s.io", "v1", "InferencePool");
        Api::namespaced_with(self.client.clone(), &self.name, &ApiResource::from_gvk(&kind))
    }
}

fn apply() -> PatchParams {
    PatchParams::apply("test").force()
}

fn made<K: serde::de::DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).expect("an object")
}
