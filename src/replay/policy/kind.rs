//! The policies by name.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::config::{self, Document, PickerConfig};

use super::bounds::Bound;
use super::hash::SessionHash;
use super::homing::Homing;
use super::llm_d::LlmD;
use super::oracle::GreedyTtft;
use super::simple::{LeastRequests, Random, RoundRobin};
use super::{Policy, Setting};

/// Where blocks are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheScope {
    /// Each engine has its own cache.
    Own,
    /// All caches are one.
    Pooled,
    /// One cache that never forgets.
    Infinite,
}

/// A policy and its name.
#[derive(Clone, Debug)]
pub struct Spec {
    /// By which it is reported.
    pub name: String,
    /// What it does.
    pub kind: Kind,
}

/// What a policy does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Homing, with this configuration.
    Homing(Box<PickerConfig>),
    /// Each engine in turn.
    RoundRobin,
    /// Any engine.
    Random,
    /// The engine with the fewest requests in flight; any of those.
    LeastRequests,
    /// The session's engine, or the next where it has 1.25 times its share of requests.
    SessionHash,
    /// llm-d's scorers with the weights 3, 2 and 2, as they were read.
    LlmD,
    /// The engine that would give the first token soonest, with perfect knowledge.
    GreedyTtft,
    /// The least work, over one cache of the size of all.
    PooledCache,
    /// The least work, over one cache that never forgets.
    InfiniteCache,
}

/// A policy that needs no file: its name, and what makes it.
type Named = (&'static str, fn() -> Kind);

/// All of these.
const NAMED: [Named; 9] = [
    ("default", || Kind::Homing(Box::default())),
    ("round-robin", || Kind::RoundRobin),
    ("random", || Kind::Random),
    ("least-requests", || Kind::LeastRequests),
    ("session-hash", || Kind::SessionHash),
    ("llm-d", || Kind::LlmD),
    ("greedy-ttft", || Kind::GreedyTtft),
    ("pooled-cache", || Kind::PooledCache),
    ("infinite-cache", || Kind::InfiniteCache),
];

/// Why a policy cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// There is none of that name.
    #[error("there is no policy {0:?}: take NAME=FILE for a configuration of your own, or one of {names}", names = names())]
    Unknown(String),
    /// A configuration that has no name, or that of a policy which has none.
    #[error("{name:?} cannot be the name of a configuration: take another one before the `=`", name = .0)]
    Name(String),
    /// The file holds a configuration, but as an object of Kubernetes.
    #[error(
        "{file} is a ConfigMap: take what is in it, `kubectl get configmap NAME -o jsonpath='{{.data.config\\.yaml}}'`",
        file = .0.display()
    )]
    ConfigMap(PathBuf),
    /// The configuration cannot be read.
    #[error("{file}: {error}", file = .0.display(), error = .1)]
    Unreadable(PathBuf, std::io::Error),
    /// The configuration is wrong.
    #[error("{file}: {error}", file = .0.display(), error = .1)]
    Wrong(PathBuf, config::ConfigError),
}

impl Spec {
    /// The names that need no file.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMED.into_iter().map(|(name, _)| name)
    }
}

impl FromStr for Spec {
    type Err = SpecError;

    /// `NAME` of a policy, or `NAME=FILE` for Homing with the configuration in that file. `FILE` alone is named as the
    /// file is, without its ending.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((name, kind)) = NAMED.into_iter().find(|(name, _)| *name == text) {
            return Ok(Self { name: name.to_owned(), kind: kind() });
        }
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Path::new(file)),
            None => {
                let file = Path::new(text);
                let is_file = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
                let name = file.file_stem().and_then(|name| name.to_str()).filter(|_| is_file);
                (name.ok_or_else(|| SpecError::Unknown(text.to_owned()))?, file)
            }
        };
        if name.trim().is_empty() || Self::names().any(|known| known == name) {
            return Err(SpecError::Name(name.to_owned()));
        }
        let kind = Kind::Homing(Box::new(configuration(file)?));
        Ok(Self { name: name.to_owned(), kind })
    }
}

