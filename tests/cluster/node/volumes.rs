//! What is in a pod's volumes.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{
    DownwardAPIVolumeFile, KeyToPath, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeProjection,
};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::environment::data;
use super::spec::Facts;
use super::tables::{Kind, Tables};
use super::volume_files::{File, Files};

/// What files have where nothing is said of it.
const MODE: i32 = 0o644;

/// Tokens by volume and path: they are asked for once.
pub type Tokens = BTreeMap<(String, String), String>;

/// The files of `volume`; `None` where the container writes them. An error names what is not there yet.
pub fn files(volume: &Volume, facts: &Facts, tables: &Tables, tokens: &Tokens) -> Result<Option<Files>, String> {
    let of = |kind, name: &str, items: &Option<Vec<KeyToPath>>, mode: Option<i32>, optional: Option<bool>| match tables
        .get(kind, &facts.namespace, name)
    {
        Some(object) => picked(data(object), items.as_deref(), mode.unwrap_or(MODE), name),
        None if optional == Some(true) => Ok(Files::new()),
        None => Err(format!("volume {}: {kind:?} {name} is not there", volume.name)),
    };
    if let Some(source) = &volume.config_map {
        return of(Kind::ConfigMap, &source.name, &source.items, source.default_mode, source.optional).map(Some);
    }
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        return of(Kind::Secret, name, &source.items, source.default_mode, source.optional).map(Some);
    }
    if let Some(source) = &volume.downward_api {
        return downward(source.items.as_deref(), source.default_mode.unwrap_or(MODE), facts).map(Some);
    }
    let Some(projected) = &volume.projected else { return Ok(None) };
    let mode = projected.default_mode.unwrap_or(MODE);
    let mut files = Files::new();
    for source in projected.sources.iter().flatten() {
        if let Some(source) = &source.config_map {
            files.extend(of(Kind::ConfigMap, &source.name, &source.items, Some(mode), source.optional)?);
        }
        if let Some(source) = &source.secret {
            files.extend(of(Kind::Secret, &source.name, &source.items, Some(mode), source.optional)?);
        }
        if let Some(source) = &source.downward_api {
            files.extend(downward(source.items.as_deref(), mode, facts)?);
        }
        if let Some(source) = &source.service_account_token {
            let token = tokens.get(&(volume.name.clone(), source.path.clone())).ok_or("a token was to be asked for")?;
            let file = File { bytes: token.clone().into_bytes(), mode: 0o600, private: true };
            files.insert(source.path.clone(), file);
        }
    }
    Ok(Some(files))
}

/// Asks for the tokens that the pod's volumes hold; they end with the pod.
pub async fn tokens(facts: &Facts, client: &kube::Client) -> Result<Tokens, kube::Error> {
    let account = facts.spec().service_account_name.as_deref().unwrap_or("default");
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), &facts.namespace);
    let mut tokens = Tokens::new();
    for (volume, source) in wanted(facts) {
        let ServiceAccountTokenProjection { audience, expiration_seconds, path } = source;
        let request: TokenRequest = serde_json::from_value(json!({"spec": {
            "audiences": audience.iter().collect::<Vec<_>>(), "expirationSeconds": expiration_seconds,
            "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": facts.name, "uid": facts.uid},
        }}))
        .expect("a request");
        let answer = api.create_token_request(account, &PostParams::default(), &request).await?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        tokens.insert((volume.name.clone(), path.clone()), token);
    }
    Ok(tokens)
}

fn wanted(facts: &Facts) -> impl Iterator<Item = (&Volume, &ServiceAccountTokenProjection)> {
    facts.spec().volumes.iter().flatten().flat_map(|volume| {
        let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        sources.filter_map(move |source: &VolumeProjection| Some((volume, source.service_account_token.as_ref()?)))
    })
}

/// All keys, or those that `items` name, at the paths that they give them.
fn picked(
    mut data: BTreeMap<String, Vec<u8>>,
    items: Option<&[KeyToPath]>,
    mode: i32,
    object: &str,
) -> Result<Files, String> {
    let Some(items) = items else {
        return Ok(data.into_iter().map(|(key, bytes)| (key, file(bytes, mode))).collect());
    };
    let pick = |item: &KeyToPath| {
        let bytes = data.remove(&item.key).ok_or_else(|| format!("{object} has no {}", item.key))?;
        Ok((item.path.clone(), file(bytes, item.mode.unwrap_or(mode))))
    };
    items.iter().map(pick).collect()
}

fn downward(items: Option<&[DownwardAPIVolumeFile]>, mode: i32, facts: &Facts) -> Result<Files, String> {
    let made = |item: &DownwardAPIVolumeFile| {
        let path = item.field_ref.as_ref().map_or("", |field| &field.field_path);
        Ok((item.path.clone(), file(facts.field(path)?.into_bytes(), mode)))
    };
    items.unwrap_or_default().iter().map(made).collect()
}

fn file(bytes: Vec<u8>, mode: i32) -> File {
    File { bytes, mode: mode.cast_unsigned(), private: false }
}
