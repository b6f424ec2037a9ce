//! Where the replicas of a release share what they know.

use serde_json::{Value, json};

use super::helm::{Helm, chart, is_valkeys, only};
use super::lifecycle::DEPLOYMENT;
use super::network::{admits, selects};
use super::site::Site;
use crate::node::images::Images;

const SECRET: (&str, &str, &str) = ("", "v1", "Secret");
const EXTERNAL: [&str; 3] = [
    r#"sharedState.mode="external""#,
    r#"sharedState.external.urls=["rediss://homing@a:6380/1","rediss://b"]"#,
    "sharedState.external.cluster=true",
];
const EXISTING: &str = r#"sharedState.existingSecret={"name":"mine","key":"word"}"#;

/// A release with a pool, whose values are JSON.
fn rendered(values: &[&str]) -> Vec<Value> {
    let basic = [r#"pool.name="llama""#];
    let values: Vec<&str> = basic.iter().chain(values).flat_map(|value| ["--set-json", value]).collect();
    Helm::offline().template("rel", "llm", &values)
}

/// How `homing serve` shares; the doctor need not know.
const SETTINGS: [&str; 3] = ["--shared-state-interval=50ms", "--shared-state-log=32MiB", "--shared-state-warm-up=3s"];

/// The arguments of `homing serve` that are about sharing: where, which the doctor is told as well, and how.
fn flags(objects: &[Value]) -> [Vec<String>; 2] {
    let flags = |pod: &Value| {
        let all = pod["containers"][0]["args"].as_array().expect("arguments").iter().filter_map(Value::as_str);
        let about = all.filter(|flag| flag.starts_with("--shared-state") || flag.starts_with("--state-group"));
        about.map(str::to_owned).collect::<Vec<_>>()
    };
    let mut serve = flags(&only(objects, "Deployment")["spec"]["template"]["spec"]);
    let doctor = flags(&only(objects, "Pod")["spec"]);
    let how = serve.split_off(doctor.len());
    assert_eq!(serve, doctor);
    [serve, how]
}

/// The pod of the bundled Valkey.
fn valkey(objects: &[Value]) -> Option<&Value> {
    let mut own = objects.iter().filter(|object| is_valkeys(object));
    Some(&own.find(|object| object["kind"] == "Deployment")?["spec"]["template"])
}

fn volume<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
    volumes.iter().find(|volume| volume["name"] == name).unwrap_or(&Value::Null)
}

