//! The endpoints, brought to the picker from wherever they come.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::group::Group;
use super::vital::Vital;
use super::{pods, taken};
use crate::cli::source::Source;
use crate::metrics::{Metrics, Taken};
use crate::model::Endpoint;
use crate::serving::Readiness;
use crate::sources::endpoints_file;
use crate::sources::kubernetes::{Cluster, Wanted};
use crate::state::PoolWriter;

/// Fills the pool of the group's picker from `source`, from now on; a pod may be not ready for less than `grace` without losing its sessions.
///
/// # Errors
/// The endpoints file is not there or not right. An API server that is away is no error.
pub async fn follow(
    source: Source,
    cluster: Option<Cluster>,
    grace: Duration,
    writer: PoolWriter,
    group: Group,
    readiness: &Readiness,
    vital: &Vital,
) -> anyhow::Result<()> {
    match (source, cluster) {
        (Source::File(path), _) => follow_file(path, writer, group.picker.metrics(), vital).await,
        (Source::Cluster(members), Some(cluster)) => {
            pods::follow(cluster, Wanted { members, grace }, writer, group, readiness, vital);
            Ok(())
        }
        (Source::Cluster(_), None) => bail!("no API server is known"),
    }
}

/// Reads the endpoints and goes on following their file.
async fn follow_file(
    path: PathBuf,
    mut writer: PoolWriter,
    metrics: &Arc<Metrics>,
    vital: &Vital,
) -> anyhow::Result<()> {
    let (initial, reload) =
        endpoints_file::open(&path).await.with_context(|| format!("--endpoints-file {}", path.display()))?;
    metrics.endpoints_reloads.of(Taken::Good).inc();
    warn_where_nobody_serves(&initial);
    writer.replace(initial);
    let metrics = Arc::clone(metrics);
    vital.spawn(
        "the endpoints",
        reload.follow(move |read| {
            metrics.endpoints_reloads.of(taken(&read)).inc();
            if let Ok(endpoints) = read {
                tracing::info!(endpoints = endpoints.len(), "endpoints taken");
                warn_where_nobody_serves(&endpoints);
                writer.replace(endpoints);
            }
        }),
    );
    Ok(())
}

fn warn_where_nobody_serves(endpoints: &[Endpoint]) {
    if endpoints.is_empty() {
        tracing::warn!("the endpoints file names no endpoint: every request is refused with 503");
    } else if !endpoints.iter().any(Endpoint::is_eligible) {
        tracing::warn!("no endpoint has a weight above 0: every request is refused with 503");
    }
}
