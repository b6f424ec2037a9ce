//! Whole configurations of others, such as the shipped examples: run as they are, at the addresses of a test.
//!
//! In each the cluster `homing` has the pickers and the cluster `engines` the engines, unless that takes any address.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::bootstrap::{free, socket};

/// Its name of the cluster of pickers.
pub(super) const PICKERS: &str = "homing";
const ENGINES: &str = "engines";

/// The document with nothing but its addresses replaced.
pub(super) fn moved(document: &Value, pickers: &[SocketAddr], engines: &[SocketAddr]) -> Value {
    let mut document = document.clone();
    document["admin"] = json!({"address": socket(free())});
    let resources = &mut document["static_resources"];
    for listener in resources["listeners"].as_array_mut().expect("a list of listeners") {
        listener["address"] = socket(free());
    }
    for cluster in resources["clusters"].as_array_mut().expect("a list of clusters") {
        let hosts = match cluster["name"].as_str() {
            Some(PICKERS) => pickers,
            Some(ENGINES) => engines,
            _ => continue,
        };
        let listed = cluster.pointer_mut("/load_assignment/endpoints/0/lb_endpoints");
        if let Some(listed) = listed.filter(|listed| listed[0].is_object()) {
            let like = listed[0].take();
            *listed = hosts.iter().map(|host| moved_host(&like, *host)).collect();
        }
    }
    document
}

/// A host like this one, at another address, which it may name in its metadata too.
fn moved_host(like: &Value, to: SocketAddr) -> Value {
    let mut host = like.clone();
    let address = host["endpoint"]["address"]["socket_address"].take();
    let from = format!("{}:{}", address["address"].as_str().expect("an address"), address["port_value"]);
    host["endpoint"]["address"] = socket(to);
    rename(&mut host, &from, &to.to_string());
    host
}

fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|field| rename(field, from, to)),
        _ => {}
    }
}
