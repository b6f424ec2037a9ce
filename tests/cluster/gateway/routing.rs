//! Where requests go: by session, by prefix, by load.

use super::attached::Attached;
use crate::support::{Protocol, chat};

#[tokio::test]
async fn a_session_returns_to_its_engine() {
    let attached = Attached::start(3, 2, &[]).await;
    let mut connection = attached.connect(Protocol::Http1).await;
    let reply = connection.exchange(chat(Some("one"), "short", "hello")).await;
    eprintln!("{:?}", reply);
    assert_eq!(reply.ok().session(), "one");
}
