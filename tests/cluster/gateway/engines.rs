//! An engine dies between the pick and the request that is sent there.

use std::net::IpAddr;

use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::attached::{Attached, ENGINES, picked};
use super::envoy_gateway::GATEWAY;
use crate::kubernetes::PORT;
use crate::node::site::engines_of;
use crate::support::{Connection, Protocol, Reply, chat, eventually, prompt};

/// An engine that a signal kills while its pod stays, and stays ready: nobody has noticed yet.
const MORTAL: &str = r#"trap : USR1; /homing engine "$@"; while :; do sleep 3600; done"#;
const NAME: &str = "mortal";
/// Long enough that the gateway's own buffer of 32 KiB does not hold it.
const LONG: usize = 100_000;

#[tokio::test]
async fn an_engine_that_dies_before_anybody_knows_costs_its_own_sessions_503s_until_they_move_and_the_others_nothing() {
    let dying = Dying::start(&["gatewaySettings.retries=0"]).await;
    let homes = dying.sessions("session", 3_000).await;

    dying.dies().await;
    let mut failed = 0;
    for home in &homes {
        let reply = eventually(&format!("{} is served", home.session), async || {
            let reply = dying.ask(home).await;
            if reply.status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!((home.engine.as_str(), picked(&reply).0), (NAME, NAME), "{reply:?}");
                failed += 1;
                return None;
            }
            Some(reply.ok())
        })
        .await;
        assert_eq!(reply.served_by(), picked(&reply).0);
        assert!(home.engine == NAME || reply.served_by() == home.engine, "{} moved for nothing", home.session);
    }
    // After three it is no session's home, until it answers again.
    assert!((1..=3).contains(&failed), "{failed} requests went to the engine that had died");
}

#[tokio::test]
async fn retries_save_what_was_sent_to_an_engine_that_had_died_as_far_as_the_gateways_buffer_goes() {
    // A home counts until three connections in a row have failed.
    let dying = Dying::start(&["picker.maxEndpoints=2", "config.sessions.affinity=hard"]).await;
    let long = dying.sessions("long", LONG).await;
    let short = dying.sessions("short", 3_000).await;
    let [long, short] =
        [&long, &short].map(|homes| homes.iter().filter(|home| home.engine == NAME).collect::<Vec<_>>());

    dying.dies().await;
    let reply = dying.ask(short[0]).await.ok();
    assert_eq!(picked(&reply).0, NAME);
    assert_ne!(reply.served_by(), NAME);
    let again = dying.ask(short[0]).await.ok();
    assert_eq!((again.served_by(), picked(&again)), (reply.served_by(), (reply.served_by(), "session")));

    let reply = dying.ask(long[0]).await;
    assert_eq!(picked(&reply).0, NAME);
    // The second where the connection had failed before all of the body was there; and if it had before there were 32 KiB
    // of it, the rest comes to an engine that lives.
    match reply.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE => {}
        _ => assert_ne!(reply.ok().served_by(), NAME),
    }

    dying.raise_the_buffer().await;
    let reply = dying.ask(long[1]).await.ok();
    assert_eq!(picked(&reply).0, NAME);
    assert_ne!(reply.served_by(), NAME);
}

/// A gateway with one engine that is about to die.
struct Dying {
    attached: Attached,
}

/// A session, its prompt, and the engine where it lives.
struct Home {
    session: String,
    system: String,
    engine: String,
}

impl Dying {
    async fn start(values: &[&str]) -> Self {
        let fast = ["--prefill-tokens-per-second", "10000000"];
        let attached = Attached::start(&fast, &[&["replicas=1"], values].concat()).await;
        let cluster = &attached.release.cluster;
        cluster.apply_object(mortal()).await;
        let address = (cluster.pod(NAME).await.address, PORT).into();
        eventually("it listens", async || Connection::open(address, Protocol::Http1).await).await;
        let engines = cluster.ready("app=engine", ENGINES + 1).await;
        attached.sends_to(&attached.replicas, &engines).await;
        Self { attached }
    }

    /// Sessions with prompts of so many bytes, of which two at least live where the end is near.
    async fn sessions(&self, kind: &str, bytes: usize) -> Vec<Home> {
        let mut connection = self.attached.connect(Protocol::Http1).await;
        let mut homes: Vec<Home> = Vec::new();
        eventually("it has sessions", async || {
            let session = format!("{kind}-{}", homes.len());
            let system = prompt(&session, bytes);
            let reply = connection.exchange(chat(Some(&session), &system, "hello")).await.ok();
            homes.push(Home { session, system, engine: reply.served_by().to_owned() });
            (homes.iter().filter(|home| home.engine == NAME).count() >= 2).then_some(())
        })
        .await;
        homes
    }

    /// Ends it, and waits until the gateway has no connection to it left.
    async fn dies(&self) {
        let attached = &self.attached;
        let address: IpAddr = attached.release.cluster.pod(NAME).await.address.into();
        attached.release.cluster.signal(NAME, Signal::USR1);
        eventually("its connections are closed", async || {
            let hosts = attached.gateway.hosts(&attached.release, &attached.engines()).await;
            let host = hosts.iter().find(|host| host.address.ip() == address).expect("the gateway still knows it");
            (host.connections == 0).then_some(())
        })
        .await;
    }

    async fn ask(&self, home: &Home) -> Reply {
        let mut connection = self.attached.connect(Protocol::Http1).await;
        let reply = connection.exchange(chat(Some(&home.session), &home.system, "again")).await;
        assert_eq!(reply.session(), home.session, "the session comes back whoever answers");
        reply
    }

    /// 4 MiB for each connection of a client, and waits until Envoy has heard of it.
    async fn raise_the_buffer(&self) {
        let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY});
        let policy = json!({
            "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "ClientTrafficPolicy", "metadata": {"name": "buffer"},
            "spec": {"targetRefs": [gateway], "connection": {"bufferLimit": "4Mi"}},
        });
        let Attached { release, gateway, .. } = &self.attached;
        release.cluster.apply_object(policy).await;
        let heard = async || {
            let page = gateway.page(release, "/config_dump?resource=dynamic_listeners").await;
            page.contains("\"per_connection_buffer_limit_bytes\": 4194304").then_some(())
        };
        release.cluster.eventually("the listener has the buffer", heard).await;
    }
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