/// The configuration in a file.
fn configuration(file: &Path) -> Result<PickerConfig, SpecError> {
    let text = fs::read_to_string(file).map_err(|error| SpecError::Unreadable(file.to_owned(), error))?;
    if Document::parse(&text).is_ok_and(|document| document.text("kind") == Some("ConfigMap")) {
        return Err(SpecError::ConfigMap(file.to_owned()));
    }
    let parsed = config::parse(&text).map_err(|error| SpecError::Wrong(file.to_owned(), error))?;
    Ok(parsed.config)
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Kind {
    /// A policy that has seen nothing yet.
    pub fn build(&self, setting: &Setting) -> Box<dyn Policy> {
        match self {
            Self::Homing(config) => Box::new(Homing::new(config, setting)),
            Self::RoundRobin => Box::new(RoundRobin::default()),
            Self::Random => Box::new(Random::new(setting)),
            Self::LeastRequests => Box::new(LeastRequests::new(setting)),
            Self::SessionHash => Box::new(SessionHash::default()),
            Self::LlmD => Box::new(LlmD::new(setting)),
            Self::GreedyTtft => Box::new(GreedyTtft::new(setting)),
            Self::PooledCache | Self::InfiniteCache => Box::new(Bound::new(setting)),
        }
    }

    /// Whether several of it can tell each other what they know.
    pub fn can_share(&self) -> bool {
        matches!(self, Self::Homing(_))
    }

    /// Where blocks are looked for.
    pub fn cache_scope(&self) -> CacheScope {
        match self {
            Self::PooledCache => CacheScope::Pooled,
            Self::InfiniteCache => CacheScope::Infinite,
            _ => CacheScope::Own,
        }
    }

    /// Time between two scrapes of one engine where nobody says otherwise; `None` where none is made.
    pub fn scrape_interval(&self) -> Option<Duration> {
        match self {
            Self::Homing(config) => config.engine_metrics.enabled.then_some(config.engine_metrics.interval),
            // As its metrics collector is shipped.
            Self::LlmD => Some(Duration::from_millis(50)),
            _ => None,
        }
    }
}

fn names() -> String {
    Spec::names().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_policy_and_an_unknown_one_is_answered_with_all() {
        for name in Spec::names() {
            assert_eq!(name.parse::<Spec>().expect("a policy").name, name);
        }
        let error = "fastest".parse::<Spec>().expect_err("unknown").to_string();
        assert!(Spec::names().all(|name| error.contains(name)), "{error}");
    }

    #[test]
    fn a_configuration_of_ones_own_has_ones_own_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("picker.yaml");
        fs::write(&file, "scorers: {prefixLocality: {weight: 4}}").expect("written");
        let spec: Spec = format!("latency={}", file.display()).parse().expect("a policy");
        let Kind::Homing(config) = spec.kind else { panic!("not Homing") };
        assert_eq!((spec.name.as_str(), config.scorers.prefix_locality.weight), ("latency", 4.0));

        fs::write(&file, "scorers: {prefixLocality: {wieght: 4}}").expect("written");
        let error = format!("latency={}", file.display()).parse::<Spec>().expect_err("misspelt").to_string();
        assert!(error.contains("picker.yaml") && error.contains("wieght"), "{error}");
    }

    #[test]
    fn a_file_alone_is_a_policy_by_its_own_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("off.yaml");
        fs::write(&file, "scorers: {prefixLocality: {weight: 0}}").expect("written");
        assert_eq!(file.display().to_string().parse::<Spec>().expect("a policy").name, "off");
        for text in ["off.yml", "default.yaml", "random=off.yaml", "=off.yaml", " =off.yaml"] {
            assert!(text.parse::<Spec>().is_err(), "{text}");
        }
        let error = format!("default={}", file.display()).parse::<Spec>().expect_err("taken").to_string();
        assert_eq!(error, "\"default\" cannot be the name of a configuration: take another one before the `=`");
    }

    #[test]
    fn a_config_map_is_told_from_the_configuration_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("map.yaml");
        fs::write(&file, "kind: ConfigMap\napiVersion: v1\ndata: {config.yaml: ''}\n").expect("written");
        let error = file.display().to_string().parse::<Spec>().expect_err("a ConfigMap").to_string();
        assert!(error.ends_with(r"-o jsonpath='{.data.config\.yaml}'`"), "{error}");
    }
}
