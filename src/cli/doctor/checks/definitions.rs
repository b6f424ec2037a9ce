//! Whether the API server knows the kinds that Homing and its gateway read, and in which versions.

use std::time::Duration;

use super::{in_time, mend};
use crate::cli::doctor::finding::Finding;
use crate::sources::kubernetes::{ApiGroup, Cluster, Unanswered};

const NAME: &str = "definitions";
const GATEWAY: &str = "gateway-api";
/// The group and the version that Homing reads.
const POOLS: [&str; 2] = ["inference.networking.k8s.io", "v1"];
/// Where pools were before, in a shape that Homing does not read.
const OLD_POOLS: &str = "inference.networking.x-k8s.io";
const ROUTES: &str = "gateway.networking.k8s.io";
const INSTALL: &str = "install the CustomResourceDefinitions of the Gateway API Inference Extension, 1.0 or newer";

/// Asks for all groups, and for the pools where their group is there.
pub async fn check(cluster: &Cluster, needs_pools: bool, limit: Duration) -> Vec<Finding> {
    let asked = in_time(limit, async {
        let groups = cluster.api_groups().await?;
        let [group, version] = POOLS;
        let served = versions(&groups, group).contains(&version.to_owned())
            && cluster.serves(group, version, "inferencepools").await?;
        Ok((groups, served))
    });
    judge(asked.await, needs_pools)
}

fn judge(asked: Result<(Vec<ApiGroup>, bool), Unanswered>, needs_pools: bool) -> Vec<Finding> {
    let (groups, served) = match asked {
        Ok(asked) => asked,
        Err(unanswered) => {
            let finding = format!("the kinds that the API server knows are not known: {unanswered}");
            return vec![Finding::failure(NAME, finding, mend(&unanswered))];
        }
    };
    let [group, version] = POOLS;
    let mut others = versions(&groups, group)
        .iter()
        .filter(|other| *other != version)
        .map(|other| format!("{group}/{other}"))
        .chain(versions(&groups, OLD_POOLS).iter().map(|other| format!("{OLD_POOLS}/{other}")))
        .collect::<Vec<_>>()
        .join(", ");
    if !others.is_empty() {
        others = format!("; also served, and not read: {others}");
    }
    let pools = if served {
        Finding::ok(NAME, format!("inferencepools of {group}/{version} are served{others}"))
    } else if needs_pools {
        Finding::failure(NAME, format!("inferencepools of {group}/{version} are not served{others}"), INSTALL)
    } else {
        Finding::skipped(
            NAME,
            format!("inferencepools of {group}/{version} are not served, and not needed without --pool-name"),
        )
    };
    let routes = versions(&groups, ROUTES);
    let gateway = if routes.is_empty() {
        Finding::skipped(GATEWAY, format!("{ROUTES} is not served; only gateways that read it need it"))
    } else {
        Finding::ok(GATEWAY, format!("{ROUTES} is served in {}", routes.join(", ")))
    };
    vec![pools, gateway]
}

fn versions<'a>(groups: &'a [ApiGroup], name: &str) -> &'a [String] {
    groups.iter().find(|group| group.name == name).map_or(&[], |group| &group.versions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Status;

    fn group(name: &str, versions: &[&str]) -> ApiGroup {
        ApiGroup { name: name.to_owned(), versions: versions.iter().map(|version| (*version).to_owned()).collect() }
    }

    #[test]
    fn the_version_that_is_read_must_be_served() {
        let groups = vec![group(POOLS[0], &["v1", "v2"]), group(ROUTES, &["v1", "v1beta1"])];
        let findings = judge(Ok((groups, true)), true);
        assert_eq!(
            findings,
            [
                Finding::ok(
                    NAME,
                    "inferencepools of inference.networking.k8s.io/v1 are served; also served, and not read: \
                     inference.networking.k8s.io/v2"
                ),
                Finding::ok(GATEWAY, "gateway.networking.k8s.io is served in v1, v1beta1"),
            ]
        );
    }

    #[test]
    fn an_old_version_alone_is_named_and_fails() {
        let findings = judge(Ok((vec![group(OLD_POOLS, &["v1alpha2"])], false)), true);
        assert_eq!((findings[0].status, findings[1].status), (Status::Failure, Status::Skipped));
        assert!(findings[0].finding.ends_with("also served, and not read: inference.networking.x-k8s.io/v1alpha2"));
        assert_eq!(judge(Ok((Vec::new(), false)), false)[0].status, Status::Skipped, "nobody needs it");
    }
}
