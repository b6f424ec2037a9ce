use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::config::{Affinity, ByteSize, ScorerKind};
use crate::model::EngineKind;

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(parsed) => panic!("accepted: {parsed:?}"),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_document_of_the_contract_is_the_defaults() {
    let text = "
apiVersion: homing.dev/v1alpha1
kind: PickerConfig
sessions:
  headers: [x-session-id, x-session-affinity]
  generate: true
  affinity: soft
  idleTimeout: 1h
  maxSessions: 1000000
  catalogue: true
  tenantHeader: null
scorers:
  sessionAffinity: {weight: 1, outdatedTokens: 512}
  prefixLocality: {weight: 2, loadGrowth: 0.05}
  queueDepth: {weight: 1}
  adapterLocality: {weight: 1, loadTokens: 2000}
prefixIndex: {blockBytes: 512, bytesPerToken: 4, defaultCacheTokens: 500000, mediaTokens: 1024}
limits: {requestBody: 32MiB, bufferedBodies: 1GiB, bodyWait: 10s, waitingTokensPerEndpoint: null, strict: false}
engineMetrics: {enabled: true, interval: 1s, timeout: 1s, engine: auto, path: null, port: null}
";
    assert_eq!(parse(text), Ok(Parsed { config: PickerConfig::default(), warnings: vec![] }));
}

#[test]
fn nothing_at_all_is_the_defaults() {
    for text in ["", "\n", "# only a remark\n", "---\n", "{}", "sessions:\nscorers:\n  queueDepth:\n"] {
        assert_eq!(parse(text).map(|parsed| parsed.config), Ok(PickerConfig::default()), "{text:?}");
    }
}

#[test]
fn the_defaults_round_trip() {
    let text = serde_json::to_string(&PickerConfig::default()).expect("plain data");
    assert_eq!(parse(&text).map(|parsed| parsed.config), Ok(PickerConfig::default()));
}

#[test]
fn what_a_document_says_is_taken() {
    let text = "
sessions: {affinity: hard, idleTimeout: 1m 30s, headers: [X-Chat]}
scorers: {queueDepth: {weight: 0.5}}
limits: {requestBody: 4096, bufferedBodies: 500KB}
";
    let config = parse(text).expect("a valid document").config;
    assert_eq!(config.sessions.affinity, Affinity::Hard);
    assert_eq!(config.sessions.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.sessions.headers, ["x-chat"]);
    assert_eq!(ScorerKind::ALL.map(|kind| config.scorers.weight(kind)), [1.0, 2.0, 0.5, 1.0]);
    assert_eq!(config.limits.request_body, ByteSize(4096));
    assert_eq!(config.limits.buffered_bodies, ByteSize(500_000));
}

#[test]
fn every_engine_has_its_page() {
    for (engine, path, port) in [
        ("auto", "/metrics", None),
        ("vllm", "/metrics", None),
        ("sglang", "/metrics", None),
        ("trtllm-serve", "/prometheus/metrics", None),
        ("triton-tensorrt-llm", "/metrics", Some(8002)),
    ] {
        let said = parse(&format!("engineMetrics: {{engine: {engine}}}")).expect(engine).config.engine_metrics;
        assert_eq!((said.engine.path(), said.engine.port(), said.path, said.port), (path, port, None, None));
        assert_eq!(said.engine.kind().map_or("auto", EngineKind::as_str), engine);
    }
    assert!(parse("engineMetrics: {engine: trtllm-serve, path: /prometheus/metrics}").is_ok());
}

#[test]
fn an_unknown_field_is_named_with_its_path_its_place_and_the_nearest_name() {
    let text = "scorers:\n  prefixLocality:\n    wieght: 2\n";
    assert_eq!(problems(text), ["3:5: scorers.prefixLocality.wieght: unknown field (did you mean `weight`?)"]);
}

#[test]
fn every_problem_is_listed_in_the_order_of_the_lines() {
    let text = "\
sesions: {}
sessions:
  affinity: sfot
  maxSessions: -1
  idleTimeout: 5
  headers: [x a, x-b, X-B]
scorers:
  queueDepth: {weight: -1}
limits:
  requestBody: much
engineMetrics:
  interval: 1ms
  path: metrics
  port: 70000
";
    assert_eq!(
        problems(text),
        [
            "1:1: sesions: unknown field (did you mean `sessions`?)",
            "3:13: sessions.affinity: unknown variant `sfot`, expected one of `soft`, `hard`, `off`",
            "4:16: sessions.maxSessions: invalid value: integer `-1`, must be a whole number of 0 or more",
            "5:16: sessions.idleTimeout: invalid type: integer `5`, expected a string; write a number with its unit, \
             such as 500ms or 10s",
            "6:13: sessions.headers[0]: `x a` is not a header name: use letters, digits and hyphens",
            "6:23: sessions.headers[2]: `x-b` is listed twice: remove one",
            "8:24: scorers.queueDepth.weight: is -1, must be a finite number of 0 or more; 0 turns the scorer off",
            "10:16: limits.requestBody: `much` is not a size: write a whole number with B, KB, MB, GB, KiB, MiB or \
             GiB, such as 32MiB",
            "12:13: engineMetrics.interval: is 1ms, must be between 50ms and 30days",
            "13:9: engineMetrics.path: `metrics` is not a path: start it with /, such as /metrics",
            "14:9: engineMetrics.port: invalid value: integer `70000`, must be 1 to 65535",
        ]
    );
}

