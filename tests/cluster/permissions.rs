//! Homing needs what the example Role allows, and all of it.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::Role;
use serde_json::{Value, json};

use crate::kubernetes::{CONFIG_MAP, ControlPlane, POOL, PORT, Site};
use crate::support::eventually;

/// Group, resource, name if it must be this one, and verb.
type Right = (String, String, String, String);

#[tokio::test]
async fn homing_uses_exactly_the_permissions_of_its_role() {
    let plane = ControlPlane::shared().await;
    let mut site = Site::new(plane).await;
    site.namespace.pool(POOL, "engine", &[PORT]).await;
    let bad = |note: &str| json!({"config.yaml": "limits: [", "note": note});
    site.namespace.configure(bad("once")).await;
    site.add("r1", &[PORT]).await;
    let homing = site.homing(&["--config-map", CONFIG_MAP]).await;
    site.namespace.configure(bad("twice")).await;
    each_right_is_used(plane, &site.namespace.name, "homing", &site.namespace.role().await).await;
    drop(homing);
}

/// Waits until the holder of this ServiceAccount has used all that its Role allows; it may use nothing else.
pub async fn each_right_is_used(plane: &ControlPlane, namespace: &str, account: &str, role: &Role) {
    let allowed = rights(role);
    eventually("each right is used", async || {
        let requests = requests(plane, namespace, account);
        let refused: Vec<&Value> = requests.iter().filter(|request| request["responseStatus"]["code"] == 403).collect();
        assert!(refused.is_empty(), "the Role lacks something: {refused:?}");
        let used: BTreeSet<Right> = requests.iter().map(|request| right(request, &allowed)).collect();
        assert!(used.is_subset(&allowed), "{used:?} is more than {allowed:?}");
        (used == allowed).then_some(())
    })
    .await;
}

/// All that a Role allows.
fn rights(role: &Role) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for rule in role.rules.iter().flatten() {
        let names = rule.resource_names.clone().unwrap_or_else(|| vec![String::new()]);
        for (group, resource) in rule.api_groups.iter().flatten().zip(rule.resources.iter().flatten()) {
            for name in &names {
                let of = |verb: &String| (group.clone(), resource.clone(), name.clone(), verb.clone());
                rights.extend(rule.verbs.iter().map(of));
            }
        }
    }
    rights
}

/// What a request has used; its object's name where the Role names one.
fn right(request: &Value, allowed: &BTreeSet<Right>) -> Right {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &request["objectRef"];
    let (group, resource) = (text(&object["apiGroup"]), text(&object["resource"]));
    let named = allowed.iter().any(|(of, what, name, _)| (of, what) == (&group, &resource) && !name.is_empty());
    let name = if named { text(&object["name"]) } else { String::new() };
    (group, resource, name, text(&request["verb"]))
}

/// What the holder of this ServiceAccount has asked for.
fn requests(plane: &ControlPlane, namespace: &str, account: &str) -> Vec<Value> {
    let user = format!("system:serviceaccount:{namespace}:{account}");
    plane.audit().into_iter().filter(|request| request["user"]["username"] == user.as_str()).collect()
}
