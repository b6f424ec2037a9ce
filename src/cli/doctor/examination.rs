//! All checks, in the order of the report.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::checks::ports::From;
use super::checks::{
    api_server, certificate, clock, configuration, definitions, endpoints_file, health, metrics, permissions,
    picker::PickerAddress, pods, pool, ports, shared_state, tls,
};
use super::finding::Finding;
use crate::cli::source::Source;
use crate::config::PickerConfig;
use crate::model::Endpoint;
use crate::sources::kubernetes::{Cluster, Members};
use crate::sources::shared_state::Server;

/// Checks that need an API server which answers.
const AT_THE_API_SERVER: [&str; 4] = ["clock", "permissions", "definitions", "gateway-api"];

/// What is to be looked at.
pub struct Examination {
    /// Where the endpoints come from.
    pub source: Source,
    /// The namespace, if one is named.
    pub namespace: Option<String>,
    /// In whose name the API server is asked, if not in our own.
    pub user: Option<String>,
    /// The ConfigMap, with its key or without.
    pub config_map: Option<String>,
    /// The file of the configuration.
    pub config_file: Option<PathBuf>,
    /// A running picker.
    pub picker: Option<PickerAddress>,
    /// Whether that speaks TLS.
    pub secure_serving: bool,
    /// What replicas share, if they do, and the name of their group.
    pub shared_state: Option<(Server, Option<String>)>,
    /// The folder of a certificate.
    pub cert_path: Option<PathBuf>,
    /// How long each check may take.
    pub limit: Duration,
    /// Whether we run in a pod.
    pub in_cluster: bool,
}

impl Examination {
    /// Runs every check that can be run; the others say why not.
    pub async fn run(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let cluster = self.api_server(&mut findings).await;
        let config = self.configuration(cluster.as_ref(), &mut findings).await;
        let endpoints = self.endpoints(cluster.as_ref(), &mut findings).await;
        self.engines(&endpoints, &config, &mut findings).await;
        findings.push(match &self.shared_state {
            Some((server, group)) => shared_state::check(server, group.as_deref(), self.limit).await,
            None => Finding::skipped(
                shared_state::NAME,
                "no --shared-state is given: each replica goes by its own requests",
            ),
        });
        self.picker(&mut findings).await;
        findings
    }

    fn members(&self) -> Option<&Members> {
        match &self.source {
            Source::Cluster(members) => Some(members),
            Source::File(_) => None,
        }
    }

    /// The API server, if one is needed and answers.
    async fn api_server(&self, findings: &mut Vec<Finding>) -> Option<Cluster> {
        let skip = |findings: &mut Vec<Finding>, names: &[&'static str], why: &str| {
            findings.extend(names.iter().map(|name| Finding::skipped(name, why)));
        };
        if !self.source.is_in_cluster() && self.config_map.is_none() {
            skip(findings, &["api-server"], "not needed: the endpoints come from a file");
            skip(findings, &AT_THE_API_SERVER, "no API server is needed");
            return None;
        }
        let cluster = match Cluster::infer_as(self.namespace.clone(), self.user.clone()).await {
            Ok(cluster) => cluster,
            Err(error) => {
                let fix = "run this where kubectl works, or in a pod whose ServiceAccount token is mounted";
                findings.push(Finding::failure("api-server", error.to_string(), fix));
                skip(findings, &AT_THE_API_SERVER, "no API server is known");
                return None;
            }
        };
        let (finding, answer) = api_server::check(&cluster, self.limit).await;
        findings.push(finding);
        let Some(answer) = answer else {
            skip(findings, &AT_THE_API_SERVER, "the API server does not answer");
            return None;
        };
        findings.push(clock::judge(&answer.clock));
        let config_map = self.config_map.as_deref().map(|named| named.split('/').next().unwrap_or(named));
        findings.extend(permissions::check(&cluster, self.members(), config_map, &answer.user, self.limit).await);
        let needs_pools = matches!(self.members(), Some(Members::Pool(_)));
        findings.extend(definitions::check(&cluster, needs_pools, self.limit).await);
        Some(cluster)
    }

