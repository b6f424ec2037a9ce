//! Where requests go: by session, by prefix, by load.

use std::collections::{BTreeMap, BTreeSet};

use super::attached::Attached;
use crate::support::{Protocol, chat, prompt};

#[tokio::test]
async fn the_first_request_is_answered_and_sessions_and_prefixes_return_while_new_ones_spread() {
    let attached = Attached::start(3, 2, &[]).await;
    let mut connection = attached.connect(Protocol::Http1).await;
    let names: BTreeSet<&str> = attached.release.engines.iter().map(|pod| pod.name.as_str()).collect();

    let mut homes = BTreeMap::new();
    for turn in 0..3 {
        for session in 0..20 {
            let session = format!("session-{session}");
            let reply = connection.exchange(chat(Some(&session), "short", &format!("question {turn}"))).await.ok();
            assert_eq!(reply.session(), session, "the session comes back");
            let home = homes.entry(session).or_insert_with(|| reply.served_by().to_owned());
            assert_eq!(reply.served_by(), home, "a session stays, whichever replica is asked");
            assert!(reply.header("x-homing-decision").contains(home.as_str()), "the pick is what happens");
        }
    }
    assert_eq!(homes.values().map(String::as_str).collect::<BTreeSet<_>>(), names, "new sessions spread by load");
    for replica in &attached.replicas {
        assert!(attached.release.picks(replica).await >= 10.0, "{} takes its part", replica.name);
    }
}
