//! Homing decides, and nobody else does.

use std::collections::BTreeSet;

use http::{Request, StatusCode};
use uuid::Uuid;

use super::table::{Gateway, Underscores};
use crate::support::prompts::with;
use crate::support::{Body, Engine, Protocol, World, chat, get, prompt, within};

pub async fn find_their_engine(gateway: &Gateway) {
    let world = gateway.world(3, &[0, 1, 2]).await;
    for protocol in Protocol::BOTH {
        sessions(gateway, &world, protocol).await;
    }
    prefixes(&world).await;
    generated(gateway, &world).await;
    underscored(gateway, &world).await;
    world.homing.ledger_reads_zero().await;
}

async fn sessions(gateway: &Gateway, world: &World, protocol: Protocol) {
    let mut connection = world.connect(protocol).await;
    let mut homes = BTreeSet::new();
    for number in 0..12 {
        let session = format!("{protocol:?}-{number}");
        let mut home = None;
        for turn in 0..2 {
            let request = chat(Some(&session), &prompt(&session, 4_000), &format!("question {turn}"));
            let reply = connection.exchange(request).await.ok();
            assert_eq!(reply.session(), if gateway.shows_answers { &session } else { "" });
            assert_eq!(*home.get_or_insert_with(|| reply.served_by().to_owned()), reply.served_by(), "{session}");
        }
        // A session has a home once an answer was seen; else the prompt leads back.
        let reason = if gateway.shows_answers { "session" } else { "prefix" };
        assert_eq!(world.homing.decision().await.reason, reason);
        homes.extend(home);
    }
    assert!(homes.len() > 1, "sessions spread: {homes:?}");
    let reply = connection.exchange(get("/v1/models")).await.ok();
    assert_eq!(reply.served_by(), world.homing.decision().await.endpoint);
}

async fn prefixes(world: &World) {
    let system = prompt("shared", 16_000);
    let holder = world.chat(None, &system, "a first question").await.ok().served_by().to_owned();
    for turn in 0..3 {
        let reply = world.chat(None, &system, &format!("question {turn}")).await.ok();
        assert_eq!((reply.served_by(), world.homing.decision().await.reason.as_str()), (holder.as_str(), "prefix"));
    }
}

/// Whoever names no session gets an id, and with it returns.
async fn generated(gateway: &Gateway, world: &World) {
    let first = world.chat(None, &prompt("new", 4_000), "hello").await.ok();
    if !gateway.shows_answers {
        assert_eq!(first.session(), "", "nothing can be added to an answer");
        return;
    }
    Uuid::parse_str(first.session()).expect("an id that Homing made");
    let again = world.chat(Some(first.session()), &prompt("new", 4_000), "hello again").await.ok();
    assert_eq!((again.served_by(), again.session()), (first.served_by(), first.session()));
}

/// The header of older versions of Codex, which some gateways refuse for its name.
async fn underscored(gateway: &Gateway, world: &World) {
    let mut home = None;
    for question in ["hello", "hello again"] {
        let request = with(chat(None, &prompt("codex", 4_000), question), "session_id", "of-codex");
        let mut connection = world.connect(Protocol::Http1).await;
        if gateway.underscores == Underscores::Cut {
            within("an end", connection.send(request)).await.expect_err("there is no answer");
            return;
        }
        let reply = connection.exchange(request).await;
        if gateway.underscores == Underscores::Refused {
            assert_eq!((reply.status, reply.session()), (StatusCode::BAD_REQUEST, ""), "{reply:?}");
            return;
        }
        let reply = reply.ok();
        assert_eq!(*home.get_or_insert_with(|| reply.served_by().to_owned()), reply.served_by());
    }
}

/// Neither where a client names another engine of the pool, nor where it names one that is none.
pub async fn no_client_decides(gateway: &Gateway) {
    let world = gateway.world(3, &[0, 1]).await;
    let stranger = &world.engines[2];
    let requests = || [with(get("/v1/models"), "x-session-id", "mine"), chat(Some("mine"), "short", "hello")];
    for protocol in Protocol::BOTH {
        let mut connection = world.connect(protocol).await;
        for named in &world.engines {
            for request in requests() {
                let reply = connection.exchange(naming(named, request)).await.ok();
                assert_eq!(reply.served_by(), world.homing.decision().await.endpoint, "{protocol:?}");
            }
        }
    }

    world.homing.set_endpoints(&[]).await;
    for request in requests() {
        let reply = world.exchange(naming(stranger, request)).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(reply.header("x-llm-d-request-dropped-reason"), "rejected-no-endpoints");
        assert_eq!(reply.session(), "mine");
        assert_eq!(reply.json()["error"]["code"], 503);
    }
    assert!(stranger.heads().is_empty(), "a stranger was asked");
}

/// The same request, with a destination of the client's own.
pub fn naming(engine: &Engine, request: Request<Body>) -> Request<Body> {
    with(request, "x-gateway-destination-endpoint", &engine.address().to_string())
}
