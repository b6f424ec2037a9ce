//! Which kinds the API server knows, and in which versions.

use http::StatusCode;

use super::client::Cluster;
use super::once::Unanswered;

/// An API group that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiGroup {
    /// Its name, such as `gateway.networking.k8s.io`.
    pub name: String,
    /// Its versions, the one that the API server prefers first.
    pub versions: Vec<String>,
}

impl Cluster {
    /// All groups but the core.
    ///
    /// # Errors
    /// The API server does not answer, or does not allow it.
    pub async fn api_groups(&self) -> Result<Vec<ApiGroup>, Unanswered> {
        let groups = self.client.list_api_groups().await?.groups.into_iter();
        let versions = |versions: Vec<_>| versions.into_iter().map(version_of).collect();
        Ok(groups.map(|group| ApiGroup { versions: versions(group.versions), name: group.name }).collect())
    }

    /// Whether `resource`, in the plural, is served in this version of this group.
    ///
    /// # Errors
    /// The API server does not answer, or does not allow it.
    pub async fn serves(&self, group: &str, version: &str, resource: &str) -> Result<bool, Unanswered> {
        match self.client.list_api_group_resources(&format!("{group}/{version}")).await {
            Ok(list) => Ok(list.resources.iter().any(|known| known.name == resource)),
            Err(kube::Error::Api(status)) if status.code == StatusCode::NOT_FOUND.as_u16() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn version_of(served: k8s_openapi::apimachinery::pkg::apis::meta::v1::GroupVersionForDiscovery) -> String {
    served.version
}
