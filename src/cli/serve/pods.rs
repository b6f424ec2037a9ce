//! The pool as the API server has it, brought to the picker, to readiness and to the metrics.

use super::group::Group;
use super::vital::Vital;
use crate::metrics::PodState;
use crate::serving::Readiness;
use crate::sources::kubernetes::{self, Cluster, Update, Wanted};
use crate::state::PoolWriter;

/// Fills the pool from the API server, from now on; not ready before everything is there.
pub fn follow(
    cluster: Cluster,
    wanted: Wanted,
    mut writer: PoolWriter,
    group: Group,
    readiness: &Readiness,
    vital: &Vital,
) {
    let readiness = readiness.clone();
    let mut waiting = Some(readiness.block("the API server"));
    vital.spawn(
        "the pool",
        kubernetes::follow(cluster, wanted, move |update| {
            let metrics = group.picker.metrics();
            match update {
                Update::Missing(missing) => {
                    // The new guard is taken before the old one is dropped: no moment of readiness between them.
                    let blocked = missing.map(|what| readiness.block(what));
                    drop(std::mem::replace(&mut waiting, blocked));
                }
                Update::Pool(uid) => group.pool(&uid),
                Update::Endpoints(endpoints) => {
                    tracing::debug!(endpoints = endpoints.len(), "endpoints taken");
                    writer.replace(endpoints);
                }
                Update::Pods(counts) => {
                    PodState::ALL.iter().zip(counts).for_each(|(state, count)| metrics.pool_pods.set(*state, count));
                }
                Update::Watch(watch, Some(up)) => {
                    metrics.watches.get_or_create(&[("watch", watch)]).set(up.into());
                }
                Update::Watch(watch, None) => {
                    metrics.watches.remove(&[("watch", watch)]);
                }
            }
        }),
    );
}
