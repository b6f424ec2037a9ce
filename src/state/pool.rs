//! The pool: one immutable snapshot behind one swap.
//!
//! A source replaces the endpoints through [`PoolWriter::replace`]; picks read [`PoolReader::load`].
//! Load and blocks hang on the member and survive snapshots as long as the endpoint's identity does.

mod sweep;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use crate::model::{Endpoint, EndpointId};

use super::load::LoadCell;
use super::prefix::{Lane, PrefixIndex};
use sweep::Sweeps;

/// An endpoint with what is remembered of it.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its small integer.
    pub id: EndpointId,
    /// What the source says.
    pub endpoint: Endpoint,
    /// `ip:port`, as the destination header wants it.
    pub destination: Arc<str>,
    /// Stable hash of its identity, for rendezvous.
    pub placement: u64,
    /// Bookings, failures, speed.
    pub load: Arc<LoadCell>,
    /// The blocks that it holds.
    pub lane: Arc<Lane>,
}

/// The pool at one moment.
#[derive(Debug, Default)]
pub struct PoolSnapshot {
    members: Vec<Member>,
    /// Slot to place in `members`.
    slots: Vec<Option<u32>>,
    addresses: HashMap<SocketAddr, u32, ahash::RandomState>,
    placements: HashMap<u64, u32, ahash::RandomState>,
}

/// Reads the pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct PoolReader {
    snapshot: Arc<ArcSwap<PoolSnapshot>>,
    version: watch::Receiver<u64>,
}

/// Replaces the pool; there is one.
#[derive(Debug)]
pub struct PoolWriter {
    snapshot: Arc<ArcSwap<PoolSnapshot>>,
    version: watch::Sender<u64>,
    index: Arc<PrefixIndex>,
    /// Slots that nobody holds, and that hold no block.
    free: Vec<u32>,
    sweeps: Sweeps,
    generation: u32,
}

/// An empty pool, whose endpoints' blocks are in `index`.
pub fn pool(index: Arc<PrefixIndex>) -> (PoolReader, PoolWriter) {
    let snapshot = Arc::new(ArcSwap::from_pointee(PoolSnapshot::default()));
    let (sender, receiver) = watch::channel(0);
    let writer = PoolWriter {
        snapshot: Arc::clone(&snapshot),
        version: sender,
        index,
        free: Vec::new(),
        sweeps: Sweeps::default(),
        generation: 0,
    };
    (PoolReader { snapshot, version: receiver }, writer)
}

// === impl PoolSnapshot ===

impl PoolSnapshot {
    /// All members, eligible or not.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How many slots there are: one more than the highest in use.
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The member with this id, unless it has gone.
    pub fn get(&self, id: EndpointId) -> Option<&Member> {
        let place = (*self.slots.get(id.slot as usize)?)?;
        self.members.get(place as usize).filter(|member| member.id == id)
    }

    /// The member at this address; of two, the one that is ready.
    pub fn at(&self, address: SocketAddr) -> Option<&Member> {
        self.members.get(*self.addresses.get(&address)? as usize)
    }

    /// The member of this placement, by which replicas name it among each other.
    pub fn placed(&self, placement: u64) -> Option<&Member> {
        self.members.get(*self.placements.get(&placement)? as usize)
    }
}

// === impl PoolReader ===

impl PoolReader {
    /// The pool as it is now.
    pub fn load(&self) -> Guard<Arc<PoolSnapshot>> {
        self.snapshot.load()
    }

