//! A namespace that enforces the restricted profile, at an API server that knows all that the chart may render.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::helm::Helm;
use crate::kubernetes::ControlPlane;
use crate::kubernetes::control_plane::parts;
use crate::support::eventually;

/// What the chart renders beside Kubernetes' own kinds and InferencePool.
const DEFINITIONS: [&str; 9] = [
    "gateway-api/httproutes.gateway.networking.k8s.io",
    "istio/destinationrules.networking.istio.io",
    "envoy-gateway/envoyextensionpolicies.gateway.envoyproxy.io",
    "envoy-gateway/backendtrafficpolicies.gateway.envoyproxy.io",
    "gke/healthcheckpolicies.networking.gke.io",
    "gke/gcpbackendpolicies.networking.gke.io",
    "prometheus-operator/servicemonitors.monitoring.coreos.com",
    "prometheus-operator/prometheusrules.monitoring.coreos.com",
    "cert-manager/certificates.cert-manager.io",
];

/// A namespace of a test's own.
pub struct Site {
    pub namespace: String,
    pub helm: Helm,
    client: kube::Client,
}

impl Site {
    /// A new one, at the control plane that all tests share.
    pub async fn new() -> Self {
        static DEFINED: OnceCell<()> = OnceCell::const_new();
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let plane = ControlPlane::shared().await;
        let client = plane.client();
        DEFINED.get_or_init(|| define(&client, &DEFINITIONS)).await;
        let namespace = format!("chart-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let helm = Helm::at(&plane.kubeconfig("admin", &namespace));
        let site = Self { namespace, helm, client };
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let object = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": site.namespace, "labels": labels},
        });
        let namespaces: Api<DynamicObject> = Api::all_with(site.client.clone(), &resource(&object));
        namespaces.create(&PostParams::default(), &made(&object)).await.expect("a namespace");
        // Where controllers run, one of them makes it; pods need it.
        site.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}), false)
            .await;
        site
    }

    /// Applies an object, or asks whether it would be accepted; unknown fields are errors.
    pub async fn try_apply(&self, object: &Value, dry_run: bool) -> kube::Result<DynamicObject> {
        let (client, kind) = (self.client.clone(), resource(object));
        // The one kind of no namespace that a page has people make.
        let api: Api<DynamicObject> = match kind.kind.as_str() {
            "GatewayClass" => Api::all_with(client, &kind),
            _ => Api::namespaced_with(client, &self.namespace, &kind),
        };
        let mut how = PatchParams::apply("test").force().validation(ValidationDirective::Strict);
        how.dry_run = dry_run;
        api.patch(name(object), &how, &Patch::Apply(object)).await
    }

    /// The same for an object that must be accepted.
    pub async fn apply(&self, object: &Value, dry_run: bool) {
        let applied = self.try_apply(object, dry_run).await;
        let kind = &object["kind"];
        applied.unwrap_or_else(|error| panic!("{kind} {} is not accepted: {error}\n{object:#}", name(object)));
    }

    /// Changes an object as `kubectl edit` does.
    pub async fn edit(&self, kind: (&str, &str, &str), name: &str, change: &Value) {
        let (group, version, kind) = kind;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let how = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        api.patch(name, &how, &Patch::Merge(change)).await.expect("the object takes the change");
    }

    /// An object as it is.
    pub async fn get(&self, kind: (&str, &str, &str), name: &str) -> Option<Value> {
        let (group, version, kind) = kind;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let found = api.get_opt(name).await.expect("the API server answers")?;
        Some(serde_json::to_value(found).expect("an object is JSON"))
    }

    /// A kubeconfig for the holder of a ServiceAccount.
    pub async fn kubeconfig(&self, account: &str) -> String {
        let request = json!({"spec": {"audiences": [], "expirationSeconds": 3600}});
        let request: TokenRequest = serde_json::from_value(request).expect("a request for a token");
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace);
        let answer = api.create_token_request(account, &PostParams::default(), &request).await.expect("a token");
        let token = answer.status.expect("a token").token;
        ControlPlane::shared().await.kubeconfig(&token, &self.namespace)
    }

    /// Everything in the namespace, as [`contents`] has it.
    pub async fn contents(&self) -> BTreeSet<(String, String)> {
        contents(&self.client, &self.namespace).await
    }
}

/// Everything in a namespace, as kind and name, but Events and what a controller puts into every namespace.
pub async fn contents(client: &kube::Client, namespace: &str) -> BTreeSet<(String, String)> {
    let discovery = Discovery::new(client.clone()).run().await.expect("the API server says what it has");
    let kinds = discovery.groups().flat_map(|group| group.recommended_resources());
    let listed = kinds.filter(|(_, of)| of.scope == Scope::Namespaced && of.supports_operation(verbs::LIST));
    let mut contents = BTreeSet::new();
    for (kind, _) in listed.filter(|(kind, _)| kind.kind != "Event") {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind);
        let objects = match api.list(&ListParams::default()).await {
            // A test beside this one defines it just now: nothing of it can be here.
            Err(kube::Error::Api(refused)) if refused.code == 404 => continue,
            listed => listed.expect("what can be listed is listed"),
        };
        contents.extend(objects.into_iter().filter_map(|object| Some((kind.kind.clone(), object.metadata.name?))));
    }
    contents.remove(&("ConfigMap".to_owned(), "kube-root-ca.crt".to_owned()));
    contents
}

/// Installs the definitions and waits until they are served.
pub async fn define(client: &kube::Client, definitions: &[impl AsRef<str>]) {
    let folder = definitions_folder();
    let definitions: Vec<&str> = definitions.iter().map(AsRef::as_ref).collect();
    for definition in &definitions {
        let body = fs::read(folder.join(format!("{definition}.yaml"))).expect("the definition is there");
        let name = definition.split_once('/').expect("a project and a name").1;
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let request = http::Request::patch(format!("{path}?fieldManager=test&force=true"));
        let request = request.header("content-type", "application/apply-patch+yaml").body(body).expect("a request");
        client.request::<Value>(request).await.expect("the definition is accepted");
    }
    let names = definitions.iter().filter_map(|definition| definition.split_once('/')).map(|(_, name)| name);
    for name in names.chain(["inferencepools.inference.networking.k8s.io"]) {
        eventually(&format!("objects of {name} can be stored"), async || stored(client, name).await).await;
    }
}

/// Where the definitions are, a folder a project; `scripts/parts/chart-crds` fetches them.
pub fn definitions_folder() -> PathBuf {
    let folder = env::var_os("HOMING_CHART_CRDS").map_or_else(|| parts().join("chart-crds-2"), PathBuf::from);
    assert!(folder.is_dir(), "no definitions at {}: run scripts/parts/chart-crds", folder.display());
    folder
}

/// Whether objects of this definition can be listed: it is established some moments before that.
async fn stored(client: &kube::Client, name: &str) -> Option<()> {
    let get = async |path: String| {
        let request = http::Request::get(path).body(Vec::new()).expect("a request");
        client.request::<Value>(request).await.ok()
    };
    let found = get(format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")).await?;
    let (plural, group) = name.split_once('.')?;
    for version in found["spec"]["versions"].as_array()?.iter().filter(|version| version["served"] == true) {
        get(format!("/apis/{group}/{}/{plural}?limit=1", version["name"].as_str()?)).await?;
    }
    Some(())
}

fn resource(object: &Value) -> ApiResource {
    let text = |field: &str| object[field].as_str().expect("an object has a version and a kind");
    let version = text("apiVersion");
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")))
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().expect("an object has a name")
}

fn made(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).expect("an object")
}
