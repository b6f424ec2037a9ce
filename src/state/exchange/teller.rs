//! Makes the updates of one replica.

use std::time::{Duration, Instant};

use crate::proto::sync::{Load, Update};
use crate::state::PoolSnapshot;

use super::outbox::{Outbox, Queue};
use super::wire::{MAX_LOADS, MAX_NAME};

/// An update is made after about this time even if nothing changed. One of two may be lost before a replica counts as
/// gone, however often it is asked for updates, as long as that is no rarer than this.
pub const HEARTBEAT: Duration = Duration::from_millis(500);

/// What others have to know to understand what is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Names the key of session digests.
    pub digest: u32,
    /// Names how prompts are cut into blocks.
    pub cut: u32,
}

/// One life of a replica, as others see it.
#[derive(Debug)]
pub struct Teller {
    replica: u64,
    name: String,
    epoch: u64,
    sequence: u64,
    loads: Vec<Load>,
    /// Updates before the next that did not arrive, as far as is known.
    lost: u32,
    told_at: Option<Instant>,
    /// When it was asked for an update last.
    asked_at: Option<Instant>,
}

impl Teller {
    /// Tells for the replica of `outbox`, which people call `name`, and whose life began at `epoch`, in milliseconds
    /// since 1970; not 0.
    pub fn new(outbox: &Outbox, name: &str, epoch: u64) -> Self {
        let name = name[..name.floor_char_boundary(MAX_NAME)].to_owned();
        Self {
            replica: outbox.replica(),
            name,
            epoch,
            sequence: 0,
            loads: Vec::new(),
            lost: 0,
            told_at: None,
            asked_at: None,
        }
    }

    /// What is to be told at `now`; nothing where nothing changed and no heartbeat is due.
    ///
    /// `unplaced` are the replicas that are asked to tell all again.
    pub fn update(
        &mut self,
        outbox: &Outbox,
        pool: &PoolSnapshot,
        unplaced: Vec<u64>,
        keys: Keys,
        now: Instant,
    ) -> Option<Update> {
        outbox.tell_again_if_lacking(now);
        let loads = loads(pool);
        let Queue { blocks, bindings, since: oldest, .. } = outbox.take();
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
            digest_key: keys.digest,
            name: self.name.clone(),
            waited_micros: oldest.map_or(0, |at| u32::try_from(since(at).as_micros()).unwrap_or(u32::MAX)),
            cut: keys.cut,
            retold: std::mem::take(&mut self.lost),
        })
    }

    /// `update` did not arrive, as far as is known: what it has of blocks and bindings is told with the next, which is
    /// due now. Whoever got it all the same is told twice, and that does no harm.
    pub fn lost(&mut self, update: Update, outbox: &Outbox) {
        self.lost = update.retold.saturating_add(1);
        outbox.put_back(update.blocks, update.bindings);
        self.told_at = None;
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
        let mut teller = Teller::new(&outbox, "h-0", 9);
        let begin = Instant::now();
        let mut told = |millis, asks: &[u64]| {
            let at = begin + Duration::from_millis(millis);
            let update = teller.update(&outbox, &reader.load(), asks.to_vec(), Keys { digest: 5, cut: 6 }, at)?;
            assert_eq!((update.replica, update.epoch, &*update.name), (3, 9, "h-0"));
            assert_eq!((update.digest_key, update.cut), (5, 6));
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
        outbox.credited(member.placement, &[1], 0, 7, begin);
        assert_eq!(told(700, &[]), Some((5, 0, 1, vec![])));
        assert_eq!(told(750, &[4]), Some((6, 0, 0, vec![4])));
    }

    #[test]
    fn what_is_lost_is_told_with_the_next_which_is_due_at_once() {
        let (reader, _writer) = pool(Default::default());
        let (outbox, begin) = (Outbox::new(3), Instant::now());
        let mut teller = Teller::new(&outbox, &"é".repeat(MAX_NAME), 9);
        let mut tell = |millis, lose: bool| {
            let now = begin + Duration::from_millis(millis);
            let update = teller.update(&outbox, &reader.load(), vec![], Keys::default(), now)?;
            let told = (update.sequence, update.blocks.len(), update.waited_micros, update.retold);
            assert_eq!(update.name.len(), MAX_NAME, "between characters");
            if lose {
                teller.lost(update, &outbox);
            }
            Some(told)
        };
        outbox.credited(7, &[1], 0, 7, begin);
        assert_eq!(tell(20, true), Some((1, 1, 20_000, 0)));
        assert_eq!(tell(30, true), Some((2, 1, 0, 1)));
        assert_eq!(tell(40, false), Some((3, 1, 0, 2)));
        assert_eq!(tell(50, false), None);
        outbox.credited(7, &[1], 0, 7, begin);
        assert_eq!(tell(60, false), Some((4, 1, 60_000, 0)));
    }

    #[test]
    fn one_heartbeat_may_be_lost_whatever_the_interval() {
        let (reader, _writer) = pool(Default::default());
        let (outbox, begin) = (Outbox::new(3), Instant::now());
        for interval in [1, 10, 50, 100, 200, 300, 333, 334, 400, 499, 500] {
            let mut teller = Teller::new(&outbox, "", 9);
            let beats: Vec<u64> = (0..10_000 / interval)
                .map(|turn| turn * interval)
                .filter(|at| {
                    let now = begin + Duration::from_millis(*at);
                    teller.update(&outbox, &reader.load(), vec![], Keys::default(), now).is_some()
                })
                .collect();
            let longest = beats.windows(3).map(|beats| beats[2] - beats[0]).max().expect("three beats");
            assert!(Duration::from_millis(longest) < SILENCE, "every {interval} ms: {longest} ms");
            assert!(beats.len() <= 10_000 / 300, "every {interval} ms: {}", beats.len());
        }
    }
}
