//! Makes the updates of one replica.

use std::time::{Duration, Instant};

use crate::proto::sync::{Load, Update};
use crate::state::PoolSnapshot;

use super::outbox::{Outbox, Queue};

/// An update is made after this time even if nothing changed: three of them may be lost before a replica counts as gone.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

/// One life of a replica, as others see it.
#[derive(Debug)]
pub struct Teller {
    replica: u64,
    epoch: u64,
    sequence: u64,
    loads: Vec<Load>,
    told_at: Option<Instant>,
}

impl Teller {
    /// Tells for the replica of `outbox`, whose life began at `epoch`, in milliseconds since 1970; not 0.
    pub fn new(outbox: &Outbox, epoch: u64) -> Self {
        Self { replica: outbox.replica(), epoch, sequence: 0, loads: Vec::new(), told_at: None }
    }

    /// What is to be told at `now`; nothing where nothing changed and no heartbeat is due.
    ///
    /// `unplaced` are the replicas that are asked to tell all again, and `digest_key` names the sessions' key.
    pub fn update(
        &mut self,
        outbox: &Outbox,
        pool: &PoolSnapshot,
        unplaced: Vec<u64>,
        digest_key: u32,
        now: Instant,
    ) -> Option<Update> {
        let loads = loads(pool);
        let Queue { blocks, bindings, .. } = outbox.take();
        let is_due = self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= HEARTBEAT);
        if !is_due && blocks.is_empty() && bindings.is_empty() && unplaced.is_empty() && loads == self.loads {
            return None;
        }
        self.sequence += 1;
        self.told_at = Some(now);
        self.loads.clone_from(&loads);
        Some(Update {
            replica: self.replica,
            epoch: self.epoch,
            sequence: self.sequence,
            loads,
            blocks: blocks.into(),
            bindings: bindings.into(),
            unplaced,
            digest_key,
        })
    }
}

/// All that this replica has in flight.
fn loads(pool: &PoolSnapshot) -> Vec<Load> {
    let loads = pool.members().iter().map(|member| {
        let sent = member.load.sent();
        Load {
            endpoint: member.placement,
            waiting_tokens: sent.waiting_tokens,
            waiting_requests: sent.waiting_requests,
            in_flight: sent.in_flight,
        }
    });
    loads.filter(|load| load.in_flight > 0).collect()
}
