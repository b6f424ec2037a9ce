//! Trailers pass in both directions.

use bytes::Bytes;
use http::{HeaderMap, header};

use crate::support::prompts::{chat_of_size, with};
use crate::support::{Answer, Protocol, World, body, post};

#[tokio::test]
async fn request_trailers_reach_the_engine_after_the_whole_body() {
    let world = World::of(1).await;
    world.engines[0].answer(Answer::Digest);
    for protocol in Protocol::BOTH {
        for size in [2, 1024, 200_000] {
            let before = world.engines[0].requests().len();
            let sent = chat_of_size(size);
            let pieces = sent.chunks(50_000).map(Bytes::copy_from_slice).collect();
            let request = post("/v1/chat/completions", body::pieces(pieces, Some(checksum())));
            world.connect(protocol).await.exchange(with(request, "trailer", "x-checksum")).await.ok();
            let arrived = world.engines[0].request(before + 1).await;
            assert_eq!(arrived.body, sent, "{protocol:?}");
            let trailers = arrived.trailers.expect("trailers arrive");
            assert_eq!(trailers["x-checksum"], "abc", "{protocol:?}, {size} bytes");
        }
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn response_trailers_reach_the_client_after_the_whole_body() {
    let world = World::of(1).await;
    for protocol in Protocol::BOTH {
        for length in [0, 100, 200_000] {
            world.engines[0].answer(Answer::Trailers { length, trailers: checksum() });
            let request = with(post("/v1/chat/completions", body::full("{}")), header::TE.as_str(), "trailers");
            let reply = world.connect(protocol).await.exchange(request).await.ok();
            assert_eq!(reply.body.len(), length);
            let trailers = reply.trailers.expect("trailers arrive");
            assert_eq!(trailers["x-checksum"], "abc", "{protocol:?}, {length} bytes");
        }
    }
    world.homing.ledger_reads_zero().await;
}

fn checksum() -> HeaderMap {
    HeaderMap::from_iter([("x-checksum".parse().expect("a name"), "abc".parse().expect("a value"))])
}
