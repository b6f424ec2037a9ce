//! The engine model in step with the wall clock.
//!
//! One task sleeps until the model's next event and tells the requests that wait for it. A request is
//! a [`Running`]: dropping it, for whatever reason, takes its job out of the model.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::simulation::constants::Constants;
use crate::simulation::engine::{Engine, Event, JobId};
use crate::simulation::job::Job;

/// A model that runs in real time.
pub struct Clockwork {
    started: Instant,
    model: Mutex<Model>,
    changed: Notify,
}

struct Model {
    engine: Engine,
    prefills: HashMap<JobId, oneshot::Sender<Prefilled>>,
}

/// The end of a prefill, on the wall clock.
#[derive(Clone, Copy, Debug)]
pub struct Prefilled {
    /// When the first token was there; the others follow one decode step apart.
    pub at: Instant,
    /// Tokens of the prompt that the cache held.
    pub cached_tokens: u64,
}

/// A job that somebody waits for.
pub struct Running {
    clockwork: Arc<Clockwork>,
    id: JobId,
    prefill: oneshot::Receiver<Prefilled>,
}

// === impl Clockwork ===

impl Clockwork {
    /// Starts an idle engine; its task ends with the last handle.
    pub fn start(constants: Constants) -> Arc<Self> {
        let model = Model { engine: Engine::new(constants), prefills: HashMap::new() };
        let clockwork = Arc::new(Self { started: Instant::now(), model: Mutex::new(model), changed: Notify::new() });
        tokio::spawn(tick(Arc::downgrade(&clockwork)));
        clockwork
    }

    /// Puts a job into the queue.
    pub fn submit(self: &Arc<Self>, job: Job) -> Running {
        let (sender, prefill) = oneshot::channel();
        let mut model = self.model.lock();
        let id = model.engine.submit(self.now(), job);
        model.prefills.insert(id, sender);
        drop(model);
        self.changed.notify_one();
        Running { clockwork: self.clone(), id, prefill }
    }

    /// Looks at the model as it is now.
    pub fn read<T>(&self, look: impl FnOnce(&Engine) -> T) -> T {
        self.advance();
        look(&self.model.lock().engine)
    }

    /// Lets the model catch up with the clock; returns when it wants to be called again.
    fn advance(&self) -> Option<Instant> {
        let mut model = self.model.lock();
        let Model { engine, prefills } = &mut *model;
        for (at, event) in engine.advance(self.now()) {
            if let Event::FirstToken(first) = event
                && let Some(waiter) = prefills.remove(&first.job)
            {
                // A waiter that is gone aborts its job by itself.
                let _ = waiter.send(Prefilled { at: self.started + at, cached_tokens: first.cached_tokens });
            }
        }
        engine.next_event().map(|at| self.started + at)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

async fn tick(clockwork: Weak<Clockwork>) {
    /// How long an idle engine's task can outlive it.
    const IDLE: Duration = Duration::from_secs(1);
    while let Some(clockwork) = clockwork.upgrade() {
        let next = clockwork.advance().unwrap_or_else(|| Instant::now() + IDLE);
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = clockwork.changed.notified() => {}
        }
    }
}

// === impl Running ===

impl Running {
    /// Waits for the first token; `None` only when the engine is being torn down.
    pub async fn prefilled(&mut self) -> Option<Prefilled> {
        (&mut self.prefill).await.ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut model = self.clockwork.model.lock();
        model.prefills.remove(&self.id);
        model.engine.abort(self.clockwork.now(), self.id);
        drop(model);
        self.clockwork.changed.notify_one();
    }
}
