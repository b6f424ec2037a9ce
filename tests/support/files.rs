//! The two files that an operator edits.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// One line of the endpoints file.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub address: SocketAddr,
    /// What follows the address, such as `weight: 0` or `drain: true`.
    pub rest: Option<&'static str>,
}

/// The endpoints file of `entries`.
pub fn endpoints_document(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "endpoints: []\n".to_owned();
    }
    entries.iter().fold("endpoints:\n".to_owned(), |mut text, Entry { name, address, rest }| {
        let rest = rest.map_or(String::new(), |rest| format!(", {rest}"));
        writeln!(text, "  - {{name: {name}, address: {}, port: {}{rest}}}", address.ip(), address.port())
            .expect("a string takes text");
        text
    })
}

/// A configuration document of `fields`, which are top-level YAML.
pub fn config_document(fields: &str) -> String {
    format!("apiVersion: homing.dev/v1alpha1\nkind: PickerConfig\n{fields}\n")
}

/// Replaces a file in one step, as editors and Kubernetes do.
pub fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).expect("the test's folder takes files");
    fs::rename(&beside, path).expect("a file can take another's place");
}
