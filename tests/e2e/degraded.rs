//! What Homing cannot read or reach costs a little knowledge, never a request.

use crate::support::prompts::with;
use crate::support::{Protocol, World, body, eventually, post, prompt};

#[tokio::test]
async fn an_unreadable_body_is_routed_and_arrives_unchanged() {
    let world = World::of(2).await;
    let deep = "[".repeat(200_000);
    let gzip_magic = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3];
    let bodies: [&[u8]; 11] = [
        b"{\"model\": \"test-model\", \"messages\": [{\"role\": ",
        b"no json at all",
        &[0, 159, 146, 150, 255, 0, 1],
        &gzip_magic,
        b"[]",
        b"null",
        b"{}",
        b"{\"messages\": 7, \"model\": []}",
        b"{\"messages\": [7, null, {\"content\": {\"a\": 1}}]}",
        b"{\"messages\": [{\"content\": \"\\ud800\"}]}",
        deep.as_bytes(),
    ];
    for protocol in Protocol::BOTH {
        for path in ["/v1/chat/completions", "/v1/completions"] {
            for sent in bodies {
                let request = post(path, body::full(sent.to_vec()));
                let reply = world.connect(protocol).await.exchange(request).await.ok();
                let arrived = world.engine(reply.served_by()).requests();
                assert_eq!(arrived.last().expect("it has arrived").body, sent);
            }
        }
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_compressed_body_is_routed_unread_and_arrives_unchanged() {
    let world = World::of(2).await;
    for encoding in ["gzip", "br", "zstd"] {
        let sent = vec![0x1f; 100_000];
        let request = with(post("/v1/chat/completions", body::full(sent.clone())), "content-encoding", encoding);
        let reply = world.exchange(request).await.ok();
        assert_eq!(world.engine(reply.served_by()).requests().last().expect("it has arrived").body, sent);
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_hung_scrape_holds_up_no_request() {
    let world = World::of(2).await;
    world.engines.iter().for_each(|engine| engine.hang_metrics());
    let scrapes: Vec<usize> = world.engines.iter().map(|engine| engine.scrapes()).collect();
    eventually("both engines hang in a scrape", async || {
        let more = world.engines.iter().zip(&scrapes).all(|(engine, before)| engine.scrapes() > *before);
        more.then_some(())
    })
    .await;
    let holder = world.chat(None, &prompt("story", 8_000), "hello").await.ok().served_by().to_owned();
    for _ in 0..20 {
        let reply = world.chat(None, &prompt("story", 8_000), "hello").await.ok();
        assert_eq!(reply.served_by(), holder, "picks are as good as before");
    }
    world.homing.ledger_reads_zero().await;
}
