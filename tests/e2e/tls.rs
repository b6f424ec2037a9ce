//! TLS between the gateway and the picker, as it is by default.

use crate::support::envoy::Options;
use crate::support::{Protocol, World, body, post, prompts::chat_of_size};

#[tokio::test]
async fn a_gateway_that_verifies_nothing_is_served_over_tls() {
    let envoy = Options { tls: true, ..Options::default() };
    let world = World::builder(2).flags(&["--secure-serving=true"]).envoy(envoy).start().await;
    for size in [1_000, 1 << 20] {
        let sent = chat_of_size(size);
        let request = post("/v1/chat/completions", body::full(sent.clone()));
        let reply = world.connect(Protocol::Http2).await.exchange(request).await.ok();
        let served = world.engine(reply.served_by()).requests();
        assert_eq!(served.last().expect("a request has arrived").body, sent);
    }
    world.homing.ledger_reads_zero().await;
}
