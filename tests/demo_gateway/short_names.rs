//! Short names of the engines' pods, which are others in each run: `r1` to `r6`, as in `make demo`.

use homing::cli::demo::drive::Outcome;

use crate::node::Placed;

/// The names, for pods in their order.
pub fn names(pods: &[Placed]) -> Vec<String> {
    (1..=pods.len()).map(|number| format!("r{number}")).collect()
}

/// Says who is who.
pub fn legend(pods: &[Placed]) -> String {
    names(pods).iter().zip(pods).map(|(name, pod)| format!("  {name} {}\n", pod.name)).collect()
}

/// Puts the short names into what was measured; a stranger keeps its own.
pub fn shorten(outcomes: &mut [Outcome], pods: &[Placed]) {
    let names = names(pods);
    for served in outcomes.iter_mut().filter_map(|outcome| outcome.served.as_mut().ok()) {
        if let Some(at) = pods.iter().position(|pod| pod.name == served.endpoint) {
            served.endpoint.clone_from(&names[at]);
        }
    }
}
