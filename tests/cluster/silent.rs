//! An API server that accepts connections and answers nothing, as one does whose node is stuck.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use http::StatusCode;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use crate::config_map::{comes_into_force, weight};
use crate::kubernetes::{CONFIG_MAP, POOL};
use crate::support::Homing;

#[tokio::test]
async fn a_silent_api_server_holds_up_neither_probes_nor_the_file() {
    let server = Silent::start().await;
    let mut homing = server.homing(6.0).await;
    assert_eq!(homing.page("metrics", "/healthz").await.status, StatusCode::OK);
    comes_into_force(&homing, 6.0).await;
    assert_eq!(homing.page("metrics", "/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE, "there is no pool");
    homing.terminate();
    assert!(homing.ended().await.success());
}

#[tokio::test]
async fn a_start_at_a_silent_api_server_ends_when_it_is_asked_to() {
    let server = Silent::start().await;
    let mut homing = server.homing(6.0).await;
    homing.terminate();
    assert!(homing.ended().await.success());
}

/// The server; connections stay open as long as it lives.
struct Silent {
    url: String,
    accepting: tokio::task::JoinHandle<()>,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let accepting = tokio::spawn(async move {
            let mut held: Vec<TcpStream> = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                held.push(connection);
            }
        });
        Self { url, accepting }
    }

    /// Homing for a pool and a ConfigMap of this server, with a file of this weight.
    async fn homing(&self, file: f64) -> Homing {
        let folder = TempDir::new().expect("a folder for temporary files");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("the folder takes files");
            path
        };
        let kubeconfig = write("kubeconfig", &self.kubeconfig());
        let document = weight(file);
        let file = write("config.yaml", document["config.yaml"].as_str().expect("a document"));
        let file = Path::to_str(&file).expect("a plain path");
        let flags = ["--pool-name", POOL, "--config-map", CONFIG_MAP, "--config-file", file, "--drain-window", "0s"];
        let environment: [(&str, &OsStr); 1] = [("KUBECONFIG", kubeconfig.as_os_str())];
        Homing::launch(folder, &flags, &environment).await
    }

    fn kubeconfig(&self) -> String {
        serde_json::json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "test"}}],
        })
        .to_string()
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
