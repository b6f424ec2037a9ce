//! Whether the process may be sent traffic. Whoever must finish something first holds a guard.
//!
//! The one entry is [`Readiness::block`]. Health, `/readyz` and drain read it.

use std::borrow::Cow;
use std::fmt;

use tokio::sync::watch;

/// Shared by all who hold readiness back and all who report it. Starts ready: take the guards before listening.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Sender<State>);

/// While one of these is alive the process is not ready; dropping the last one is being ready.
#[must_use = "readiness is held back only while this is alive"]
#[derive(Debug)]
pub struct BlockReady {
    name: Cow<'static, str>,
    readiness: Readiness,
}

/// What readiness is at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pending: Vec<Cow<'static, str>>,
    draining: bool,
}

// === impl Readiness ===

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Readiness {
    /// Not ready until the guard is dropped; `name` is listed meanwhile.
    pub fn block(&self, name: impl Into<Cow<'static, str>>) -> BlockReady {
        let name = name.into();
        self.0.send_modify(|state| state.pending.push(name.clone()));
        BlockReady { name, readiness: self.clone() }
    }

    /// Not ready from now on.
    pub fn drain(&self) {
        self.0.send_modify(|state| state.draining = true);
    }

    /// As it is now.
    pub fn state(&self) -> State {
        self.0.borrow().clone()
    }

    /// As it is now and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }
}

// === impl BlockReady ===

impl Drop for BlockReady {
    fn drop(&mut self) {
        // A task that dies has not finished what it held readiness back for.
        if std::thread::panicking() {
            return;
        }
        self.readiness.0.send_modify(|state| {
            if let Some(at) = state.pending.iter().position(|name| *name == self.name) {
                state.pending.remove(at);
            }
        });
    }
}

// === impl State ===

impl State {
    /// Nothing is pending and nobody drains.
    pub fn is_ready(&self) -> bool {
        self.pending.is_empty() && !self.draining
    }

    /// The process is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining
    }
}

/// Reads `ready`, `draining`, or `waiting for endpoints, certificate`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.draining {
            f.write_str("draining")
        } else if self.pending.is_empty() {
            f.write_str("ready")
        } else {
            write!(f, "waiting for {}", self.pending.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_the_drop_of_the_last_guard() {
        let readiness = Readiness::default();
        let endpoints = readiness.block("endpoints");
        let other = readiness.block("endpoints");
        let certificate = readiness.block("certificate");
        assert_eq!(readiness.state().to_string(), "waiting for endpoints, endpoints, certificate");
        drop(endpoints);
        drop(certificate);
        assert_eq!(readiness.state().to_string(), "waiting for endpoints");
        drop(other);
        assert!(readiness.state().is_ready());
    }

    #[test]
    fn a_guard_that_dies_in_a_panic_is_no_readiness() {
        let readiness = Readiness::default();
        let guard = readiness.block("endpoints");
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _guard = guard;
            panic!("on purpose");
        }));
        assert!(died.is_err() && !readiness.state().is_ready());
    }

    #[test]
    fn draining_is_final() {
        let readiness = Readiness::default();
        let guard = readiness.block("endpoints");
        readiness.drain();
        drop(guard);
        assert!(!readiness.state().is_ready());
        assert_eq!(readiness.state().to_string(), "draining");
    }
}
