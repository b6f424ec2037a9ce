//! The bundled Valkey, as the chart has it run: the real server, under the restricted profile.

use std::collections::BTreeMap;
use std::str;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::release::Release;
use crate::node::{Load, Placed};
use crate::support::within;

const VALKEY: &str = "rel-homing-valkey";
/// The labels of its pod.
const VALKEYS: &str = "app.kubernetes.io/name=homing-valkey,app.kubernetes.io/instance=rel";
/// A stream of some pool's.
const NEWS: &str = "homing:{pool}:news";

/// The pod of the bundled Valkey, once it is ready.
async fn valkey(release: &Release) -> Placed {
    release.cluster.available(VALKEY).await;
    release.cluster.ready(VALKEYS, 1).await.remove(0)
}

/// What it answers to some commands, one after another over one connection; each answer up to its first line's end.
async fn answers(release: &Release, commands: &[&[&str]]) -> Vec<String> {
    let pod = valkey(release).await;
    let mut stream = release.cluster.dial(&release.cluster.namespace, &pod.name, 6379);
    let mut answers = Vec::new();
    for command in commands {
        let words: String = command.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        let sent = format!("*{}\r\n{words}", command.len());
        within("a command is sent", stream.write_all(sent.as_bytes())).await.expect("it listens");
        let mut answer = vec![0; 4096];
        let length = within("an answer comes", stream.read(&mut answer)).await.expect("it answers");
        let text = str::from_utf8(&answer[..length]).expect("a short answer is text");
        answers.push(text.lines().next().unwrap_or_default().to_owned());
    }
    answers
}

#[tokio::test]
async fn the_bundled_valkey_runs_restricted_and_does_for_the_password_what_homing_needs_and_nothing_else() {
    let release = Release::of(1).await;
    let password = r#"it's a "word" $(with) `all` \ # that shells know"#;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": {"word": format!("{password}\n")},
    });
    release.cluster.apply_object(secret).await;
    let values = ["replicas=0", "sharedState.mode=bundled", "sharedState.existingSecret.name=mine"];
    release.install(&[&values[..], &["sharedState.existingSecret.key=word"]].concat()).await;
    let (well, unknown) = ("+OK", "-NOPERM");
    let cases: [(&[&str], &str); 17] = [
        (&["PING"], "-NOAUTH"),
        (&["AUTH", "guessed"], "-WRONGPASS"),
        (&["AUTH", password], well),
        (&["PING"], "+PONG"),
        (&["SELECT", "0"], well),
        (&["CLIENT", "SETINFO", "LIB-NAME", "test"], well),
        (&["HELLO", "3"], "%"),
        (&["XADD", NEWS, "MINID", "~", "0", "*", "u", "update"], "$"),
        (&["XREAD", "COUNT", "1", "STREAMS", NEWS, "0"], "%1"),
        (&["XREVRANGE", NEWS, "+", "-", "COUNT", "1"], "*1"),
        (&["XLEN", NEWS], ":1"),
        (&["XTRIM", NEWS, "MINID", "~", "0"], ":0"),
        (&["XADD", "other", "*", "u", "update"], unknown),
        (&["SET", NEWS, "text"], unknown),
        (&["CONFIG", "SET", "maxmemory", "0"], unknown),
        (&["CLIENT", "KILL", "ID", "1"], unknown),
        (&["FLUSHALL"], unknown),
    ];
    let commands: Vec<&[&str]> = cases.iter().map(|(command, _)| *command).collect();
    for ((command, wanted), answer) in cases.iter().zip(answers(&release, &commands).await) {
        assert!(answer.starts_with(wanted), "{command:?}: {answer}");
    }
    let said = release.cluster.log(&valkey(&release).await.name);
    assert!(!said.contains("word"), "{said}");
}

/// Waits until each replica reaches Valkey, or does not, and hears so many others.
async fn each(release: &Release, replicas: &[Placed], connected: bool, heard: usize) {
    for replica in replicas {
        let what = format!("{}: connected is {connected}, {heard} are heard", replica.name);
        let told = async || {
            let is = release.cluster.metric(replica, "homing_shared_state_connected{}").await;
            let hears = release.cluster.metric(replica, "homing_shared_state_replicas").await;
            (is == f64::from(u8::from(connected)) && hears == heard as f64).then_some(())
        };
        release.cluster.eventually(&what, told).await;
    }
}

#[tokio::test]
async fn two_replicas_share_through_the_bundled_valkey_and_its_death_fails_no_request() {
    let release = Release::of(3).await;
    release.install(&[]).await;
    let replicas = release.replicas(2).await;
    each(&release, &replicas, true, 1).await;

    let gateway = release.gateway(&replicas).await;
    let load = Load::start(gateway.envoy.address(), 100).await;
    let before = valkey(&release).await;
    release.cluster.kill(&before.name);
    load.flows(200).await;
    // It is started anew, and empty.
    let again = async || release.cluster.pods(VALKEYS).await.pop().filter(|pod| pod.ready && pod.restarts == 1);
    let after = release.cluster.eventually("Valkey is started anew", again).await;
    assert_eq!(after.uid, before.uid, "the same pod");
    each(&release, &replicas, true, 1).await;
    for replica in &replicas {
        let received = "homing_shared_state_messages_total{direction=\"received\"}";
        let heard = release.cluster.metric(replica, received).await;
        let more = async || (release.cluster.metric(replica, received).await > heard).then_some(());
        release.cluster.eventually("news come again", more).await;
    }
    load.flows(100).await;
    assert_eq!(load.failures(), BTreeMap::new());

    release.upgrade(&["sharedState.mode=none"]).await;
    let alone = release.replicas(2).await;
    for replica in &alone {
        let page = release.cluster.page(&replica.name, 9090, "/metrics").await.ok();
        assert!(!String::from_utf8_lossy(&page.body).contains("\nhoming_shared_state_connected"), "{}", replica.name);
    }
    assert_eq!(release.cluster.pods(VALKEYS).await, [], "no Valkey is left");
    assert_eq!(load.failures(), BTreeMap::new());
}
