//! Makes the updates of one replica.

use std::time::{Duration, Instant};

use crate::proto::sync::{Load, Update};
use crate::state::PoolSnapshot;

use super::outbox::{Outbox, Queue};
use super::wire::MAX_LOADS;

/// An update is made after about this time even if nothing changed. One of two may be lost before a replica counts as
/// gone, however often it is asked for updates, as long as that is no rarer than this.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

/// One life of a replica, as others see it.
#[derive(Debug)]
pub struct Teller {
    replica: u64,
    epoch: u64,
    sequence: u64,
    loads: Vec<Load>,
    told_at: Option<Instant>,
    /// When it was asked for an update last.
    asked_at: Option<Instant>,
}

impl Teller {
    /// Tells for the replica of `outbox`, whose life began at `epoch`, in milliseconds since 1970; not 0.
    pub fn new(outbox: &Outbox, epoch: u64) -> Self {
        Self { replica: outbox.replica(), epoch, sequence: 0, loads: Vec::new(), told_at: None, asked_at: None }
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
        outbox.tell_again_if_lacking(now);
        let loads = loads(pool);
        let Queue { blocks, bindings, .. } = outbox.take();
        let since = |at| now.saturating_duration_since(at);
        let interval = self.asked_at.replace(now).map_or(HEARTBEAT, since);
        // The nearer of this time and the next one.
        let is_due = self.told_at.is_none_or(|told| since(told) + interval / 2 >= HEARTBEAT);
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
    loads.filter(|load| load.in_flight > 0).take(MAX_LOADS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::SILENCE;
    use super::*;
    use crate::model::Endpoint;
    use crate::state::{Booking, pool};

    #[test]
    fn it_tells_what_changed_and_a_heartbeat_where_nothing_did() {
        let (reader, mut writer) = pool(Default::default());
        writer.replace(vec![Endpoint::new("a", ([10, 0, 0, 1], 80).into())]);
        let member = reader.load().members()[0].clone();
        let outbox = Outbox::new(3);
        let mut teller = Teller::new(&outbox, 9);
        let begin = Instant::now();
        let mut told = |millis, asks: &[u64]| {
            let at = begin + Duration::from_millis(millis);
            let update = teller.update(&outbox, &reader.load(), asks.to_vec(), 5, at)?;
            assert_eq!((update.replica, update.epoch, update.digest_key), (3, 9, 5));
            Some((update.sequence, update.loads.len(), update.blocks.len(), update.unplaced))
        };
        assert_eq!(told(0, &[]), Some((1, 0, 0, vec![])), "it is there");
        assert_eq!(told(50, &[]), None);
        let booking = Booking::new(&member, 10.0, 0.0, begin);
        assert_eq!(told(100, &[]), Some((2, 1, 0, vec![])));
        assert_eq!([150, 250, 350, 450, 549].map(|millis| told(millis, &[])), [const { None }; 5]);
        assert_eq!(told(599, &[]), Some((3, 1, 0, vec![])), "load is told whole again");
        drop(booking);
        assert_eq!(told(650, &[]), Some((4, 0, 0, vec![])));
        outbox.credited(member.placement, &[1], 0, 7);
        assert_eq!(told(700, &[]), Some((5, 0, 1, vec![])));
        assert_eq!(told(750, &[4]), Some((6, 0, 0, vec![4])));
    }

    #[test]
    fn one_heartbeat_may_be_lost_whatever_the_interval() {
        let (reader, _writer) = pool(Default::default());
        let (outbox, begin) = (Outbox::new(3), Instant::now());
        for interval in [1, 10, 50, 100, 200, 300, 333, 334, 400, 499, 500] {
            let mut teller = Teller::new(&outbox, 9);
            let beats: Vec<u64> = (0..10_000 / interval)
                .map(|turn| turn * interval)
                .filter(|at| {
                    teller.update(&outbox, &reader.load(), vec![], 5, begin + Duration::from_millis(*at)).is_some()
                })
                .collect();
            let longest = beats.windows(3).map(|beats| beats[2] - beats[0]).max().expect("three beats");
            assert!(Duration::from_millis(longest) < SILENCE, "every {interval} ms: {longest} ms");
            assert!(beats.len() <= 10_000 / 300, "every {interval} ms: {}", beats.len());
        }
    }
}