#[test]
fn a_header_names_the_tenant_or_the_session() {
    assert_eq!(
        problems("sessions: {headers: [x-a, x-b], tenantHeader: X-B}"),
        [
            "1:47: sessions.tenantHeader: `x-b` is one of sessions.headers: a header names the tenant or the session, not both"
        ]
    );
}

#[test]
fn every_range_has_two_ends() {
    for (field, wrong) in [
        ("sessions: {headers: []}", "sessions.headers"),
        ("sessions: {maxSessions: 0}", "sessions.maxSessions"),
        ("sessions: {idleTimeout: 0s}", "sessions.idleTimeout"),
        ("sessions: {idleTimeout: 2years}", "sessions.idleTimeout"),
        ("scorers: {prefixLocality: {weight: .nan}}", "scorers.prefixLocality.weight"),
        ("scorers: {prefixLocality: {weight: .inf}}", "scorers.prefixLocality.weight"),
        ("scorers: {prefixLocality: {loadGrowth: 1.5}}", "scorers.prefixLocality.loadGrowth"),
        ("scorers: {adapterLocality: {weight: -1}}", "scorers.adapterLocality.weight"),
        ("scorers: {sessionAffinity: {outdatedTokens: -1}}", "scorers.sessionAffinity.outdatedTokens"),
        ("scorers: {sessionAffinity: {outdatedTokens: .nan}}", "scorers.sessionAffinity.outdatedTokens"),
        ("scorers: {adapterLocality: {loadTokens: -1}}", "scorers.adapterLocality.loadTokens"),
        ("scorers: {adapterLocality: {loadTokens: .inf}}", "scorers.adapterLocality.loadTokens"),
        ("prefixIndex: {blockBytes: 63}", "prefixIndex.blockBytes"),
        ("prefixIndex: {blockBytes: 65537}", "prefixIndex.blockBytes"),
        ("prefixIndex: {bytesPerToken: 0}", "prefixIndex.bytesPerToken"),
        ("prefixIndex: {bytesPerToken: 65}", "prefixIndex.bytesPerToken"),
        ("prefixIndex: {defaultCacheTokens: 0}", "prefixIndex.defaultCacheTokens"),
        ("limits: {requestBody: 1}", "limits.requestBody"),
        ("limits: {bufferedBodies: 1MiB}", "limits.bufferedBodies"),
        ("limits: {bodyWait: 0s}", "limits.bodyWait"),
        ("engineMetrics: {timeout: 0s}", "engineMetrics.timeout"),
        ("engineMetrics: {engine: llama}", "engineMetrics.engine"),
        ("engineMetrics: {port: 0}", "engineMetrics.port"),
        ("engineMetrics: {port: 65536}", "engineMetrics.port"),
        ("engineMetrics: {path: metrics}", "engineMetrics.path"),
        ("engineMetrics: {engine: trtllm-serve, path: /metrics}", "engineMetrics.path"),
        ("engineMetrics: {engine: trtllm-serve, path: '/metrics/?x'}", "engineMetrics.path"),
        ("apiVersion: homing.dev/v2", "apiVersion"),
        ("kind: Picker", "kind"),
        ("sessions: 3", "sessions"),
        ("scorers: [1]", "scorers"),
    ] {
        let error = parse(field).expect_err(field);
        assert_eq!(error.problems.iter().map(|problem| problem.field.as_str()).collect::<Vec<_>>(), [wrong], "{field}");
        assert_eq!(error.problems[0].line, 1, "{field}");
    }
}

#[test]
fn broken_yaml_says_where() {
    let error = parse("sessions:\n  headers: [a, b\nlimits: {}\n").expect_err("an open bracket");
    assert!(error.problems[0].line >= 2, "{error}");
    let error = parse("sessions: {generate: true}\nsessions: {generate: false}\n").expect_err("twice the same name");
    assert_eq!(error.problems[0].line, 2, "{error}");
}

#[test]
fn the_reference_pickers_document_gives_the_defaults_and_a_warning() {
    let suite = "
plugins:
- type: header-based-testing-filter
- type: destination-endpoint-served-verifier
schedulingProfiles:
- name: conformance-profile
  plugins:
  - pluginRef: header-based-testing-filter
";
    let extension = "inference.networking.x-k8s.io/v1alpha1";
    let llm_d = "llm-d.ai/v1alpha1";
    for (version, fields, ignored) in [
        (extension, suite, "plugins, schedulingProfiles ignored"),
        (llm_d, suite, "plugins, schedulingProfiles ignored"),
        (extension, "featureGates: [flowControl]\ndata: {sources: []}", "featureGates, data ignored"),
        (llm_d, "saturationDetector: {queueDepthThreshold: 5}", "saturationDetector ignored"),
        (llm_d, "", "nothing in it ignored"),
    ] {
        let parsed = parse(&format!("apiVersion: {version}\nkind: EndpointPickerConfig\n{fields}")).expect("accepted");
        assert_eq!(parsed.config, PickerConfig::default());
        let [warning] = parsed.warnings.as_slice() else { panic!("{:?}", parsed.warnings) };
        assert!(warning.contains(ignored), "{warning}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn nothing_that_looks_like_yaml_makes_it_panic(text in "([a-z]{1,9}|sessions|scorers|[ \\n:\\[\\]{},.&*<>|!'\"#-]|[0-9]{1,3}){0,60}") {
        let _ = parse(&text);
    }
}
