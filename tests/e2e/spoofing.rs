//! A destination that the client names is never believed.

use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::envoy::{Destination, Options};
use crate::support::prompts::with;
use crate::support::{Protocol, World, chat, get, within};

const DESTINATION: &str = "x-gateway-destination-endpoint";

#[tokio::test]
async fn a_spoofed_destination_is_never_believed() {
    for destination in [Destination::Header, Destination::Metadata] {
        let envoy = Options { destination, ..Options::default() };
        let world = World::builder(2).pool(&[0]).envoy(envoy).start().await;
        let (real, decoy) = (&world.engines[0], &world.engines[1]);
        let spoofed = decoy.address().to_string();
        for protocol in Protocol::BOTH {
            for request in [|| get("/v1/models"), || chat(None, "short", "hello")] {
                let once = with(request(), DESTINATION, &spoofed);
                let twice = with(with(request(), DESTINATION, &spoofed), DESTINATION, &spoofed);
                for request in [once, twice] {
                    let reply = world.connect(protocol).await.exchange(request).await.ok();
                    assert_eq!(reply.served_by(), real.name());
                }
            }
        }
        let true_destination = real.address().to_string();
        for head in real.heads() {
            let values: Vec<_> = head.get_all(DESTINATION).iter().collect();
            assert_eq!(values, [true_destination.as_str()], "the engine sees the pick, once");
        }
        assert!(decoy.heads().is_empty());
    }
}

#[tokio::test]
async fn a_destination_spoofed_in_any_letter_case_is_never_believed() {
    let world = World::builder(2).pool(&[0]).start().await;
    let spoofed = world.engines[1].address();
    for name in ["X-Gateway-Destination-Endpoint", "X-GATEWAY-DESTINATION-ENDPOINT", "x-gateway-Destination-endpoint"] {
        for request in ["GET /v1/models", "POST /v1/chat/completions"] {
            let head = format!("{request} HTTP/1.1\r\nhost: gateway.test\r\n{name}: {spoofed}\r\n");
            let body = "content-length: 2\r\nconnection: close\r\n\r\n{}";
            let answer = raw(world.envoy.address(), &(head + body)).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        }
    }
    assert!(world.engines[1].heads().is_empty());
}

#[tokio::test]
async fn a_spoofed_destination_is_not_believed_where_no_engine_is_left() {
    let world = World::builder(1).pool(&[]).start().await;
    let decoy = &world.engines[0];
    for request in [get("/v1/models"), chat(None, "short", "hello")] {
        let reply = world.exchange(with(request, DESTINATION, &decoy.address().to_string())).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(decoy.heads().is_empty());
}

#[tokio::test]
async fn control_headers_of_a_client_do_not_reach_the_engine() {
    const CONTROL: [&str; 4] = [
        "x-gateway-destination-endpoint-subset",
        "x-gateway-destination-endpoint-served",
        "x-gateway-model-name-rewrite",
        "x-llm-d-model-name-rewrite",
    ];
    let world = World::of(1).await;
    for request in [get("/v1/models"), chat(None, "short", "hello")] {
        let request = CONTROL.iter().fold(request, |request, name| with(request, name, "127.0.0.1:1"));
        world.exchange(request).await.ok();
    }
    for head in world.engines[0].heads() {
        for name in CONTROL {
            assert!(!head.contains_key(name), "{name} reached the engine");
        }
    }
}

/// Sends `request` as it is and reads until the other side closes.
async fn raw(address: SocketAddr, request: &str) -> String {
    within("a raw exchange", async {
        let mut socket = TcpStream::connect(address).await.expect("Envoy accepts");
        socket.write_all(request.as_bytes()).await.expect("Envoy reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("Envoy answers in text");
        answer
    })
    .await
}
