//! An engine of the pool that refuses connections, and that nobody has taken out of it.

use http::StatusCode;

use super::table::{Gateway, Refused};
use crate::support::{ClosedPort, Reply, World, prompt};

/// So many that one engine of three gets none of them once in a million runs.
const SESSIONS: usize = 34;

pub async fn refuse(gateway: &Gateway) {
    let dead = ClosedPort::keep();
    let world = gateway.builder(2).endpoint("dead", dead.address()).start().await;
    let (mut picked, mut refused) = (0, 0);
    for number in 0..SESSIONS {
        let session = format!("session-{number}");
        let reply = ask(&world, &session).await;
        picked += usize::from(world.homing.decision().await.endpoint == "dead");
        if reply.status == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(world.homing.decision().await.endpoint, "dead");
            assert_eq!(reply.session(), if gateway.shows_answers { &session } else { "" });
            refused += 1;
            continue;
        }
        let home = reply.ok();
        assert_eq!(
            ask(&world, &session).await.ok().served_by(),
            home.served_by(),
            "{session} lives where it was served"
        );
    }
    assert!(picked > 0, "the engine that refuses was never picked: nothing was shown");
    match gateway.refused {
        Refused::Nothing => assert_eq!(refused, 0),
        Refused::UntilSeen => assert!((1..=3).contains(&refused), "{refused} of {SESSIONS}"),
        Refused::Unseen => assert_eq!(refused, picked),
    }
    world.homing.ledger_reads_zero().await;
}

async fn ask(world: &World, session: &str) -> Reply {
    world.chat(Some(session), &prompt(session, 3_000), "hello").await
}
