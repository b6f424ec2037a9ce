//! Where the endpoints come from: a file, an InferencePool, or pods by their labels. Exactly one of them.
//!
//! `serve` follows what [`SourceArgs::source`] says, `doctor` looks at it once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgGroup, ValueEnum};

use crate::sources::kubernetes::{Cluster, Members, Spec, parse_ports, parse_selector};

/// The flags of which exactly one is given.
const SOURCE: &str = "source of endpoints";

/// The flags that say so.
#[derive(Clone, Debug, clap::Args)]
#[command(group = ArgGroup::new(SOURCE).required(true))]
pub struct SourceArgs {
    /// The endpoints of the pool, as YAML; `serve` follows it while it changes.
    #[arg(long, value_name = "FILE", group = SOURCE)]
    endpoints_file: Option<PathBuf>,

    /// The InferencePool whose pods are the endpoints.
    #[arg(long, value_name = "NAME", group = SOURCE)]
    pool_name: Option<String>,

    /// The namespace of the pool, its pods and the ConfigMap [default: the pod's own, or that of the kubeconfig].
    #[arg(long, value_name = "NAMESPACE")]
    pool_namespace: Option<String>,

    /// Without an InferencePool: the labels of the pods that are the endpoints, as in app=llama,tier=gold.
    #[arg(long, value_name = "LABELS", group = SOURCE, value_parser = parse_selector, requires = "endpoint_target_ports")]
    endpoint_selector: Option<BTreeMap<String, String>>,

    /// Without an InferencePool: the 1 to 8 ports on which the engines of such a pod listen, as in 8000,8001.
    #[arg(long, value_name = "PORTS", value_parser = Ports::parse, requires = "endpoint_selector")]
    endpoint_target_ports: Option<Ports>,

    /// Without an InferencePool: what the engines of such a pod speak on these ports [default: http].
    #[arg(long, value_name = "PROTOCOL", requires = "endpoint_selector")]
    endpoint_app_protocol: Option<AppProtocol>,
}

/// What an engine speaks, by the names of a pool's `appProtocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AppProtocol {
    /// HTTP/1.
    #[value(name = "http")]
    Http,
    /// HTTP/2 without TLS.
    #[value(name = "kubernetes.io/h2c")]
    H2c,
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
    Cluster(Members),
}

impl SourceArgs {
    /// The one source that the flags name.
    pub fn source(&self) -> Source {
        let Self {
            endpoints_file,
            pool_name,
            pool_namespace: _,
            endpoint_selector,
            endpoint_target_ports,
            endpoint_app_protocol,
        } = self.clone();
        let http2 = endpoint_app_protocol == Some(AppProtocol::H2c);
        let file = endpoints_file.map(Source::File);
        let pool = pool_name.map(|name| Source::Cluster(Members::Pool(name)));
        let pods = endpoint_selector
            .zip(endpoint_target_ports)
            .map(|(selector, Ports(ports))| Source::Cluster(Members::Pods(Spec { selector, ports, http2 })));
        file.or(pool).or(pods).expect("the command line was refused without exactly one source")
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

    /// Whether the endpoints are those of an InferencePool, which has a uid.
    pub fn is_pool(&self) -> bool {
        matches!(self, Self::Cluster(Members::Pool(_)))
    }

    /// What the replicas of a picker share before more is known: of a pool, its uid comes later.
    pub fn pool_name(&self, cluster: Option<&Cluster>) -> String {
        let namespace = cluster.map_or("", Cluster::namespace);
        match self {
            Self::File(_) => "endpoints-file".to_owned(),
            Self::Cluster(Members::Pool(name)) => format!("pool {namespace}/{name}"),
            Self::Cluster(Members::Pods(spec)) => format!("pods {namespace}/{:?}", spec.selector),
        }
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
        Ok(line.args.source())
    }

    #[test]
    fn exactly_one_source_is_taken() {
        assert!(matches!(source("--endpoints-file f"), Ok(Source::File(_))));
        assert!(matches!(source("--pool-name p --pool-namespace n"), Ok(Source::Cluster(_))));
        let selected = source("--endpoint-selector=app=llama,tier=gold --endpoint-target-ports 8000,8001");
        let Ok(Source::Cluster(Members::Pods(spec))) = selected else { panic!("pods") };
        assert_eq!((spec.ports, spec.selector.len()), (vec![8000, 8001], 2));
    }

    #[test]
    fn what_selected_pods_speak_is_told_by_the_names_of_a_pool() {
        for (protocol, http2) in [
            ("", false),
            (" --endpoint-app-protocol http", false),
            (" --endpoint-app-protocol=kubernetes.io/h2c", true),
        ] {
            let selected = source(&format!("--endpoint-selector=app=llama --endpoint-target-ports 8000{protocol}"));
            let Ok(Source::Cluster(Members::Pods(spec))) = selected else { panic!("{selected:?}") };
            assert_eq!(spec.http2, http2, "{protocol}");
        }
    }

    #[test]
    fn none_or_several_are_an_error_that_names_the_flags() {
        for line in ["", "--pool-namespace n"] {
            let error = source(line).expect_err(line);
            for flag in ["--pool-name", "--endpoint-selector", "--endpoints-file"] {
                assert!(error.contains(flag), "{line}: {error}");
            }
        }
        for (line, named) in [
            ("--pool-name p --endpoints-file f", "cannot be used with"),
            ("--pool-name p --endpoint-selector app=llama", "cannot be used with"),
            ("--endpoint-selector app=llama", "--endpoint-target-ports"),
            ("--endpoint-target-ports 8000", "--endpoint-selector"),
            ("--pool-name p --endpoint-app-protocol http", "--endpoint-selector"),
            ("--endpoint-selector app --endpoint-target-ports 8000", "key=value"),
            (
                "--endpoint-selector app=llama --endpoint-target-ports 80 --endpoint-app-protocol h2",
                "kubernetes.io/h2c",
            ),
            ("--endpoint-selector app=llama --endpoint-target-ports http", "8000,8001"),
        ] {
            let error = source(line).expect_err(line);
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