#[test]
fn there_is_a_valkey_where_more_than_one_replica_may_run_or_it_is_asked_for() {
    let cases: [(&[&str], bool); 9] = [
        (&[], true),
        (&["replicas=1"], false),
        (&["replicas=0"], false),
        (&["replicas=5"], true),
        (&["replicas=1", "autoscaling.enabled=true"], true),
        (&["autoscaling.enabled=true", "autoscaling.minReplicas=1", "autoscaling.maxReplicas=1"], false),
        (&["replicas=1", r#"sharedState.mode="bundled""#], true),
        (&[r#"sharedState.mode="none""#], false),
        // `helm upgrade --reuse-values` from a release that did not know it.
        (&["sharedState=null"], false),
    ];
    for (values, there) in cases {
        let objects = rendered(values);
        assert_eq!(objects.iter().filter(|object| is_valkeys(object)).count(), if there { 4 } else { 0 }, "{values:?}");
        assert_eq!(flags(&objects).iter().all(|flags| !flags.is_empty()), there, "{values:?}");
        assert_eq!(valkey(&objects).is_some(), there, "{values:?}");
    }
    assert!(!rendered(&EXTERNAL.iter().copied().chain([EXISTING]).collect::<Vec<_>>()).iter().any(is_valkeys));
}

#[test]
fn homing_is_told_where_its_valkey_is_and_whose_news_it_takes() {
    let password = "--shared-state-password-file=/etc/homing/shared-state/password";
    let bundled = ["--shared-state=redis://rel-homing-valkey.llm.svc:6379", password];
    assert_eq!(flags(&rendered(&[])), [&bundled[..], &SETTINGS]);
    let nodes = ["--shared-state=rediss://homing@a:6380/1", "--shared-state=rediss://b", "--shared-state-cluster"];
    let values = [&EXTERNAL[..], &[EXISTING]].concat();
    assert_eq!(flags(&rendered(&values)), [&[&nodes[..], &[password]].concat()[..], &SETTINGS]);
    let one = [
        r#"sharedState.mode="external""#,
        r#"sharedState.external.urls=["redis://:own@a:26379"]"#,
        r#"sharedState.external.sentinel="news""#,
    ];
    let sentinel = ["--shared-state=redis://:own@a:26379", "--shared-state-sentinel=news"];
    assert_eq!(flags(&rendered(&one)), [&sentinel[..], &SETTINGS]);
    let own = [
        r#"sharedState.external.ca={"secret":"ca"}"#,
        r#"sharedState.group="eu""#,
        r#"sharedState.interval="100ms""#,
        "sharedState.logSize=1048576",
        "sharedState.warmUpSeconds=0",
    ];
    let files = ["--shared-state-ca-file=/etc/homing/shared-state-ca/ca.crt", password, "--state-group=eu"];
    let settings = ["--shared-state-interval=100ms", "--shared-state-log=1048576", "--shared-state-warm-up=0s"];
    assert_eq!(flags(&rendered(&[&values[..], &own].concat())), [&[&nodes[..], &files].concat()[..], &settings]);
}

#[test]
fn without_a_pool_the_group_is_the_release() {
    let objects = Helm::offline().template("rel", "llm", &["--set", "engines.selector.app=llama"]);
    assert_eq!(flags(&objects)[0].last().map(String::as_str), Some("--state-group=llm.rel-homing"));
}

#[test]
fn the_password_is_in_one_secret_and_in_no_argument_or_variable() {
    let objects = rendered(&[]);
    let mut secrets = objects.iter().filter(|object| object["kind"] == "Secret");
    let secret = secrets.next().expect("a Secret");
    assert!(secrets.next().is_none());
    let encoded = secret["data"]["password"].as_str().expect("a password");
    assert_eq!(encoded.len(), 44, "32 letters: {encoded}");
    let rest: Vec<_> = objects.iter().filter(|object| object["kind"] != "Secret").collect();
    assert!(!json!(rest).to_string().contains(encoded));
    let named = json!({
        "secretName": "rel-homing-valkey", "items": [{"key": "password", "path": "password"}],
    });
    assert_eq!(volume(valkey(&objects).expect("a Valkey"), "password")["secret"], named);
    // Without its Secret Homing picks alone, and starts.
    let mut optional = named;
    optional["optional"] = json!(true);
    let homing = &only(&objects, "Deployment")["spec"]["template"];
    assert_eq!(volume(homing, "shared-state")["secret"], optional);
    assert_ne!(rendered(&[]), objects, "each rendering without a cluster makes another");
}

#[test]
fn a_secret_that_is_there_is_taken_and_none_is_made() {
    let objects = rendered(&[EXISTING]);
    assert!(!objects.iter().any(|object| object["kind"] == "Secret"));
    for (pod, name) in [
        (valkey(&objects).expect("a Valkey"), "password"),
        (&only(&objects, "Deployment")["spec"]["template"], "shared-state"),
    ] {
        let secret = &volume(pod, name)["secret"];
        assert_eq!((&secret["secretName"], &secret["items"][0]["key"]), (&json!("mine"), &json!("word")), "{name}");
    }
    assert_eq!(rendered(&[EXISTING]), objects, "each rendering is the same");
}

#[test]
fn valkey_is_bounded_keeps_nothing_and_may_only_do_what_homing_does() {
    let objects = rendered(&[]);
    let container = &valkey(&objects).expect("a Valkey")["spec"]["containers"][0];
    assert_eq!(container["image"], Images::VALKEY, "what the tests of installed charts run");
    let script = container["args"][0].as_str().expect("a script");
    for line in ["save \"\"", "appendonly no", "maxmemory 100663296", "maxmemory-policy noeviction"] {
        assert!(script.lines().any(|found| found == line), "{line} in {script}");
    }
    assert!(script.contains(" ~homing:* resetchannels -@all +@stream +@connection -@dangerous +expire\n"), "{script}");
    let pod = &valkey(&objects).expect("a Valkey")["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    let deployment = objects.iter().find(|object| is_valkeys(object) && object["kind"] == "Deployment");
    assert_eq!(deployment.expect("a Deployment")["spec"]["strategy"]["type"], "Recreate", "never two at once");
}

#[test]
fn nothing_that_selects_homing_selects_its_valkey_and_only_homing_and_its_test_reach_it() {
    let objects = rendered(&["networkPolicy.enabled=true"]);
    let labels = &valkey(&objects).expect("a Valkey")["metadata"]["labels"];
    for object in objects.iter().filter(|object| !is_valkeys(object)) {
        let selectors = [&object["spec"]["selector"], &object["spec"]["podSelector"]];
        for selector in selectors.into_iter().filter(|selector| selector.is_object()) {
            let plain = json!({"matchLabels": selector});
            let selector = if object["kind"] == "Service" { &plain } else { selector };
            assert!(!selects(selector, labels), "{object}");
        }
    }
    let mut own = objects.iter().filter(|object| is_valkeys(object) && object["kind"] == "NetworkPolicy");
    let policy = &own.next().expect("a policy")["spec"];
    assert!(selects(&policy["podSelector"], labels));
    assert_eq!((&policy["policyTypes"], &policy["egress"]), (&json!(["Ingress", "Egress"]), &Value::Null));
    let homing = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    let doctor = &only(&objects, "Pod")["metadata"]["labels"];
    let [asks] = policy["ingress"].as_array().expect("rules").as_slice() else { panic!("one rule: {policy}") };
    assert!(admits(asks, "from", homing) && admits(asks, "from", doctor) && !admits(asks, "from", labels), "{asks}");
    assert_eq!(asks["ports"], json!([{"port": 6379, "protocol": "TCP"}]));
    let egress = only(&objects, "NetworkPolicy")["spec"]["egress"].as_array().expect("rules").clone();
    let reaches = |rule: &&Value| rule["ports"] == asks["ports"] && admits(rule, "to", labels);
    assert_eq!(egress.iter().filter(reaches).count(), 1, "{egress:?}");
}

#[test]
fn homing_may_reach_a_valkey_that_is_there_at_the_ports_of_its_addresses_or_those_that_are_named() {
    let egress = |more: &[&str]| {
        let objects = rendered(&[&EXTERNAL[..], &[EXISTING, "networkPolicy.enabled=true"], more].concat());
        only(&objects, "NetworkPolicy")["spec"]["egress"].as_array().expect("rules").clone()
    };
    let port = |port: u16| json!({"port": port, "protocol": "TCP"});
    assert!(egress(&[]).contains(&json!({"ports": [port(6380), port(6379)]})), "{:?}", egress(&[]));
    let peers = json!([{"ipBlock": {"cidr": "10.0.0.1/32"}}]);
    let named = egress(&["sharedState.external.ports=[7000]", &format!("sharedState.external.to={peers}")]);
    assert!(named.contains(&json!({"ports": [port(7000)], "to": peers})), "{named:?}");
}

#[tokio::test]
async fn the_password_is_made_once_and_outlives_upgrades_and_rollbacks() {
    let site = Site::new().await;
    site.install("rel", &["pool.name=llama"]);
    let facts = async || {
        let secret = site.get(SECRET, "rel-homing-valkey").await.expect("the Secret")["data"].clone();
        (secret, site.get(DEPLOYMENT, "rel-homing-valkey").await.expect("the Deployment")["spec"]["template"].clone())
    };
    let first = facts().await;
    let chart = chart();
    let upgrade = ["upgrade", "rel", chart.to_str().expect("a plain path"), "--reset-then-reuse-values"];
    site.release(&upgrade, &["image.tag=next", "replicas=3"]);
    assert_eq!(facts().await, first, "Valkey is not started anew either");
    site.release(&["rollback", "rel", "1"], &[]);
    assert_eq!(facts().await, first);
    // Somebody takes it away: there is another, and Valkey is started anew to know it.
    site.release(&upgrade, &["sharedState.mode=none"]);
    assert!(site.get(SECRET, "rel-homing-valkey").await.is_none());
    site.release(&upgrade, &["sharedState.mode=auto"]);
    let second = facts().await;
    assert!(second.0 != first.0 && second.1 != first.1);
}
