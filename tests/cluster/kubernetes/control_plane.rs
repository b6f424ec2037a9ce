//! etcd and kube-apiserver as processes of this test binary.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use kube::config::{AuthInfo, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::guarded::Guarded;
use crate::inside;
use crate::support::eventually;

/// Who may do everything.
const ADMIN_TOKEN: &str = "admin";
/// Of the API server, on the control plane's own address.
const PORT: u16 = 6443;
/// With which the tokens of service accounts are signed.
pub(super) const KEYS: [&str; 2] = ["service-account.key", "service-account.pub"];
/// A cold start on a busy machine takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// Who did what: how a test knows which permissions are used.
const AUDIT_POLICY: &str = r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}]}"#;

/// A running control plane; dropping it ends it.
pub struct ControlPlane {
    /// Each control plane has one of its own, and its ports are always the same.
    address: Ipv4Addr,
    folder: TempDir,
    server: Option<Guarded>,
    pub(super) controllers: OnceCell<Guarded>,
    _etcd: Guarded,
}

impl ControlPlane {
    /// The one that all tests share; it ends with this process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        SHARED.get_or_init(async || Self::start().await.with_crds().await).await
    }

    /// One of its own, without any custom resource.
    pub async fn start() -> Self {
        let address = own_address();
        let folder = TempDir::new().expect("a folder for temporary files");
        let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
        fs::write(path("tokens.csv"), format!("{ADMIN_TOKEN},admin,1,\"system:masters\"\n")).expect("files are taken");
        fs::write(path("audit.yaml"), AUDIT_POLICY).expect("files are taken");
        let key = rcgen::KeyPair::generate().expect("a key");
        fs::write(path(KEYS[0]), key.serialize_pem()).expect("files are taken");
        fs::write(path(KEYS[1]), key.public_key_pem()).expect("files are taken");
        let etcd = Guarded::spawn(
            &program("etcd"),
            &[
                "--unsafe-no-fsync".to_owned(),
                format!("--data-dir={}", path("etcd")),
                format!("--listen-client-urls=http://{address}:2379"),
                format!("--advertise-client-urls=http://{address}:2379"),
                format!("--listen-peer-urls=http://{address}:2380"),
                format!("--initial-advertise-peer-urls=http://{address}:2380"),
                format!("--initial-cluster=default=http://{address}:2380"),
                "--log-level=warn".to_owned(),
            ],
            // What all tests share is never dropped.
            Some(folder.path()),
        );
        let mut plane = Self { address, folder, server: None, controllers: OnceCell::new(), _etcd: etcd };
        plane.start_server().await;
        plane
    }

    /// The same, with the definition of InferencePool.
    pub async fn with_crds(self) -> Self {
        self.apply_crds().await;
        self
    }

    /// Installs the definition of InferencePool and waits until it is served.
    pub async fn apply_crds(&self) {
        let client = self.client();
        for file in fs::read_dir(crds()).expect("the definitions can be listed").flatten() {
            let text = fs::read_to_string(file.path()).expect("a definition is text");
            let definition: Value = serde_saphyr::from_str(&text).expect("a definition is YAML");
            let name = definition["metadata"]["name"].as_str().expect("a definition has a name").to_owned();
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let request = http::Request::post(path).header("content-type", "application/json");
            let request = request.body(definition.to_string().into_bytes()).expect("a request");
            client.request::<Value>(request).await.expect("the definition is accepted");
            eventually("the definition is served", async || {
                let request = http::Request::get(format!("{path}/{name}")).body(Vec::new()).expect("a request");
                let found: Value = client.request(request).await.ok()?;
                let established =
                    |condition: &Value| condition["type"] == "Established" && condition["status"] == "True";
                found["status"]["conditions"].as_array()?.iter().any(established).then_some(())
            })
            .await;
        }
    }

    /// Kills the API server, as a crash would; what is in etcd stays.
    pub fn kill_server(&mut self) {
        self.server = None;
    }

    /// Starts the API server, with empty caches, and waits until it is ready.
    pub async fn start_server(&mut self) {
        let (address, path) = (self.address, |name: &str| self.path(name));
        let server = Guarded::spawn(
            &program("kube-apiserver"),
            &[
                format!("--etcd-servers=http://{address}:2379"),
                format!("--bind-address={address}"),
                format!("--secure-port={PORT}"),
                // Nobody connects there; it only must not be loopback.
                "--advertise-address=192.0.2.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                format!("--cert-dir={}", path("certificates")),
                format!("--token-auth-file={}", path("tokens.csv")),
                "--authorization-mode=RBAC".to_owned(),
                format!("--service-account-signing-key-file={}", path(KEYS[0])),
                format!("--service-account-key-file={}", path(KEYS[1])),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
                format!("--audit-policy-file={}", path("audit.yaml")),
                format!("--audit-log-path={}", path("audit.log")),
            ],
            None,
        );
        self.server = Some(server);
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready().await {
            let ended = self.server.as_mut().is_none_or(Guarded::has_ended);
            assert!(!ended && Instant::now() < deadline, "the API server ended, or is not ready within {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn is_ready(&self) -> bool {
        let request = http::Request::get("/readyz").body(Vec::new()).expect("a request");
        Path::new(&self.certificate()).is_file()
            && self.client().request_text(request).await.is_ok_and(|answer| answer == "ok")
    }

    /// A client that may do everything; it belongs to the runtime of its test.
    pub fn client(&self) -> kube::Client {
        let mut config = Config::new(self.url().parse().expect("an address is a URL"));
        let pem = fs::read(self.certificate()).expect("the API server has a certificate");
        let certificates = CertificateDer::pem_slice_iter(&pem).map(|der| der.expect("a certificate").to_vec());
        config.root_cert = Some(certificates.collect());
        config.auth_info = AuthInfo { token: Some(ADMIN_TOKEN.to_owned().into()), ..AuthInfo::default() };
        config.default_retry = false;
        kube::Client::try_from(config).expect("a client")
    }

    /// A kubeconfig for the holder of `token`, whose own namespace is `namespace`.
    pub fn kubeconfig(&self, token: &str, namespace: &str) -> String {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url(), "certificate-authority": self.certificate()}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
        })
        .to_string()
    }

    /// The same for somebody who may do everything.
    pub fn admin_kubeconfig(&self, namespace: &str) -> String {
        self.kubeconfig(ADMIN_TOKEN, namespace)
    }

    /// Where it listens, as pods are told.
    pub fn address(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, PORT)
    }

    /// What service accounts have done, an object a request.
    pub fn audit(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.path("audit.log")).unwrap_or_default();
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn url(&self) -> String {
        format!("https://{}", self.address())
    }

    pub(super) fn certificate(&self) -> String {
        self.path("certificates/apiserver.crt")
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a plain path").to_owned()
    }
}

