//! The endpoints from a file.
//!
//! For gateways without Kubernetes: `endpoints: [{name: r1, address: 127.0.0.1, port: 8001}]`.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reload::{Reload, ReloadError};
use crate::config::{ConfigError, Document};
use crate::model::Endpoint;

/// Longest name of an endpoint, in bytes: that of a pod.
const NAME: usize = 253;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    endpoints: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    address: String,
    port: i64,
    /// For people; nothing here reads them.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default = "neutral")]
    weight: f64,
    #[serde(default)]
    drain: bool,
}

/// Reads the endpoints, and returns what follows the file from then on.
///
/// # Errors
/// The file is not there or not right.
pub async fn open(path: impl Into<PathBuf>) -> Result<(Vec<Endpoint>, Reload<Vec<Endpoint>>), ReloadError> {
    Reload::open(path, parse).await
}

/// Reads and checks an endpoints document; `endpoints: []` is a pool without endpoints.
///
/// # Errors
/// Every problem of the document, with line, column, field and the nearest valid name.
pub fn parse(text: &str) -> Result<Vec<Endpoint>, ConfigError> {
    let document = Document::parse(text)?;
    let mut problems = Vec::new();
    let file = document.read(&example(), &mut problems);
    let Some(file) = file else { return Err(problems.into()) };
    // What stands in for a value that does not fit is in range, but may be there twice.
    let whole = problems.is_empty();

    let mut endpoints = Vec::with_capacity(file.endpoints.len());
    let (mut names, mut addresses) = (HashMap::new(), HashMap::new());
    for (index, entry) in file.endpoints.into_iter().enumerate() {
        let mut note = |field: &str, message: String| {
            problems.push(document.problem(&format!("endpoints[{index}].{field}"), message));
        };
        let Some(endpoint) = checked(entry, &mut note) else { continue };
        if let (Some(first), true) = (names.insert(endpoint.name.clone(), index), whole) {
            note("name", format!("`{}` is already the name of endpoints[{first}]", endpoint.name));
        }
        if let (Some(first), true) = (addresses.insert(endpoint.address, index), whole) {
            note("address", format!("{} is already the address of endpoints[{first}]", endpoint.address));
        }
        endpoints.push(endpoint);
    }
    if problems.is_empty() { Ok(endpoints) } else { Err(problems.into()) }
}

fn checked(entry: Entry, note: &mut impl FnMut(&str, String)) -> Option<Endpoint> {
    let Entry { name, address, port, labels: _, weight, drain } = entry;
    let mut good = true;
    let mut note = |field: &str, message| {
        good = false;
        note(field, message);
    };
    // Names stand in a response header and in metrics.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if name.is_empty() || name.len() > NAME || !name.chars().all(plain) {
        note("name", format!("`{}` must be 1 to {NAME} letters, digits or any of - _ . /", name.escape_debug()));
    }
    let ip = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match &ip {
        Ok(ip) if ip.is_unspecified() => note("address", format!("{ip} is no address that requests can be sent to")),
        Ok(_) => {}
        Err(_) if address.parse::<SocketAddr>().is_ok() => {
            note("address", format!("`{address}` holds a port: write it in the field `port`"));
        }
        Err(_) => {
            let address = address.escape_debug();
            note(
                "address",
                format!("`{address}` is not an IP address; host names are not resolved, write the address"),
            );
        }
    }
    let number = u16::try_from(port).ok().filter(|port| *port > 0);
    if number.is_none() {
        note("port", format!("is {port}, must be between 1 and 65535"));
    }
    if !weight.is_finite() {
        note("weight", format!("is {weight}, must be a finite number; 0 takes the endpoint out"));
    }
    let (Ok(ip), Some(port), true) = (ip, number, good) else { return None };
    Some(Endpoint { weight, draining: drain, ..Endpoint::new(&name, SocketAddr::new(ip, port)) })
}

/// Shows all names that are valid; see [`Document::read`].
fn example() -> File {
    let entry = Entry {
        name: "r1".into(),
        address: "127.0.0.1".into(),
        port: 8000,
        labels: BTreeMap::new(),
        weight: neutral(),
        drain: false,
    };
    File { endpoints: vec![entry] }
}

fn neutral() -> f64 {
    1.0
}

#[cfg(test)]
mod tests;
