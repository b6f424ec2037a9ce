//! What Helm prints after an installation, word for word; `HOMING_BLESS=1` writes the files anew.

use std::env;
use std::fs;
use std::path::Path;

use super::helm::{Helm, IMAGE, chart};

/// A file's name, and the values.
const CASES: &[(&str, &[&str])] = &[
    ("none", &["pool.name=llama"]),
    ("one-replica", &["pool.name=llama", "replicas=1"]),
    ("sharing-nothing", &["pool.name=llama", "sharedState.mode=none", "autoscaling.enabled=true"]),
    ("sharing-elsewhere", &["pool.name=llama", "sharedState.mode=external", "sharedState.external.urls={redis://a}"]),
    ("no-pool", &["engines.selector.app=llama", "engines.selector.tier=gold", "test.enabled=false"]),
    ("envoy-gateway", &["gateway=envoyGateway", "engines.selector.app=llama", "httpRoute.enabled=true"]),
    (
        "envoy-gateway-own-route",
        &["gateway=envoyGateway", "engines.selector.app=llama", "gatewaySettings.routes={a,b}"],
    ),
    ("envoy-ai-gateway", &["gateway=envoyAIGateway", "pool.create=true", "engines.selector.app=llama"]),
    ("istio", &["gateway=istio", "pool.create=true", "engines.selector.app=llama", "httpRoute.enabled=true"]),
    ("istio-mesh", &["gateway=istio", "pool.create=true", "engines.selector.app=llama", "tls.enabled=false"]),
    ("kgateway", &["gateway=kgateway", "pool.name=llama", "existingConfigMap.name=mine"]),
    ("agentgateway", &["gateway=agentgateway", "pool.name=llama", "serviceMonitor.enabled=true"]),
];

#[test]
fn the_notes_tell_the_next_step_for_each_gateway() {
    let chart = chart();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/chart/notes");
    for (name, values) in CASES {
        let parent = "httpRoute.parentRefs[0].name=gateway";
        let values: Vec<&str> = values.iter().copied().chain([parent]).flat_map(|value| ["--set", value]).collect();
        let fixed = ["install", "rel", chart.to_str().expect("a plain path"), "--namespace", "llm", "--dry-run=client"];
        let printed = Helm::offline().run(&[&fixed[..], &IMAGE, &values].concat());
        let notes = printed.split_once("\nNOTES:\n").expect("there are notes").1.trim_end().to_owned() + "\n";
        let file = folder.join(format!("{name}.txt"));
        if env::var_os("HOMING_BLESS").is_some() {
            fs::write(&file, &notes).expect("the folder takes files");
        }
        assert_eq!(fs::read_to_string(&file).unwrap_or_default(), notes, "{}", file.display());
    }
}
