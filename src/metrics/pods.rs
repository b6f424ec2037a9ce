//! How many pods of the pool serve, and why the others do not.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Whether a pod serves, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PodState {
    /// It serves.
    Eligible,
    /// It was deleted, and may still run for a while.
    Deleting,
    /// All its containers have ended.
    Finished,
    /// Its Ready condition is not True.
    NotReady,
    /// It has no address.
    NoAddress,
    /// Its annotation names none of the pool's target ports.
    NoActivePort,
    /// Its weight is 0 or less.
    Weightless,
}

/// A gauge for each state.
#[derive(Clone, Debug)]
pub struct PodGauges(Family<[(&'static str, &'static str); 2], Gauge>);

impl PodState {
    /// Every state, in the order of `docs/kubernetes.md`.
    pub const ALL: [Self; 7] = [
        Self::Eligible,
        Self::Deleting,
        Self::Finished,
        Self::NotReady,
        Self::NoAddress,
        Self::NoActivePort,
        Self::Weightless,
    ];

    /// The reason in metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "ready",
            Self::Deleting => "deleting",
            Self::Finished => "finished",
            Self::NotReady => "not-ready",
            Self::NoAddress => "no-address",
            Self::NoActivePort => "no-active-port",
            Self::Weightless => "weight",
        }
    }
}

impl PodGauges {
    /// Registers the gauges, without a value before there is a pool of pods.
    pub fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::default();
        registry.register(name, help, family.clone());
        Self(family)
    }

    /// Says how many pods are in `state`.
    pub fn set(&self, state: PodState, count: usize) {
        let kind = if state == PodState::Eligible { "eligible" } else { "excluded" };
        let labels = [("state", kind), ("reason", state.as_str())];
        self.0.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