/// An address that no other control plane has; pods reach it too, as they could not reach a loopback address.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [a, b] = inside::CONTROL_PLANES;
    Ipv4Addr::new(a, b, 0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A program of the control plane; `scripts/parts/control-plane` builds it.
pub fn program(name: &str) -> PathBuf {
    let named = env::var_os("HOMING_CONTROL_PLANE").or_else(|| env::var_os("KUBEBUILDER_ASSETS")).map(PathBuf::from);
    let path = named.unwrap_or_else(|| parts().join("control-plane-1.36.3")).join(name);
    assert!(path.is_file(), "no {name} at {}: run scripts/parts/control-plane", path.display());
    path
}

/// The folder of definitions; `scripts/parts/crds` fetches it.
pub fn crds() -> PathBuf {
    let path = env::var_os("HOMING_CRDS").map(PathBuf::from);
    let path = path.unwrap_or_else(|| parts().join("inference-extension-crds-1.6.0"));
    assert!(path.is_dir(), "no definitions at {}: run scripts/parts/crds", path.display());
    path
}

/// Where the parts are that `scripts/parts` fetches.
pub fn parts() -> PathBuf {
    let cache = || env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let parts = env::var_os("HOMING_PARTS").map(PathBuf::from);
    parts.or_else(|| Some(cache().or_else(home)?.join("homing"))).expect("HOME is set")
}
