//! The configuration is live: a good edit changes the next picks, a bad one changes nothing.

use std::sync::Arc;

use http::StatusCode;
use parking_lot::Mutex;

use crate::support::prompts::chat_of_size;
use crate::support::{Protocol, World, body, chat, eventually, post, prompt};

const BY_PREFIX: &str = "scorers: {prefixLocality: {weight: 2}}";
const BY_LOAD_ALONE: &str = "scorers: {prefixLocality: {weight: 0}, sessionAffinity: {weight: 0}}";

#[tokio::test]
async fn weights_changed_in_the_file_change_picks_while_traffic_flows_and_fail_no_request() {
    let world = World::builder(3).config(BY_PREFIX).start().await;
    let system = prompt("popular", 16_000);
    let holder = world.chat(None, &system, "a first question").await.ok().served_by().to_owned();

    let replies = Arc::new(Mutex::new(Vec::<(StatusCode, String)>::new()));
    let mut traffic = tokio::task::JoinSet::new();
    let mut connection = world.connect(Protocol::Http1).await;
    let seen = Arc::clone(&replies);
    traffic.spawn(async move {
        for n in 0.. {
            let reply = connection.exchange(chat(Some(&format!("newcomer-{n}")), &system, "hello")).await;
            seen.lock().push((reply.status, reply.served_by().to_owned()));
        }
    });
    let count = || replies.lock().len();
    eventually("traffic flows", async || (count() >= 30).then_some(())).await;
    let before = count();
    assert!(replies.lock().iter().all(|(_, engine)| *engine == holder), "the prefix decides");

    world.homing.set_config(BY_LOAD_ALONE);
    eventually("picks change", async || {
        let replies = replies.lock();
        replies.iter().skip(before).any(|(_, engine)| *engine != holder).then_some(())
    })
    .await;
    let after = count();
    eventually("traffic flows on", async || (count() >= after + 30).then_some(())).await;
    assert!(!traffic.is_empty() && traffic.try_join_next().is_none(), "the traffic never stopped");
    assert!(replies.lock().iter().all(|(status, _)| *status == StatusCode::OK), "no request failed");
}

#[tokio::test]
async fn a_bad_edit_of_the_configuration_keeps_the_last_good_one() {
    let bad_documents = [
        "apiVersion: homing.dev/v1alpha1\nkind: PickerConfig\nlimits: {requestBdy: 1MiB}\n",
        "apiVersion: homing.dev/v1alpha1\nkind: PickerConfig\nlimits: {requestBody: much}\n",
        "limits: [unclosed\n",
    ];
    let mut world = World::builder(1).config("limits: {requestBody: 64KiB}").start().await;
    for bad in bad_documents {
        let mark = world.homing.log_mark();
        world.homing.write_config(bad);
        world.homing.complains(mark).await;
        assert_eq!(send(&world, 100_000).await, StatusCode::PAYLOAD_TOO_LARGE, "after {bad:?}");
        assert_eq!(send(&world, 10_000).await, StatusCode::OK, "after {bad:?}");
    }
    world.homing.set_config("limits: {requestBody: 1MiB}");
    eventually("the good edit counts", async || (send(&world, 100_000).await == StatusCode::OK).then_some(())).await;
}

async fn send(world: &World, size: usize) -> StatusCode {
    world.exchange(post("/v1/chat/completions", body::full(chat_of_size(size)))).await.status
}
