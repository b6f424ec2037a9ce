//! Values that make no sense are refused before anything is installed, with words that help.

use super::helm::{Helm, IMAGE, chart};

/// What is set, and what the refusal must say.
const REFUSED: &[(&[&str], &str)] = &[
    (&[], "Homing does not know its engines. Set pool.name"),
    (&["pool.name=p", "image.repository="], "image.repository is empty: there is no published image yet. Build one"),
    (&["pool.create=true"], "pool.create needs engines.selector"),
    (&["pool.name=p", "gateway=isto"], "at '/gateway': value must be one of 'none', 'envoyGateway'"),
    (&["pool.name=p", "replica=2"], "additional properties 'replica' not allowed"),
    (&["pool.name=p", "replicas=two"], "at '/replicas': got string, want integer"),
    (&["pool.name=p", "image.tag=1"], "at '/image/tag': got number, want string"),
    (
        &["pool.name=p", "config.scorers.prefixLocality.wieght=3"],
        "at '/config/scorers/prefixLocality': additional properties 'wieght' not allowed",
    ),
    (
        &["pool.name=p", "config.sessions.idleTimeout=60"],
        "config.sessions.idleTimeout: 60 is no duration: write a number",
    ),
    (
        &["pool.name=p", "config.limits.requestBody=32M"],
        "config.limits.requestBody: 32M is no size: write a whole number",
    ),
    (&["pool.name=p", "picker.maxEndpoints=9"], "at '/picker/maxEndpoints': maximum: got 9, want 8"),
    (&["pool.name=p", "engines.targetPorts={8000,8000}"], "at '/engines/targetPorts'"),
    (&["pool.name=p", "fullnameOverride=Homing"], "fullnameOverride: \"Homing\" is no name: it may hold"),
    (
        &["pool.name=p", r"podLabels.app\.kubernetes\.io/name=mine"],
        "podLabels: app.kubernetes.io/name is the chart's own",
    ),
    (
        &["pool.name=p", r"labels.app\.kubernetes\.io/instance=i"],
        "labels: app.kubernetes.io/instance is the chart's own",
    ),
    (&["pool.name=p", "gateway=envoyGateway"], "gateway envoyGateway needs engines.selector"),
    (
        &["engines.selector.app=a", "gateway=envoyGateway", "engines.targetPorts={8000,8001}"],
        "gateway envoyGateway takes one port in engines.targetPorts",
    ),
    (&["engines.selector.app=a", "gateway=envoyGateway"], "gateway envoyGateway needs a route"),
    (
        &["engines.selector.app=a", "gateway=istio"],
        "gateway istio finds Homing through an InferencePool: set pool.name",
    ),
    (&["engines.selector.app=a", "gateway=agentgateway"], "gateway agentgateway finds Homing through an InferencePool"),
    (&["pool.name=p", "extraArgs={--drain-window=9s}"], "extraArgs: --drain-window is given by the chart already"),
    (&["pool.name=p", "extraArgs={--pool-name,q}"], "extraArgs: --pool-name is given by the chart already"),
    (&["pool.name=p", "extraEnv[0].name=HOMING_LOG"], "extraEnv: HOMING_LOG is given by the chart already"),
    (&["pool.name=p", "picker.logLevel=verbose"], "picker.logLevel: verbose is no level: write error"),
    (&["pool.name=p", "picker.logLevel=info\\,loud"], "picker.logLevel: loud is no level"),
    (&["pool.name=p", "gatewaySettings.routes[0]="], "at '/gatewaySettings/routes/0'"),
    (&["engines.selector.app=a", "gateway=envoyGateway", "tls.enabled=true"], "speaks plain HTTP/2 to the picker"),
    (&["pool.name=p", "gateway=envoyGateway", "tls.existingSecret=s"], "there is a certificate, but TLS is off"),
    (&["pool.name=p", "gateway=agentgateway", "tls.enabled=false"], "gateway agentgateway always speaks TLS"),
    (&["pool.name=p", "gateway=kgateway", "tls.enabled=false"], "gateway kgateway always speaks TLS"),
    (
        &["pool.name=p", "gateway=envoyAIGateway", "picker.maxEndpoints=2"],
        "gateway envoyAIGateway takes one destination and fails or ignores a list",
    ),
    (&["engines.selector.app=a", "gateway=gke"], "gateway gke finds Homing through an InferencePool"),
    (&["pool.name=p", "httpRoute.enabled=true"], "httpRoute.enabled needs httpRoute.parentRefs"),
    (
        &["engines.selector.app=a", "httpRoute.enabled=true", "httpRoute.parentRefs[0].name=g"],
        "httpRoute.enabled with gateway none leads to an InferencePool: set pool.name",
    ),
    (
        &["pool.name=p", "tls.existingSecret=s", "tls.certManager.enabled=true"],
        "tls.existingSecret and tls.certManager.enabled both say",
    ),
    (&["pool.name=p", "prometheusRule.enabled=true"], "prometheusRule.enabled needs serviceMonitor.enabled"),
    (&["pool.name=p", "tls.certManager.enabled=true"], "tls.certManager.enabled needs tls.certManager.issuerRef.name"),
    (
        &["pool.name=p", "autoscaling.enabled=true", "autoscaling.maxReplicas=1"],
        "autoscaling.minReplicas is above autoscaling.maxReplicas",
    ),
    (&["pool.name=p", "sharedState.mode=on"], "at '/sharedState/mode': value must be one of 'auto', 'bundled'"),
    (&["pool.name=p", "sharedState.interval=50"], "at '/sharedState/interval'"),
    (&["pool.name=p", "sharedState.interval=900ms"], "sharedState.interval: 900ms is not between 5ms and 500ms"),
    (&["pool.name=p", "sharedState.logSize=64KiB"], "sharedState.logSize: 64KiB is too little to start from"),
    (
        &["pool.name=p", EXTERNAL, "sharedState.external.urls={redis://a,redis://b}"],
        "several URLs are nodes of a cluster or sentinels: set sharedState.external.cluster=true",
    ),
    (&["pool.name=p", "sharedState.group=a b"], "at '/sharedState/group'"),
    (&["pool.name=p", "sharedState.mode=external"], "sharedState.mode=external needs sharedState.external.urls"),
    (
        &["pool.name=p", "sharedState.external.urls={redis://a}"],
        "sharedState.external.urls is set, but sharedState.mode is auto: set sharedState.mode=external",
    ),
    (&["pool.name=p", EXTERNAL, "sharedState.external.urls={valkey:6379}"], "valkey:6379 is no URL of a Valkey: write"),
    (
        &["pool.name=p", EXTERNAL, "sharedState.external.urls={redis://h:p@a}"],
        "a URL holds a password, which everybody",
    ),
    (
        &["pool.name=p", EXTERNAL, "sharedState.external.urls={redis://h@a}"],
        "redis://h@a names a user, who has a password",
    ),
    (
        &["pool.name=p", EXTERNAL, "sharedState.external.urls={redis://a}", "sharedState.external.ca.secret=s"],
        "no URL in sharedState.external.urls uses TLS: write rediss://",
    ),
    (
        &[
            "pool.name=p",
            EXTERNAL,
            "sharedState.external.urls={rediss://a}",
            SECRET,
            "sharedState.external.ca.configMap=c",
        ],
        "sharedState.external.ca.secret and sharedState.external.ca.configMap both say",
    ),
    (
        &[
            "pool.name=p",
            EXTERNAL,
            "sharedState.external.urls={redis://a}",
            "sharedState.external.cluster=true",
            "sharedState.external.sentinel=s",
        ],
        "sharedState.external.cluster and sharedState.external.sentinel both say",
    ),
    (&["pool.name=p", "sharedState.logSize=32M"], "sharedState.logSize: 32M is no size: write a whole number"),
    (&["pool.name=p", "sharedState.bundled.maxMemory=1g"], "sharedState.bundled.maxMemory: 1g is no size"),
    (
        &["pool.name=p", "sharedState.logSize=64MiB"],
        "sharedState.bundled.maxMemory: 96MiB is less than twice sharedState.logSize (64MiB)",
    ),
    (
        &["pool.name=p", "sharedState.bundled.resources.limits.memory=128Mi"],
        "sharedState.bundled.resources.limits.memory: 128Mi is less than one and a half times",
    ),
    (
        &["pool.name=p", r"sharedState.bundled.podLabels.app\.kubernetes\.io/name=mine"],
        "sharedState.bundled.podLabels: app.kubernetes.io/name is the chart's own",
    ),
    (&["pool.name=p", "extraArgs={--shared-state=redis://a}"], "extraArgs: --shared-state belongs to sharedState"),
    (&["pool.name=p", "extraArgs={--state-group=a}"], "extraArgs: --state-group belongs to sharedState"),
];

const EXTERNAL: &str = "sharedState.mode=external";
const SECRET: &str = "sharedState.external.ca.secret=s";

#[test]
fn values_that_make_no_sense_are_refused_with_words_that_help() {
    let chart = chart();
    let chart = chart.to_str().expect("a plain path");
    for (values, words) in REFUSED {
        let values: Vec<&str> = values.iter().flat_map(|value| ["--set", value]).collect();
        let said = Helm::offline().refusal(&[&["template", "rel", chart][..], &IMAGE, &values].concat());
        assert!(said.contains(words), "{values:?} should be refused with {words:?}: {said}");
    }
}
