//! One client's way through the log of decisions: the last ones that it wants, then those to come.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Decision, Reason};
use crate::pick::Picker;
use crate::proto::inspect::DecisionsResponse;

/// How often the log is looked at for new decisions.
const LOOK: Duration = Duration::from_millis(100);

/// Which decisions a client wants; an empty text lets all pass.
#[derive(Debug, Default)]
pub struct Filter {
    endpoint: String,
    reason: Option<Reason>,
    request_id: String,
}

/// Where a client is. It keeps no decision, only the number of the next, so that a slow one costs nothing.
#[derive(Debug)]
pub struct Following {
    picker: Arc<Picker>,
    filter: Filter,
    next: u64,
    /// Where the stream ends; `None` follows.
    end: Option<u64>,
    missed: u64,
    /// Whether `next` was already looked for and was still being written.
    awaited: bool,
}

// === impl Filter ===

impl Filter {
    /// `None` where there is no such reason.
    pub fn new(endpoint: String, reason: &str, request_id: String) -> Option<Self> {
        let reason = match reason {
            "" => None,
            reason => Some(Reason::ALL.into_iter().find(|known| known.as_str() == reason)?),
        };
        Some(Self { endpoint, reason, request_id })
    }

    fn passes(&self, decision: &Decision) -> bool {
        let Self { endpoint, reason, request_id } = self;
        (endpoint.is_empty() || **endpoint == *decision.endpoint)
            && reason.is_none_or(|reason| reason == decision.reason)
            && (request_id.is_empty() || decision.request_id.as_deref() == Some(request_id))
    }
}

// === impl Following ===

impl Following {
    /// The last `limit` decisions that pass, and all later ones if it is to `follow`.
    pub fn new(picker: Arc<Picker>, filter: Filter, limit: u32, follow: bool) -> Self {
        let log = picker.decisions();
        let kept = log.kept();
        let passing = |number: &u64| log.get(*number).is_some_and(|decision| filter.passes(&decision));
        let first = kept.clone().rev().filter(passing).take(limit as usize).last();
        let next = first.unwrap_or(kept.end);
        Self { filter, next, end: (!follow).then_some(kept.end), missed: 0, awaited: false, picker }
    }

    /// The next decision, when it is made; `None` at the end.
    pub async fn next(&mut self) -> Option<DecisionsResponse> {
        loop {
            let kept = self.picker.decisions().kept();
            self.pass_over_until(kept.start);
            if self.next >= self.end.unwrap_or(kept.end) {
                self.end.is_none().then_some(())?;
                tokio::time::sleep(LOOK).await;
                continue;
            }
            match self.picker.decisions().get(self.next) {
                Some(decision) => {
                    let number = self.next;
                    (self.next, self.awaited) = (number + 1, false);
                    if self.filter.passes(&decision) {
                        let missed = std::mem::take(&mut self.missed);
                        return Some(DecisionsResponse { decision: Some((&*decision).into()), number, missed });
                    }
                }
                // It is being written. Once is enough: its writer may have given up.
                None if self.awaited => self.pass_over_until(self.next + 1),
                None => {
                    self.awaited = true;
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    /// Counts what was not seen before `number` as missed.
    fn pass_over_until(&mut self, number: u64) {
        if self.next < number {
            self.missed += number - self.next;
            (self.next, self.awaited) = (number, false);
        }
    }
}

#[cfg(test)]
mod tests;
