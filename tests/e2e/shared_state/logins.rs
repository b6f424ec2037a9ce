//! Passwords, users, TLS, sentinels and clusters.

use crate::support::certificates::{Pair, Secret};
use crate::support::doctor::told;
use crate::support::files::replace;
use crate::support::{Valkey, eventually};

use super::site::{Site, behind_tls};

/// All that Homing asks of a server.
const MAY: &str = "resetkeys ~homing:* resetchannels -@all +xadd +xread +xrevrange +xlen +xtrim +expire \
                   +client|setinfo +hello +ping";

#[tokio::test]
async fn a_wrong_password_is_named_and_the_right_one_taken_as_soon_as_the_file_has_it() {
    let valkey = Valkey::start(&["--requirepass", "secret"]).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("password");
    replace(&file, "mistaken\n");
    let (url, path) = (valkey.url(), file.to_str().expect("a path"));
    let flags = vec!["--shared-state", &url, "--shared-state-password-file", path, "--shared-state-warm-up", "200ms"];
    let mut site = Site::with(2, &[flags.clone(), flags]).await;
    let login = "homing_shared_state_failures_total{reason=\"login\"}";
    eventually("it is counted", async || (site.homings[0].count(login).await > 0).then_some(())).await;
    let said = site.homings[0].complains(0).await.to_string();
    assert!(site.homings[0].log().contains("see --shared-state-password-file"), "{said}");
    site.chat(0, None, "Hello").await;
    replace(&file, "secret\n");
    site.hear_each_other().await;
    for homing in &site.homings {
        let log = homing.log();
        assert!(!log.contains("mistaken") && !log.contains("secret"), "{log}");
    }
}

#[tokio::test]
async fn a_user_who_may_do_only_this_is_enough() {
    let valkey = Valkey::start(&[]).await;
    valkey.ask::<()>(&format!("ACL SETUSER homing on >word {MAY}")).await;
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
    for server in [&first, &second] {
        server.ask::<()>(&format!("ACL SETUSER homing on nopass {MAY} +role")).await;
    }
    let folder = tempfile::TempDir::new().expect("a folder");
    let file = folder.path().join("password");
    replace(&file, "any");
    let (url, path) = (sentinel.url().replace("redis://", "redis://homing@"), file.to_str().expect("a path"));
    let flags =
        vec!["--shared-state", url.as_str(), "--shared-state-sentinel", "main", "--shared-state-password-file", path];
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

#[tokio::test]
async fn over_tls_it_is_trusted_only_with_who_signed_its_certificate() {
    let valkey = Valkey::start(&[]).await;
    let (pair, other) = (Pair::until(2090), Pair::until(2090));
    let port = behind_tls(valkey.address(), &pair).await;
    let url = format!("rediss://localhost:{port}");
    let [signed, wrong] = [&pair, &other].map(Secret::mount);
    let [signed, wrong] = [&signed, &wrong].map(|it| it.path().join("tls.crt").to_str().expect("a path").to_owned());
    let flags = |ca| vec!["--shared-state", url.as_str(), "--shared-state-ca-file", ca, "--shared-state-warm-up", "1s"];
    Site::with(2, &[flags(&signed), flags(&signed)]).await.hear_each_other().await;
    let site = Site::with(2, &[flags(&wrong)]).await;
    let unreachable = "homing_shared_state_failures_total{reason=\"unreachable\"}";
    eventually("it is counted", async || (site.homings[0].count(unreachable).await > 0).then_some(())).await;
    assert_eq!(site.homings[0].metric("homing_shared_state_connected{}").await, Some(0.0));
}

#[tokio::test]
async fn the_doctor_says_whether_it_can_be_shared_through_and_what_to_do() {
    let valkey = Valkey::start(&["--requirepass", "secret"]).await;
    let folder = tempfile::TempDir::new().expect("a folder");
    let [file, endpoints] = ["password", "endpoints.yaml"].map(|name| folder.path().join(name));
    std::fs::write(&endpoints, "endpoints: []\n").expect("the folder takes files");
    let [path, endpoints] = [&file, &endpoints].map(|path| path.to_str().expect("a path"));
    let url = valkey.url();
    let flags = ["--endpoints-file", endpoints, "--state-group", "site", "--shared-state", &url];
    let flags = [&flags[..], &["--shared-state-password-file", path]].concat();
    replace(&file, "wrong");
    let (_, text) = told(&flags, &[]).await;
    assert!(
        text.contains("failure  shared-state") && text.contains("fix: correct the user in --shared-state"),
        "{text}"
    );
    replace(&file, "secret");
    let (_, text) = told(&flags, &[]).await;
    assert!(text.contains("ok       shared-state") && text.contains("may be read and written, 0 entries"), "{text}");
}