    /// Resolves when the pool changes after this call; never, once the writer is gone.
    pub async fn changed(&mut self) {
        if self.version.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

// === impl PoolWriter ===

impl PoolWriter {
    /// Publishes `endpoints` as the whole pool.
    ///
    /// An endpoint with the identity of a present one keeps its id, load and blocks; the blocks of one that
    /// is gone are forgotten after the new pool is seen, and then its slot is free.
    pub fn replace(&mut self, endpoints: Vec<Endpoint>) {
        let old = self.snapshot.load_full();
        let mut known: HashMap<Arc<str>, &Member> =
            old.members.iter().map(|member| (Arc::clone(&member.endpoint.identity), member)).collect();
        let mut members = Vec::with_capacity(endpoints.len());
        let mut slots = vec![None; old.slots.len()];
        let mut arrivals = Vec::new();
        self.free.extend(self.sweeps.freed());
        for endpoint in endpoints {
            match known.remove(&endpoint.identity) {
                Some(member) => members.push(member.clone().describing(endpoint)),
                None => arrivals.push(endpoint),
            }
        }
        let gone = known.into_values().map(|gone| Arc::clone(&gone.lane)).collect();
        for endpoint in arrivals {
            let id = self.next_id(&mut slots);
            members.push(Member::new(id, endpoint));
        }
        let mut addresses = HashMap::default();
        for (place, member) in (0u32..).zip(&members) {
            slots[member.id.slot as usize] = Some(place);
            // One that is away may have lost its address to another by now.
            if member.endpoint.ready {
                addresses.insert(member.endpoint.address, place);
            } else {
                addresses.entry(member.endpoint.address).or_insert(place);
            }
        }
        let placements = (0u32..).zip(&members).map(|(place, member)| (member.placement, place)).collect();
        self.snapshot.store(Arc::new(PoolSnapshot { members, slots, addresses, placements }));
        self.version.send_modify(|version| *version += 1);
        self.sweeps.start(&self.index, gone);
    }

    /// Waits until the blocks of all who have left are forgotten. For replays, in which nothing may depend on how
    /// fast a thread is.
    pub fn settle(&mut self) {
        self.free.extend(self.sweeps.wait());
    }

    fn next_id(&mut self, slots: &mut Vec<Option<u32>>) -> EndpointId {
        self.generation += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            slots.push(None);
            u32::try_from(slots.len() - 1).expect("a pool has fewer than 2^32 endpoints")
        });
        EndpointId { slot, generation: self.generation }
    }
}

// === impl Member ===

impl Member {
    fn new(id: EndpointId, endpoint: Endpoint) -> Self {
        Self {
            id,
            destination: endpoint.address.to_string().into(),
            placement: endpoint.placement(),
            endpoint,
            load: Arc::default(),
            lane: Arc::new(Lane::new(id.slot)),
        }
    }

