//! An engine dies between the pick and the request that is sent there.

use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::attached::{Attached, ENGINES, picked};
use crate::kubernetes::PORT;
use crate::node::site::engines_of;
use crate::support::{Connection, Protocol, chat, eventually, prompt};

/// An engine that a signal kills while its pod stays, and stays ready: nobody has noticed yet.
const MORTAL: &str = r#"trap : USR1; /homing engine "$@"; while :; do sleep 3600; done"#;
const NAME: &str = "mortal";

#[tokio::test]
async fn an_engine_that_dies_before_anybody_knows_costs_its_own_sessions_503s_until_they_move_and_the_others_nothing() {
    let attached = Attached::start(&[], &["replicas=1"]).await;
    let (cluster, replicas) = (&attached.release.cluster, &attached.replicas);
    cluster.apply_object(mortal()).await;
    let address = (cluster.pod(NAME).await.address, PORT).into();
    eventually("it listens", async || Connection::open(address, Protocol::Http1).await).await;
    let engines = cluster.ready("app=engine", ENGINES + 1).await;
    attached.sends_to(replicas, &engines).await;
    let mut connection = attached.connect(Protocol::Http1).await;
    let mut homes = Vec::new();
    eventually("it has sessions", async || {
        let session = format!("session-{}", homes.len());
        let system = prompt(&session, 3_000);
        let reply = connection.exchange(chat(Some(&session), &system, "hello")).await.ok();
        homes.push((session, system, reply.served_by().to_owned()));
        (homes.iter().filter(|(.., home)| home == NAME).count() >= 2).then_some(())
    })
    .await;

    cluster.signal(NAME, Signal::USR1);
    let mut failed = 0;
    for (session, system, home) in &homes {
        let reply = eventually(&format!("{session} is served"), async || {
            let mut connection = attached.connect(Protocol::Http1).await;
            let reply = connection.exchange(chat(Some(session), system, "again")).await;
            assert_eq!(reply.session(), session, "the session comes back whoever answers");
            if reply.status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!((home.as_str(), picked(&reply).0), (NAME, NAME), "{reply:?}");
                failed += 1;
                return None;
            }
            Some(reply.ok())
        })
        .await;
        assert_eq!(reply.served_by(), picked(&reply).0);
        assert!(home == NAME || reply.served_by() == home, "{session} of {home} moved to {}", reply.served_by());
    }
    // After three it is no session's home, until it answers again.
    assert!((1..=3).contains(&failed), "{failed} requests went to the engine that had died");
}

/// The pod of such an engine, beside those of the Deployment.
fn mortal() -> Value {
    let mut spec = engines_of(1, None)["spec"]["template"]["spec"].take();
    let container = &mut spec["containers"][0];
    container["command"] = json!(["sh", "-c", MORTAL, "sh"]);
    // A probe would notice.
    container.as_object_mut().expect("a container has fields").remove("readinessProbe");
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "labels": {"app": "engine"}}, "spec": spec})
}