    /// What holds: the ConfigMap before the file, and the defaults where neither is good.
    async fn configuration(&self, cluster: Option<&Cluster>, findings: &mut Vec<Finding>) -> PickerConfig {
        let mut holds = None;
        match (&self.config_map, cluster) {
            (Some(named), Some(cluster)) => {
                let (found, config) = configuration::check_map(cluster, named, self.limit).await;
                findings.extend(found);
                holds = config;
            }
            (Some(_), None) => {
                findings.push(Finding::skipped(configuration::NAME, "the ConfigMap needs an API server"))
            }
            (None, _) => {}
        }
        if let Some(path) = &self.config_file {
            let (found, config) = configuration::check_file(path);
            findings.extend(found);
            holds = holds.or(config);
        }
        if self.config_map.is_none() && self.config_file.is_none() {
            findings.push(configuration::defaults());
        }
        holds.unwrap_or_default()
    }

    /// The endpoints that may serve.
    async fn endpoints(&self, cluster: Option<&Cluster>, findings: &mut Vec<Finding>) -> Vec<Endpoint> {
        let spec = match (&self.source, cluster) {
            (Source::File(path), _) => {
                findings.push(Finding::skipped(pool::NAME, "the endpoints come from a file"));
                let (found, endpoints) = endpoints_file::check(path);
                findings.extend(found);
                return endpoints;
            }
            (Source::Cluster(_), None) => {
                findings.extend([pool::NAME, pods::NAME].map(|name| Finding::skipped(name, "no API server answers")));
                return Vec::new();
            }
            (Source::Cluster(Members::Pods(spec)), Some(_)) => {
                findings.push(Finding::skipped(pool::NAME, "--endpoint-selector says which pods are wanted"));
                Some(spec.clone())
            }
            (Source::Cluster(Members::Pool(name)), Some(cluster)) => {
                let (found, spec) = pool::check(cluster, name, self.picker.as_ref(), self.limit).await;
                findings.extend(found);
                spec
            }
        };
        let (Some(spec), Some(cluster)) = (spec, cluster) else {
            findings.push(Finding::skipped(pods::NAME, "without a pool nothing says which pods are wanted"));
            return Vec::new();
        };
        let (found, endpoints) = pods::check(cluster, &spec, self.limit).await;
        findings.extend(found);
        endpoints
    }

    async fn engines(&self, endpoints: &[Endpoint], config: &PickerConfig, findings: &mut Vec<Finding>) {
        if endpoints.is_empty() {
            findings.extend([ports::NAME, metrics::NAME].map(|name| Finding::skipped(name, "no endpoint may serve")));
            return;
        }
        let from = if self.source.is_in_cluster() && !self.in_cluster { From::Outside } else { From::Inside };
        let (found, reached) = ports::check(endpoints, from, self.limit).await;
        findings.extend(found);
        findings.extend(metrics::check(&reached, &config.engine_metrics, self.limit).await);
    }

    /// The certificate that a picker would show, and a picker that runs.
    async fn picker(&self, findings: &mut Vec<Finding>) {
        findings.push(match &self.cert_path {
            Some(folder) => certificate::check(folder, SystemTime::now()),
            None => Finding::skipped(certificate::NAME, "no --cert-path is given"),
        });
        let Some(picker) = &self.picker else {
            findings.extend([tls::NAME, health::NAME].map(|name| Finding::skipped(name, "no --picker is given")));
            return;
        };
        let (finding, connection) = tls::check(picker, self.secure_serving, self.limit).await;
        findings.push(finding);
        match connection {
            Some(connection) => findings.extend(health::check(picker, connection, self.limit).await),
            None => findings.push(Finding::skipped(health::NAME, "there is no connection to the picker")),
        }
    }
}
