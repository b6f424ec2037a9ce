//! The examples in `deploy/gateways/`, and what the pages of those gateways have people install: accepted by an API
//! server that knows the published definitions, unknown fields included.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::helm::{Helm, objects};
use super::site::{Site, define};
use crate::kubernetes::ControlPlane;

/// What the examples use beyond what the chart renders.
const DEFINITIONS: [&str; 8] = [
    "gateway-api/gatewayclasses.gateway.networking.k8s.io",
    "gateway-api/gateways.gateway.networking.k8s.io",
    "istio/envoyfilters.networking.istio.io",
    "envoy-gateway/clienttrafficpolicies.gateway.envoyproxy.io",
    "ai-gateway/aigatewayroutes.aigateway.envoyproxy.io",
    "kgateway/trafficpolicies.gateway.kgateway.dev",
    "agentgateway/agentgatewaypolicies.agentgateway.dev",
    "gke/gcpbackendpolicies.networking.gke.io",
];

/// Those whose definitions are in no registry that the tests may use: nothing checks them.
const UNCHECKED: [&str; 2] = ["ClientSettingsPolicy", "ProxySettingsPolicy"];

/// The pages, each with the chart's value, its examples, and how many objects it has people paste beside.
const PAGES: [(&str, &str, &[&str], usize); 6] = [
    ("istio", "istio", &["istio"], 0),
    ("envoy-ai-gateway", "envoyAIGateway", &["envoy-ai-gateway", "envoy-ai-gateway-by-model"], 1),
    ("kgateway", "kgateway", &["kgateway"], 0),
    ("agentgateway", "agentgateway", &["agentgateway"], 0),
    ("gke", "gke", &["gke"], 2),
    ("nginx-gateway-fabric", "nginxGatewayFabric", &["nginx-gateway-fabric"], 0),
];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn example(name: &str) -> Vec<Value> {
    objects(&text(&format!("deploy/gateways/{name}.yaml")))
}

/// What stands between `<<'WORD'` and that word, of each command of a page that begins with this.
fn handed_over(page: &str, command: &str) -> Vec<String> {
    let text = text(&format!("docs/install-{page}.md"));
    let (mut found, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some((before, word)) = line.split_once("<<'") else { continue };
        let word = word.split('\'').next().expect("a word");
        let indent = line.len() - line.trim_start().len();
        let body = lines.by_ref().take_while(|line| line.trim() != word);
        let body: String = body.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
        if before.trim_start().starts_with(command) {
            found.push(body);
        }
    }
    found
}

/// What the chart renders with the values that a page has people write, to install and to tune.
fn rendered(page: &str) -> Vec<Value> {
    let (written, added) = (handed_over(page, "cat >values.yaml "), handed_over(page, "cat >>values.yaml "));
    assert_eq!((written.len(), added.len()), (1, 1), "{page}");
    let folder = TempDir::new().expect("a folder for temporary files");
    let file = folder.path().join("values.yaml");
    fs::write(&file, [written, added].concat().concat()).expect("the folder takes files");
    Helm::offline().template("homing", "llm", &["-f", file.to_str().expect("a plain path")])
}

/// The objects that a page has people paste.
fn pasted(page: &str) -> Vec<Value> {
    handed_over(page, "kubectl ").iter().flat_map(|block| objects(block)).collect()
}

async fn site() -> Site {
    let site = Site::new().await;
    define(&ControlPlane::shared().await.client(), &DEFINITIONS).await;
    site
}

fn checked(object: &&Value) -> bool {
    !UNCHECKED.contains(&object["kind"].as_str().expect("a kind"))
}

#[tokio::test]
async fn every_example_is_accepted_with_the_published_definitions() {
    let site = site().await;
    let mut unchecked = BTreeSet::new();
    for object in PAGES.iter().flat_map(|(_, _, names, _)| names.iter().flat_map(|name| example(name))) {
        if checked(&&object) {
            site.apply(&object, true).await;
        } else {
            unchecked.insert(object["kind"].as_str().expect("a kind").to_owned());
        }
    }
    assert_eq!(unchecked.iter().map(String::as_str).collect::<Vec<_>>(), UNCHECKED);
}

#[tokio::test]
async fn an_example_with_a_field_that_is_not_there_is_refused_whichever_it_is() {
    let site = site().await;
    for object in PAGES.iter().flat_map(|(_, _, names, _)| names.iter().flat_map(|name| example(name))) {
        let mut wrong = object.clone();
        wrong["spec"]["maxRequestz"] = json!(65536);
        if checked(&&wrong) {
            let refused = site.try_apply(&wrong, true).await.expect_err("a field that is not there is refused");
            assert!(refused.to_string().contains("maxRequestz"), "{}: {refused}", object["kind"]);
        }
    }
}

