//! Passwords, users, TLS, sentinels and clusters.

use crate::support::files::replace;
use crate::support::{Valkey, eventually};

use super::site::Site;

#[tokio::test]
async fn a_wrong_password_is_named_and_the_right_one_taken_as_soon_as_the_file_has_it() {
    let valkey = Valkey::start(&["--requirepass", "secret"]).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("password");
    replace(&file, "wrong\n");
    let (url, path) = (valkey.url(), file.to_str().expect("a path"));
    let flags = vec!["--shared-state", &url, "--shared-state-password-file", path, "--shared-state-warm-up", "200ms"];
    let mut site = Site::with(2, &[flags.clone(), flags]).await;
    let login = "homing_shared_state_failures_total{reason=\"login\"}";
    eventually("it is counted", async || (site.homings[0].count(login).await > 0).then_some(())).await;
    let said = site.homings[0].complains(0).await.to_string();
    assert!(site.homings[0].log().contains("see --shared-state-password-file"), "{said}");
    assert!(!site.homings[0].log().contains("wrong\\n") && !said.contains("secret"));
    site.chat(0, None, "Hello").await;
    replace(&file, "secret\n");
    site.hear_each_other().await;
}

#[tokio::test]
async fn a_user_who_may_do_only_this_is_enough() {
    let may = "~homing:* +xadd +xread +xrevrange +xlen +xtrim +client|setinfo +hello +ping";
    let valkey = Valkey::start(&[]).await;
    valkey.ask::<()>(&format!("ACL SETUSER homing on >word resetkeys resetchannels -@all {may}")).await;
    let url = valkey.url().replace("redis://", "redis://homing:word@");
    Site::of(2, 2, &url).await;
}

#[tokio::test]
async fn a_cluster_keeps_a_pool_together_whichever_node_is_named() {
    let valkey = Valkey::start(&["--cluster-enabled", "yes"]).await;
    valkey.ask::<()>("CLUSTER ADDSLOTSRANGE 0 16383").await;
    eventually("the cluster is up", async || {
        valkey.ask::<String>("CLUSTER INFO").await.contains("cluster_state:ok").then_some(())
    })
    .await;
    let url = valkey.url();
    let flags = vec!["--shared-state", url.as_str(), "--shared-state-cluster"];
    Site::with(2, &[flags.clone(), flags]).await.hear_each_other().await;
}

#[tokio::test]
async fn sentinels_name_the_primary_and_after_a_failover_the_new_one() {
    let (mut first, second) = (Valkey::start(&[]).await, Valkey::start(&[]).await);
    let [one, two] = [&first, &second].map(|it| (it.address().ip().to_string(), it.address().port()));
    second.ask::<()>(&format!("REPLICAOF {} {}", one.0, one.1)).await;
    eventually("the replica follows", async || {
        second.ask::<String>("INFO replication").await.contains("master_link_status:up").then_some(())
    })
    .await;
    let sentinel = Valkey::sentinel(first.address(), "main").await;
    eventually("the sentinel knows the replica", async || {
        sentinel.ask::<String>("INFO sentinel").await.contains("slaves=1").then_some(())
    })
    .await;
    let url = sentinel.url();
    let flags = vec!["--shared-state", url.as_str(), "--shared-state-sentinel", "main"];
    let site = Site::with(2, &[flags.clone(), flags]).await;
    site.hear_each_other().await;
    first.kill();
    eventually("the sentinel names another", async || {
        let named: (String, u16) = sentinel.ask("SENTINEL GET-MASTER-ADDR-BY-NAME main").await;
        (named == two).then_some(())
    })
    .await;
    site.hear_each_other().await;
    let key = "XLEN homing:{site}:news";
    let written = second.ask::<u64>(key).await;
    eventually("the new primary is written", async || (second.ask::<u64>(key).await > written).then_some(())).await;
}
