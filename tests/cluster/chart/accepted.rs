//! What the chart renders is accepted by the API server, runs under the restricted profile, and starts a Homing
//! that understands its flags.

use std::process::Command;

use serde_json::{Value, json};

use super::helm::{Helm, IMAGE, chart, only};
use super::matrix::MATRIX;
use super::site::Site;
use crate::support::homing::binary;

#[test]
fn helm_lint_finds_nothing() {
    let chart = chart();
    let chart = chart.to_str().expect("a plain path");
    for case in MATRIX {
        Helm::offline().run(&[&["lint", "--strict", chart][..], &IMAGE, &case.arguments()].concat());
    }
}

#[tokio::test]
async fn every_rendered_object_is_accepted_and_every_pod_passes_the_restricted_profile() {
    let site = Site::new().await;
    for case in MATRIX {
        let objects = site.helm.template(case.release, &site.namespace, &case.arguments());
        assert!(objects.len() >= 3, "{}: {objects:?}", case.name);
        for object in &objects {
            // A pod is refused without its ServiceAccount.
            let dry_run = object["kind"] != "ServiceAccount";
            site.apply(object, dry_run).await;
        }
        for deployment in objects.iter().filter(|object| object["kind"] == "Deployment") {
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"},
                "spec": deployment["spec"]["template"]["spec"],
            });
            site.apply(&pod, true).await;
        }
    }
}

#[tokio::test]
async fn the_restricted_profile_is_enforced_where_these_tests_look() {
    let site = Site::new().await;
    let values = ["--set", "pool.name=llama", "--set", "podSecurityContext.runAsNonRoot=false"];
    let objects = site.helm.template("rel", &site.namespace, &values);
    site.apply(only(&objects, "ServiceAccount"), false).await;
    let refused = site.try_apply(only(&objects, "Pod"), true).await.expect_err("a pod that may be root is refused");
    assert!(refused.to_string().contains("violates PodSecurity \"restricted"), "{refused}");
}

#[test]
fn homing_understands_every_flag_that_the_chart_gives() {
    let helm = Helm::offline();
    for case in MATRIX {
        let objects = helm.template(case.release, "default", &case.arguments());
        let pods = [&only(&objects, "Deployment")["spec"]["template"]].into_iter();
        for pod in pods.chain(objects.iter().filter(|object| object["kind"] == "Pod")) {
            understood(case.name, &pod["spec"]["containers"][0]["args"]);
        }
    }
}

fn understood(case: &str, arguments: &Value) {
    let arguments = arguments.as_array().expect("arguments").iter();
    let arguments: Vec<&str> = arguments.map(|argument| argument.as_str().expect("a text")).collect();
    parsed(&arguments).unwrap_or_else(|said| panic!("{case}: {arguments:?}: {said}"));
}

/// With `--help` at their end, flags are parsed and nothing is started.
fn parsed(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(binary()).args(arguments).arg("--help").output().expect("Homing can be run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}
