//! Where the configuration comes from: a file, the command line, a ConfigMap, or the built-in defaults.

mod map;
mod reads;
mod reporter;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};

use super::vital::Vital;
use crate::config::{self, ConfigReader, PickerConfig};
use crate::sources::config_file;
use crate::sources::kubernetes::Cluster;

pub use reads::Reads;

/// What the tasks here follow.
const WHAT: &str = "the configuration";

/// Follows the configuration, wherever it comes from; the future ends once it was read, or takes too long.
///
/// # Errors
/// The file is not there, or it or the text is not right, and there is no ConfigMap that could say it better.
pub async fn follow(
    file: Option<PathBuf>,
    text: Option<&str>,
    config_map: Option<&str>,
    cluster: Option<&Cluster>,
    reads: Reads,
    vital: &Vital,
) -> anyhow::Result<(ConfigReader, BoxFuture<'static, ()>)> {
    if let (Some(name), Some(cluster)) = (config_map, cluster) {
        return Ok(map::follow(file, name, cluster, reads, vital));
    }
    let read = ready(()).boxed();
    if let Some(text) = text {
        let config = config_file::text(text).context("--config-text")?;
        reads.file("--config-text", Ok::<_, Infallible>(()));
        return Ok((config::live(config).0, read));
    }
    let Some(path) = file else { return Ok((config::live(PickerConfig::default()).0, read)) };
    let (initial, file) =
        config_file::open(&path).await.with_context(|| format!("--config-file {}", path.display()))?;
    reads.file(path.display(), Ok::<_, Infallible>(()));
    let (reader, writer) = config::live(initial);
    vital.spawn(WHAT, file.follow(Arc::new(writer), move |read| reads.file(path.display(), read)));
    Ok((reader, read))
}
