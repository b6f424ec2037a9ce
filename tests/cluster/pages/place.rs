//! The cluster in which a page is followed, with the namespace that all pages name.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use serde_json::json;
use tokio::sync::{Mutex, MutexGuard};

use super::page::Page;
use super::shell::Shell;
use crate::chart::helm;
use crate::installed::release::HOMING_PODS;
use crate::node::images::{Image, Images};
use crate::node::site::ADMIN;
use crate::node::{Cluster, Placed};
use crate::support::{Reply, body, post};

/// The namespace.
pub const NAMESPACE: &str = "llm";
/// The image that the pages build and push.
const IMAGE: &str = concat!("registry.example.com/homing:", env!("CARGO_PKG_VERSION"));

/// One cluster, and a terminal that reaches it.
pub struct Place {
    pub cluster: Cluster,
    pub shell: Shell,
    /// All tests share an API server, and there is one namespace of that name.
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    /// With these images, and those that the pages name.
    pub async fn with(images: Images) -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let mut cluster = Cluster::with(images.with(IMAGE, Image::homing()), json!({})).await;
        let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
        let before = namespaces.get_opt(NAMESPACE).await.expect("the API server answers");
        assert!(before.is_none(), "the test of another page left {NAMESPACE} behind: it failed, and says why");
        cluster.adopt(NAMESPACE);
        let shell = Shell::at(&cluster.kubeconfig(), &helm::helm());
        Self { cluster, shell, _alone: alone }
    }

    /// Runs the next block of a page; what it prints.
    pub async fn next(&mut self, page: &mut Page, section: &str) -> String {
        page.next(section, &mut self.shell).await
    }

    /// The names of the engines' pods.
    pub async fn engines(&self) -> BTreeSet<String> {
        let pods = self.cluster.ready_in(NAMESPACE, "app=llama", 3).await;
        pods.into_iter().map(|pod| pod.name).collect()
    }

    /// Homing's pods.
    pub async fn pickers(&self) -> Vec<Placed> {
        self.cluster.ready_in(NAMESPACE, HOMING_PODS, 2).await
    }

    /// Waits until this weight of prefixes is in force in all of them.
    pub async fn weighs(&self, pickers: &[Placed], weight: f64) {
        let weighs = async || {
            for picker in pickers {
                let config = self.cluster.page_in(NAMESPACE, &picker.name, ADMIN, "/config").await.ok().json();
                (config["scorers"]["prefixLocality"]["weight"] == weight).then_some(())?;
            }
            Some(())
        };
        self.cluster.eventually("the weight is in force", weighs).await;
    }
}

/// An answer of whoever is there, over a connection of its own.
pub async fn answer(address: SocketAddr) -> Option<Reply> {
    let document = json!({"model": "llama", "messages": [{"role": "user", "content": "Hello"}]});
    Reply::to(address, post("/v1/chat/completions", body::full(document.to_string()))).await
}

/// One of an engine.
pub async fn served(address: SocketAddr) -> Option<Reply> {
    answer(address).await.filter(|reply| reply.status == 200)
}

/// The values of a header in what `curl -i` has printed, one of each answer.
pub fn headers<'a>(printed: &'a str, name: &str) -> Vec<&'a str> {
    let lines = printed.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

/// What `helm test` and the doctor's table say of an installation that is well.
pub fn is_well(printed: &str) {
    assert!(printed.contains("Succeeded"), "{printed}");
    for check in ["permissions", "endpoints", "ports", "metrics", "tls", "health"] {
        assert!(printed.contains(&format!("\nok       {check} ")), "{check}: {printed}");
    }
    assert!(printed.contains("\n0 failures, 0 warnings, "), "{printed}");
}
