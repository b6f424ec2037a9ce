//! Questions that are asked once and not followed, for `homing doctor`: each is one request, or the pages of one list.
//!
//! Only rights are used that following needs too: what is listed here is watched elsewhere.

use std::fmt;
use std::time::SystemTime;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use kube::Api;
use kube::api::ListParams;
use kube::client::Body;

use super::client::Cluster;
use super::inference_pool::{InferencePool, PickerRef, Spec};
use super::pod::Pod;
use super::selector::selector_text;
use super::trouble::{Trouble, innermost};

/// Objects in one answer to a list.
const PAGE: u32 = 500;

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Unanswered {
    /// The kind of trouble.
    pub trouble: Trouble,
    /// What the API server or the system said, for people.
    pub said: String,
}

/// What the API server says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Its version, such as `v1.36.3`, where it tells it.
    pub version: Option<String>,
    /// Its clock when it answered, cut to the second.
    pub date: Option<SystemTime>,
}

/// A pool, as it is at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundPool {
    /// Which pods it wants.
    pub spec: Spec,
    /// Whom it names as its picker.
    pub picker: Option<PickerRef>,
}

impl Cluster {
    /// Whether the API server answers, and what it says of itself.
    ///
    /// # Errors
    /// It does not answer, or does not accept who asks.
    pub async fn about(&self) -> Result<About, Unanswered> {
        let request = http::Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError)?;
        let response = self.client.send(request).await?;
        if response.status() == http::StatusCode::UNAUTHORIZED {
            return Err(Unanswered { trouble: Trouble::Unauthorized, said: response.status().to_string() });
        }
        let date = response.headers().get(http::header::DATE).and_then(|date| date.to_str().ok()).and_then(parse_date);
        // An API server need not tell its version to everybody.
        let version = self.client.apiserver_version().await.ok().map(|info| info.git_version);
        Ok(About { version, date })
    }

    /// The pool of this name; `None` where there is no such pool.
    ///
    /// # Errors
    /// The API server does not answer, does not allow it, or does not know the kind.
    pub async fn pool(&self, name: &str) -> Result<Option<FoundPool>, Unanswered> {
        let api = Api::<InferencePool>::namespaced(self.client.clone(), self.namespace());
        // A list of one, because that is the right that following needs.
        let pools = api.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await?;
        let found = |pool: InferencePool| FoundPool { picker: pool.picker(), spec: pool.read().spec };
        Ok(pools.items.into_iter().next().map(found))
    }

    /// The names of some pools of the namespace.
    ///
    /// # Errors
    /// As for one of them.
    pub async fn pool_names(&self) -> Result<Vec<String>, Unanswered> {
        let api = Api::<InferencePool>::namespaced(self.client.clone(), self.namespace());
        let pools = api.list(&ListParams::default().limit(PAGE)).await?;
        Ok(pools.items.into_iter().filter_map(|pool| kube::Resource::meta(&pool).name.clone()).collect())
    }

    /// All pods that have the labels of `spec`.
    ///
    /// # Errors
    /// The API server does not answer, or does not allow it.
    pub async fn pods(&self, spec: &Spec) -> Result<Vec<Pod>, Unanswered> {
        let api = Api::<core::Pod>::namespaced(self.client.clone(), self.namespace());
        let mut page = ListParams::default().labels(&selector_text(&spec.selector)).limit(PAGE);
        let mut pods = Vec::new();
        loop {
            let list = api.list(&page).await?;
            pods.extend(list.items.into_iter().map(Pod::read));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page.continue_token = Some(token),
                None => return Ok(pods),
            }
        }
    }

    /// The keys and texts of a ConfigMap; `None` where there is none of this name.
    ///
    /// # Errors
    /// The API server does not answer, or does not allow it.
    pub async fn config_map(&self, name: &str) -> Result<Option<Vec<(String, String)>>, Unanswered> {
        let api = Api::<core::ConfigMap>::namespaced(self.client.clone(), self.namespace());
        let maps = api.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await?;
        Ok(maps.items.into_iter().next().map(|map| map.data.unwrap_or_default().into_iter().collect()))
    }
}

/// The date in a header of HTTP.
fn parse_date(text: &str) -> Option<SystemTime> {
    DateTimeParser::new().parse_timestamp(text).ok().map(SystemTime::from)
}

impl From<kube::Error> for Unanswered {
    fn from(error: kube::Error) -> Self {
        let said = match &error {
            kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
            error => innermost(error).to_string(),
        };
        Self { trouble: Trouble::of_request(&error), said }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.trouble, self.said)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_of_http_is_read() {
        let date = parse_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        assert_eq!(date, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
        for other in ["", "yesterday", "06 Nov"] {
            assert_eq!(parse_date(other), None, "{other}");
        }
    }
}
