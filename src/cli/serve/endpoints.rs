//! Where the endpoints come from: a file, an InferencePool, or pods by their labels. Exactly one of them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{pods, taken};
use crate::metrics::{Metrics, Taken};
use crate::model::Endpoint;
use crate::pick::Picker;
use crate::serving::Readiness;
use crate::sources::endpoints_file;
use crate::sources::kubernetes::{Cluster, Members, Spec, Wanted, parse_ports, parse_selector};
use crate::state::PoolWriter;

/// The flags that say so.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// The endpoints of the pool, as YAML; followed while it changes.
    #[arg(long, value_name = "FILE")]
    endpoints_file: Option<PathBuf>,

    /// The InferencePool whose pods are the endpoints.
    #[arg(long, value_name = "NAME")]
    pool_name: Option<String>,

    /// The namespace of the pool, its pods and the ConfigMap [default: the pod's own, or that of the kubeconfig].
    #[arg(long, value_name = "NAMESPACE")]
    pool_namespace: Option<String>,

    /// Without an InferencePool: the labels of the pods that are the endpoints, as in app=llama,tier=gold.
    #[arg(long, value_name = "LABELS", value_parser = parse_selector, requires = "endpoint_target_ports")]
    endpoint_selector: Option<BTreeMap<String, String>>,

    /// Without an InferencePool: the 1 to 8 ports on which the engines of such a pod listen, as in 8000,8001.
    #[arg(long, value_name = "PORTS", value_parser = Ports::parse, requires = "endpoint_selector")]
    endpoint_target_ports: Option<Ports>,

    /// How long a pod that is not ready may be away before its sessions move; it gets no requests meanwhile.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    ready_grace: Duration,
}

/// A list that is one value of its flag.
#[derive(Clone, Debug)]
struct Ports(Vec<u16>);

impl Ports {
    fn parse(text: &str) -> Result<Self, String> {
        parse_ports(text).map(Self)
    }
}

/// The one place.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Pods.
    Cluster(Wanted),
}

impl SourceArgs {
    /// The one source that the flags name.
    ///
    /// # Errors
    /// They name none, or more than one.
    pub fn source(&self) -> anyhow::Result<Source> {
        let Self {
            endpoints_file,
            pool_name,
            pool_namespace: _,
            endpoint_selector,
            endpoint_target_ports,
            ready_grace,
        } = self;
        let wanted = |members| Source::Cluster(Wanted { members, grace: *ready_grace });
        let file = endpoints_file.clone().map(Source::File);
        let pool = pool_name.clone().map(|name| wanted(Members::Pool(name)));
        let pods = endpoint_selector
            .clone()
            .zip(endpoint_target_ports.clone())
            .map(|(selector, Ports(ports))| wanted(Members::Pods(Spec { selector, ports, http2: false })));
        let mut sources = [file, pool, pods].into_iter().flatten();
        match (sources.next(), sources.next()) {
            (Some(source), None) => Ok(source),
            (found, _) => bail!(
                "{} where the endpoints come from: give exactly one of --pool-name NAME (an InferencePool), \
                 --endpoint-selector LABELS with --endpoint-target-ports PORTS (pods without a pool), \
                 or --endpoints-file FILE",
                if found.is_some() { "more than one flag says" } else { "no flag says" }
            ),
        }
    }

    /// The namespace, if it is named.
    pub fn namespace(&self) -> Option<String> {
        self.pool_namespace.clone()
    }
}

impl Source {
    /// Whether an API server has to be asked.
    pub fn is_in_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// What the replicas of a picker share before more is known: of a pool, its uid comes later.
    pub fn pool_name(&self, cluster: Option<&Cluster>) -> String {
        let namespace = cluster.map_or("", Cluster::namespace);
        match self {
            Self::File(_) => "endpoints-file".to_owned(),
            Self::Cluster(Wanted { members: Members::Pool(name), .. }) => format!("pool {namespace}/{name}"),
            Self::Cluster(Wanted { members: Members::Pods(spec), .. }) => {
                format!("pods {namespace}/{:?}", spec.selector)
            }
        }
    }
}

/// Fills the pool from `source`, from now on.
///
/// # Errors
/// The endpoints file is not there or not right. An API server that is away is no error.
pub async fn follow(
    source: Source,
    cluster: Option<Cluster>,
    writer: PoolWriter,
    picker: &Arc<Picker>,
    readiness: &Readiness,
) -> anyhow::Result<()> {
    match (source, cluster) {
        (Source::File(path), _) => follow_file(path, writer, picker.metrics()).await,
        (Source::Cluster(wanted), Some(cluster)) => {
            pods::follow(cluster, wanted, writer, picker, readiness);
            Ok(())
        }
        (Source::Cluster(_), None) => bail!("no API server is known"),
    }
}

/// Reads the endpoints and goes on following their file.
async fn follow_file(path: PathBuf, mut writer: PoolWriter, metrics: &Arc<Metrics>) -> anyhow::Result<()> {
    let (initial, reload) =
        endpoints_file::open(&path).await.with_context(|| format!("--endpoints-file {}", path.display()))?;
    metrics.endpoints_reloads.of(Taken::Good).inc();
    warn_where_nobody_serves(&initial);
    writer.replace(initial);
    let metrics = Arc::clone(metrics);
    tokio::spawn(reload.follow(move |read| {
        metrics.endpoints_reloads.of(taken(&read)).inc();
        if let Ok(endpoints) = read {
            tracing::info!(endpoints = endpoints.len(), "endpoints taken");
            warn_where_nobody_serves(&endpoints);
            writer.replace(endpoints);
        }
    }));
    Ok(())
}

fn warn_where_nobody_serves(endpoints: &[Endpoint]) {
    if endpoints.is_empty() {
        tracing::warn!("the endpoints file names no endpoint: every request is refused with 503");
    } else if !endpoints.iter().any(Endpoint::is_eligible) {
        tracing::warn!("no endpoint has a weight above 0: every request is refused with 503");
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: SourceArgs,
    }

    fn source(line: &str) -> Result<Source, String> {
        let words = std::iter::once("homing").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.args.source().map_err(|error| error.to_string())
    }

    #[test]
    fn exactly_one_source_is_taken() {
        assert!(matches!(source("--endpoints-file f"), Ok(Source::File(_))));
        assert!(matches!(source("--pool-name p --pool-namespace n"), Ok(Source::Cluster(_))));
        let selected = source("--endpoint-selector=app=llama,tier=gold --endpoint-target-ports 8000,8001");
        let Ok(Source::Cluster(Wanted { members: Members::Pods(spec), grace })) = selected else { panic!("pods") };
        assert_eq!((spec.ports, spec.selector.len(), grace), (vec![8000, 8001], 2, Duration::from_secs(30)));
    }

    #[test]
    fn none_or_several_are_an_error_that_names_the_flags() {
        for line in ["", "--pool-namespace n", "--pool-name p --endpoints-file f"] {
            let error = source(line).expect_err(line);
            for flag in ["--pool-name", "--endpoint-selector", "--endpoint-target-ports", "--endpoints-file"] {
                assert!(error.contains(flag), "{line}: {error}");
            }
        }
        for (line, named) in [
            ("--endpoint-selector app=llama", "--endpoint-target-ports"),
            ("--endpoint-target-ports 8000", "--endpoint-selector"),
            ("--endpoint-selector app --endpoint-target-ports 8000", "key=value"),
            ("--endpoint-selector app=llama --endpoint-target-ports http", "8000,8001"),
        ] {
            let error = source(line).expect_err(line);
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
