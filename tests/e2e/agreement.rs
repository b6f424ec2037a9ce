//! Pickers that never talk place new sessions alike, and a lost engine moves only its own.

use std::collections::BTreeMap;

use crate::bookings::unreachable_engines;
use crate::support::Homing;
use crate::support::files::Entry;
use crate::support::picker::Picker;

const SESSIONS: usize = 1_000;
const ENGINES: u16 = 5;

#[tokio::test]
async fn two_pickers_with_the_same_engines_agree_on_every_new_session() {
    let engines = unreachable_engines(ENGINES);
    let reversed: Vec<Entry> = engines.iter().rev().cloned().collect();
    let first = placements(&engines).await;
    let second = placements(&reversed).await;
    assert_eq!(first, second);
    for engine in engines {
        let sessions = first.values().filter(|address| **address == engine.address.to_string()).count();
        assert!((140..=260).contains(&sessions), "{} has {sessions} of {SESSIONS} sessions", engine.name);
    }
}

#[tokio::test]
async fn removing_one_engine_moves_only_its_sessions() {
    let engines = unreachable_engines(ENGINES);
    let lost = engines[2].address.to_string();
    let left: Vec<Entry> = engines.iter().filter(|engine| engine.address.to_string() != lost).cloned().collect();
    let before = placements(&engines).await;
    let after = placements(&left).await;
    for (session, address) in &before {
        if *address == lost {
            assert_ne!(after[session], lost);
        } else {
            assert_eq!(after[session], *address, "{session} had no reason to move");
        }
    }
}

#[tokio::test]
async fn removing_one_engine_from_a_running_picker_moves_only_its_sessions() {
    let engines = unreachable_engines(ENGINES);
    let homing = start(&engines).await;
    let before = place_all(&homing).await;
    let lost = engines[2].address.to_string();
    let left: Vec<Entry> = engines.iter().filter(|engine| engine.address.to_string() != lost).cloned().collect();
    homing.set_endpoints(&left).await;
    let after = place_all(&homing).await;
    for (session, address) in &before {
        assert_eq!(after[session] == *address, *address != lost, "{session}");
    }
}

/// Where a picker that knows `engines` and nothing else puts each session.
async fn placements(engines: &[Entry]) -> BTreeMap<String, String> {
    place_all(&start(engines).await).await
}

async fn start(engines: &[Entry]) -> Homing {
    Homing::start(engines, Some("engineMetrics: {enabled: false}"), &[]).await
}

async fn place_all(homing: &Homing) -> BTreeMap<String, String> {
    let picker = Picker::connect(homing.port("grpc")).await;
    let mut placed = BTreeMap::new();
    for n in 0..SESSIONS {
        let session = format!("session-{n}");
        let address = picker.place(&session).await;
        placed.insert(session, address);
    }
    homing.ledger_reads_zero().await;
    placed
}