    fn describing(self, endpoint: Endpoint) -> Self {
        let destination = if endpoint.address == self.endpoint.address {
            self.destination
        } else {
            endpoint.address.to_string().into()
        };
        Self { endpoint, destination, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Booking;
    use crate::state::prefix::PrefixScratch;
    use proptest::prelude::*;
    use std::time::Instant;

    fn endpoint(name: &str) -> Endpoint {
        Endpoint::new(name, "10.0.0.1:8000".parse().expect("an address"))
    }

    #[test]
    fn a_reload_keeps_the_load_of_those_who_stay() {
        let (reader, mut writer) = pool(Arc::default());
        writer.replace(vec![endpoint("a"), endpoint("b")]);
        let a = reader.load().members()[0].clone();
        let booking = Booking::new(&a, 100.0, 0.0, Instant::now());
        writer.replace(vec![endpoint("b"), Endpoint { weight: 2.0, ..endpoint("a") }]);
        let pool = reader.load();
        let same = pool.get(a.id).expect("a stays");
        assert_eq!((same.endpoint.weight, same.load.booked_tokens()), (2.0, 100));
        drop(booking);
        assert_eq!(same.load.booked_tokens(), 0);
    }

    #[test]
    fn a_reused_slot_inherits_nothing() {
        let (reader, mut writer) = pool(Arc::default());
        writer.replace(vec![endpoint("a")]);
        let old = reader.load().members()[0].id;
        writer.replace(vec![]);
        writer.free = writer.sweeps.wait();
        writer.replace(vec![endpoint("b")]);
        let pool = reader.load();
        assert!(pool.get(old).is_none());
        assert_eq!(pool.members()[0].id.slot, old.slot);
    }

    #[test]
    fn a_new_pool_is_seen_before_the_blocks_of_who_left_are_forgotten_and_until_then_their_slot_is_nobodys() {
        let index = Arc::<PrefixIndex>::default();
        let (reader, mut writer) = pool(Arc::clone(&index));
        writer.replace(vec![endpoint("a")]);
        let old = reader.load().members()[0].clone();
        let chain: Vec<u64> = (0..100_000).collect();
        index.record(&old.lane, &chain, chain.len());
        let depths = || {
            let mut depths = [0; 2];
            index.depths(&chain, &mut depths, &mut PrefixScratch::default());
            depths
        };
        // While somebody holds the lane, nothing of it can be forgotten.
        let held = old.lane.hold();
        writer.replace(vec![endpoint("b")]);
        let new = reader.load().members()[0].id;
        assert_ne!(new.slot, old.id.slot);
        assert_eq!((reader.load().get(old.id).is_none(), depths()), (true, [100_000, 0]));
        drop(held);
        writer.free = writer.sweeps.wait();
        assert_eq!((old.lane.is_empty(), depths()), (true, [0, 0]));
        writer.replace(vec![endpoint("b"), endpoint("c")]);
        assert_eq!(reader.load().members()[1].id.slot, old.id.slot);
    }

    #[test]
    fn an_address_is_that_of_who_is_ready_there_and_else_of_who_is_away() {
        let (reader, mut writer) = pool(Arc::default());
        let away = || Endpoint { ready: false, ..endpoint("away") };
        let at = || reader.load().at(endpoint("").address).map(|member| member.endpoint.name.to_string());
        for (pool, name) in [
            (vec![away(), endpoint("ready")], "ready"),
            (vec![endpoint("ready"), away()], "ready"),
            (vec![away()], "away"),
        ] {
            writer.replace(pool);
            assert_eq!(at().as_deref(), Some(name));
        }
    }

    proptest! {
        #[test]
        fn every_member_is_found_by_its_id_and_slots_are_reused(steps in prop::collection::vec(prop::collection::btree_set(0u8..12, 0..8), 1..20)) {
            let (reader, mut writer) = pool(Arc::default());
            for names in steps {
                writer.replace(names.iter().map(|name| endpoint(&name.to_string())).collect());
                let swept = writer.sweeps.wait();
                writer.free.extend(swept);
                let pool = reader.load();
                prop_assert_eq!(pool.members().len(), names.len());
                for member in pool.members() {
                    prop_assert_eq!(pool.get(member.id).map(|found| &found.endpoint.name), Some(&member.endpoint.name));
                }
                prop_assert!(pool.slots() <= 24);
            }
        }
    }

    proptest! {
        #[test]
        fn bookings_in_any_order_leave_nothing_behind(steps in prop::collection::vec((0usize..3, 0u8..5, 0.0f64..1e6), 0..60)) {
            let (reader, mut writer) = pool(Arc::default());
            writer.replace(vec![endpoint("a"), endpoint("b"), endpoint("c")]);
            let members = reader.load().members().to_vec();
            let now = Instant::now();
            let mut open: Vec<Booking> = Vec::new();
            for (member, action, tokens) in steps {
                match (action, open.last_mut()) {
                    (1, Some(booking)) => booking.end_waiting(),
                    (2, Some(booking)) => booking.first_byte(now),
                    (3, Some(booking)) => booking.move_to(&members[member]),
                    (4, Some(_)) => { open.remove(0); }
                    _ => open.push(Booking::new(&members[member], tokens, 0.0, now)),
                }
                let booked: u32 = members.iter().map(|member| member.load.booked_requests()).sum();
                prop_assert_eq!(booked as usize, open.len());
            }
            drop(open);
            for member in members {
                prop_assert_eq!((member.load.booked_tokens(), member.load.booked_requests()), (0, 0));
            }
        }
    }
}
