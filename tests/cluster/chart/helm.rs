//! The real Helm, as a process.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::kubernetes::control_plane::parts;

/// The chart under test.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/homing")
}

/// The image that every release needs to be told.
pub const IMAGE: [&str; 2] = ["--set", "image.repository=images.example.com/homing"];

/// Helm with a folder of its own, so that nothing of the machine's user is read or written.
pub struct Helm {
    folder: TempDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// One that reaches no cluster.
    pub fn offline() -> Self {
        Self { folder: TempDir::new().expect("a folder for temporary files"), kubeconfig: None }
    }

    /// One that reaches the cluster of this kubeconfig.
    pub fn at(kubeconfig: &str) -> Self {
        let mut helm = Self::offline();
        let path = helm.folder.path().join("kubeconfig");
        std::fs::write(&path, kubeconfig).expect("the folder takes files");
        helm.kubeconfig = Some(path);
        helm
    }

    /// What a successful run prints.
    #[track_caller]
    pub fn run(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let output = self.output(arguments);
        let [out, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        let arguments: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
        assert!(output.status.success(), "helm {arguments:?}: {out}{error}");
        out
    }

    /// What a run that must fail says.
    #[track_caller]
    pub fn refusal(&self, arguments: &[impl AsRef<OsStr>]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "Helm accepted this: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).expect("Helm speaks UTF-8")
    }

    /// The objects that `helm template` renders, hooks included.
    #[track_caller]
    pub fn template(&self, release: &str, namespace: &str, values: &[&str]) -> Vec<Value> {
        let chart = chart();
        let fixed =
            [OsStr::new("template"), release.as_ref(), chart.as_ref(), "--namespace".as_ref(), namespace.as_ref()];
        let values = IMAGE.iter().chain(values).map(OsStr::new);
        objects(&self.run(&fixed.into_iter().chain(values).collect::<Vec<_>>()))
    }

    /// What a run prints, and how it ends.
    pub fn output(&self, arguments: &[impl AsRef<OsStr>]) -> Output {
        let mut command = Command::new(helm());
        for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(name, self.folder.path());
        }
        // Without a cluster Helm must not find one of the machine's.
        let nowhere = self.folder.path().join("nowhere");
        command.env("KUBECONFIG", self.kubeconfig.as_deref().unwrap_or(&nowhere));
        command.args(arguments).output().expect("Helm can be run")
    }
}

/// The documents of a rendered chart, or of an example.
pub fn objects(rendered: &str) -> Vec<Value> {
    let documents = rendered.split("\n---\n").map(|text| text.trim_start_matches("---\n"));
    let parsed = documents.map(|text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")));
    parsed.filter(|object: &Value| object.is_object()).collect()
}

/// The one object of this kind, but those of the bundled Valkey.
#[track_caller]
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && !is_valkeys(object));
    let first = found.next().unwrap_or_else(|| panic!("no {kind} is rendered"));
    assert!(found.next().is_none(), "more than one {kind} is rendered");
    first
}

/// Whether an object is the bundled Valkey's.
pub fn is_valkeys(object: &Value) -> bool {
    let name = object["metadata"]["labels"]["app.kubernetes.io/name"].as_str();
    name.is_some_and(|name| name.ends_with("-valkey"))
}

/// The real Helm; `scripts/parts/helm` builds it.
pub fn helm() -> PathBuf {
    let path = env::var_os("HOMING_HELM").map_or_else(|| parts().join("helm-4.3.1/helm"), PathBuf::from);
    assert!(path.is_file(), "no Helm at {}: run scripts/parts/helm", path.display());
    path
}