#[tokio::test]
async fn an_example_with_a_value_that_cannot_be_is_refused() {
    let site = site().await;
    let wrong = [
        ("istio", "DestinationRule", "/spec/trafficPolicy/connectionPool/tcp/connectTimeout", json!("soon")),
        ("envoy-ai-gateway", "BackendTrafficPolicy", "/spec/circuitBreaker/maxConnections", json!(-1)),
        ("envoy-ai-gateway-by-model", "AIGatewayRoute", "/spec/rules/0/backendRefs/0/kind", json!("Service")),
        ("kgateway", "TrafficPolicy", "/spec/timeouts/streamIdle", json!("10 minutes")),
        ("agentgateway", "AgentgatewayPolicy", "/spec/targetRefs/0/kind", json!("Pod")),
        ("gke", "HTTPRoute", "/spec/rules/0/matches/0/path/value", json!("v1")),
    ];
    for (name, kind, place, value) in wrong {
        let mut object = example(name).into_iter().find(|object| object["kind"] == kind).expect("it is there");
        *object.pointer_mut(place).unwrap_or_else(|| panic!("{name}: no {place}")) = value;
        site.try_apply(&object, true).await.expect_err(place);
    }
}

#[tokio::test]
async fn what_each_page_has_people_install_is_accepted() {
    let site = site().await;
    for (page, gateway, _, beside) in PAGES {
        let objects = rendered(page);
        assert!(objects.iter().any(|object| object["kind"] == "InferencePool"), "{page}");
        for object in &objects {
            let dry_run = object["kind"] != "ServiceAccount";
            let mut object = object.clone();
            object["metadata"]["namespace"] = json!(site.namespace);
            site.apply(&object, dry_run).await;
        }
        let pasted = pasted(page);
        assert_eq!(pasted.len(), beside, "{page}");
        for object in pasted {
            site.apply(&object, true).await;
        }
        assert!(text(&format!("docs/install-{page}.md")).contains(&format!("gateway: {gateway}\n")), "{page}");
    }
}

/// The names that an object refers to, with their kinds.
fn references(object: &Value) -> BTreeSet<(String, String)> {
    let spec = &object["spec"];
    let rules = spec["rules"].as_array().into_iter().flatten();
    let backends = rules.filter_map(|rule| rule["backendRefs"].as_array()).flatten();
    let lists = [&spec["parentRefs"], &spec["targetRefs"]].into_iter().filter_map(Value::as_array).flatten();
    let all = lists.chain(backends).chain([&spec["targetRef"]].into_iter().filter(|one| one.is_object()));
    let kind = |reference: &Value| reference["kind"].as_str().unwrap_or("Gateway").to_owned();
    all.map(|one| (kind(one), one["name"].as_str().expect("a reference has a name").to_owned())).collect()
}

#[test]
fn what_an_example_refers_to_is_there_or_made_by_the_chart() {
    let named = |object: &Value| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (text(&object["kind"]), text(&object["metadata"]["name"]))
    };
    for (page, _, names, _) in PAGES {
        let examples: Vec<Value> = names.iter().flat_map(|name| example(name)).collect();
        let rendered = rendered(page);
        let there: BTreeSet<_> = examples.iter().chain(&rendered).map(named).collect();
        let wanted: BTreeSet<_> = examples.iter().chain(&rendered).flat_map(references).collect();
        assert!(wanted.is_subset(&there), "{page}: {:?}", wanted.difference(&there));
        assert!(wanted.contains(&("InferencePool".to_owned(), "llama".to_owned())), "{page}");
        // Helm would refuse to take over what kubectl made.
        let made: BTreeSet<_> = rendered.iter().map(named).collect();
        assert!(examples.iter().map(named).all(|name| !made.contains(&name)), "{page}: made twice");
    }
}

#[test]
fn the_host_of_istios_own_service_is_that_of_the_pool() {
    let hash = Command::new("sh").args(["-c", "printf %s llama | sha256sum"]).output().expect("a hash").stdout;
    let hash = String::from_utf8(hash).expect("a hash is text");
    let rule = example("istio").into_iter().find(|object| object["kind"] == "DestinationRule").expect("a rule");
    assert_eq!(rule["spec"]["host"], format!("llama-ip-{}.llm.svc.cluster.local", &hash[..8]));
}
