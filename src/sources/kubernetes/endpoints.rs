//! From a pool and a pod to endpoints. Pure: [`endpoints`] is the whole rule.

use std::net::SocketAddr;
use std::sync::Arc;

use super::inference_pool::Spec;
use super::pod::Pod;
use super::template::Template;
use crate::metrics::PodState;
use crate::model::Endpoint;

/// A complaint shows this much of a value.
const SHOWN_BYTES: usize = 64;

/// What a pod gives to its pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its endpoints; where it is not ready, as they would be if it were.
    pub endpoints: Vec<Endpoint>,
    /// Whether they may serve, and why not.
    pub state: PodState,
    /// What it was made of, where a controller made it.
    pub template: Option<Template>,
    /// What is wrong with its annotations, for the log; some hundred bytes at most, whatever they say.
    pub complaint: Option<String>,
}

/// The endpoints of `pod` in a pool of this `spec`: one for each target port that takes requests.
///
/// A pod serves if its Ready condition is True, it is not being deleted, and it has an address.
pub fn endpoints(spec: &Spec, pod: &Pod) -> Standing {
    let mut complaints = Vec::new();
    let ports = active_ports(spec, pod, &mut complaints);
    let weight = weight(pod, &mut complaints);
    let draining = draining(pod, &mut complaints);
    let state = if pod.deleting {
        PodState::Deleting
    } else if pod.finished {
        PodState::Finished
    } else if !pod.ready {
        PodState::NotReady
    } else if pod.address.is_none() {
        PodState::NoAddress
    } else if ports.is_empty() {
        PodState::NoActivePort
    } else if weight <= 0.0 {
        PodState::Weightless
    } else {
        PodState::Eligible
    };
    let endpoint = |(rank, port): (usize, u16), address| Endpoint {
        identity: identity(pod, port),
        name: if spec.ports.len() > 1 { format!("{}-rank-{rank}", pod.name).into() } else { Arc::clone(&pod.name) },
        address: SocketAddr::new(address, port),
        weight,
        draining,
        ready: pod.ready,
        http2: spec.http2,
        // Only the roster, which sees all pods, can tell.
        outdated: false,
    };
    let stays = !matches!(state, PodState::Deleting | PodState::Finished);
    let endpoints = match pod.address.filter(|_| stays) {
        Some(address) => ports.into_iter().map(|port| endpoint(port, address)).collect(),
        None => Vec::new(),
    };
    let complaint = (!complaints.is_empty()).then(|| complaints.join("; "));
    Standing { endpoints, state, template: pod.template.clone(), complaint }
}

/// What makes it the same endpoint, on all replicas: another pod, and another start of its engine, is another.
fn identity(pod: &Pod, port: u16) -> Arc<str> {
    format!("{}:{port}:{}", pod.uid, pod.restarts(port)).into()
}

/// The target ports that take requests, with their ranks. An annotation that names none of them leaves none.
fn active_ports(spec: &Spec, pod: &Pod, complaints: &mut Vec<String>) -> Vec<(usize, u16)> {
    let ranks = spec.ports.iter().copied().enumerate();
    let Some(list) = &pod.active_ports else { return ranks.collect() };
    let mut active = Vec::new();
    // An annotation may have 256 KiB: the first wrong word is shown, the others are counted.
    let (mut odd, mut others) = (None, 0);
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        // Digits only: what others read as 8000 in `8000abc` or `+8000` was hardly meant.
        match word.parse::<u16>().ok().filter(|_| word.bytes().all(|byte| byte.is_ascii_digit())) {
            Some(port) => active.push(port),
            None if odd.is_none() => odd = Some(word),
            None => others += 1,
        }
    }
    if let Some(word) = odd {
        let others = if others == 0 { String::new() } else { format!(", nor are {others} others") };
        complaints.push(format!("active-ports: `{}` is no port number{others}", shown(word)));
    }
    ranks.filter(|(_, port)| active.contains(port)).collect()
}

fn weight(pod: &Pod, complaints: &mut Vec<String>) -> f64 {
    let Some(text) = &pod.weight else { return 1.0 };
    match text.trim().parse::<f64>() {
        Ok(weight) if weight.is_finite() => weight,
        _ => {
            complaints.push(format!("homing.dev/weight: `{}` is no number; 1 counts instead", shown(text)));
            1.0
        }
    }
}

fn draining(pod: &Pod, complaints: &mut Vec<String>) -> bool {
    match pod.drain.as_deref().map(str::trim) {
        Some("true") => true,
        None | Some("false") => false,
        Some(text) => {
            let text = shown(text);
            complaints.push(format!("homing.dev/drain: `{text}` is neither true nor false; false counts instead"));
            false
        }
    }
}

/// A value as a complaint shows it: on one line, and cut where it is long.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(SHOWN_BYTES);
    for char in text.escape_debug() {
        if shown.len() + char.len_utf8() > SHOWN_BYTES {
            return shown + "...";
        }
        shown.push(char);
    }
    shown
}

#[cfg(test)]
mod tests;
