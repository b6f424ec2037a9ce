//! The policies by name.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::config::{self, PickerConfig};

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

    /// `NAME` of a policy, or `NAME=FILE` for Homing with the configuration in that file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((name, file)) = text.split_once('=') {
            let file = PathBuf::from(file);
            let read = fs::read_to_string(&file).map_err(|error| SpecError::Unreadable(file.clone(), error))?;
            let parsed = config::parse(&read).map_err(|error| SpecError::Wrong(file, error))?;
            return Ok(Self { name: name.to_owned(), kind: Kind::Homing(Box::new(parsed.config)) });
        }
        let (name, kind) =
            NAMED.into_iter().find(|(name, _)| *name == text).ok_or_else(|| SpecError::Unknown(text.to_owned()))?;
        Ok(Self { name: name.to_owned(), kind: kind() })
    }
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
}
