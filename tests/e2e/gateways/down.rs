//! Homing is killed, and another one takes its place.

use bytes::Bytes;
use http::{Request, StatusCode};

use super::asking::naming;
use super::table::{Down, Gateway};
use crate::support::prompts::with;
use crate::support::{Body, ClosedPort, Homing, World, chat, eventually, get};

pub async fn and_back(gateway: &Gateway) {
    let closed = ClosedPort::keep();
    let port = closed.address().port().to_string();
    let mut world = gateway.builder(3).pool(&[0, 1]).picker_port(&port).start().await;
    world.chat(Some("mine"), "short", "hello").await.ok();
    world.homing.kill();
    let requests: [fn() -> Request<Body>; 2] = [|| get("/v1/models"), || chat(Some("mine"), "short", "hello")];
    for (request, down) in requests.into_iter().zip(gateway.down) {
        if down == Down::AnyEngineOnceNoticed {
            eventually("a health check notices", async || {
                let status = world.exchange(request()).await.status;
                assert!(status == StatusCode::OK || status == StatusCode::INTERNAL_SERVER_ERROR, "{status}");
                (status == StatusCode::OK).then_some(())
            })
            .await;
        }
        for _once_more in 0..3 {
            sees(&world, request(), down).await;
        }
        spoofed(&world, request(), down).await;
    }

    let entries = world.entries().into_iter().take(2).collect::<Vec<_>>();
    let flags = [&["--grpc-port", port.as_str()], gateway.flags()].concat();
    world.homing = Homing::start(&entries, None, &flags).await;
    for request in requests {
        eventually("it is asked again", async || {
            let reply = world.exchange(with(request(), "x-session-id", "yours")).await;
            let asked = reply.status == StatusCode::OK && world.homing.decisions(1).await.len() == 1;
            asked.then_some(())
        })
        .await;
    }
    let reply = world.exchange(requests[1]()).await.ok();
    assert_eq!(reply.served_by(), world.homing.decision().await.endpoint);
    assert_eq!(reply.session(), if gateway.shows_answers { "mine" } else { "" });
}

async fn sees(world: &World, request: Request<Body>, down: Down) {
    let what = request.method().clone();
    let reply = world.exchange(request).await;
    assert_eq!((reply.status, reply.session()), (down.status(), ""), "{what}");
    match down {
        Down::Fails => assert_eq!(reply.body, Bytes::new()),
        Down::Anywhere => assert_eq!(reply.served_by(), ""),
        Down::AnyEngine | Down::AnyEngineOnceNoticed => assert!(["r1", "r2"].contains(&reply.served_by())),
    }
}

/// A client that names an engine of its own.
async fn spoofed(world: &World, request: Request<Body>, down: Down) {
    let stranger = &world.engines[2];
    let reply = world.exchange(naming(stranger, request)).await;
    if down == Down::Anywhere {
        assert_eq!(reply.ok().served_by(), stranger.name(), "that is why this setting is a bad one");
        return;
    }
    assert_eq!(reply.status, down.status());
    assert_ne!(reply.served_by(), stranger.name());
}
