//! The environment of a container, and what `$(NAME)` means in its arguments.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource};
use kube::api::DynamicObject;

use super::spec::Facts;
use super::tables::{Kind, Tables};

/// As container runtimes set it, after [`PROGRAMS`](super::images::PROGRAMS).
const PATH: &str = "/image:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names and values in the order of the spec.
pub type Environment = Vec<(String, String)>;

/// What `wanted` says; an error names what is not there yet, or never will be.
pub fn environment(wanted: &[EnvVar], facts: &Facts, tables: &Tables) -> Result<Environment, String> {
    let mut environment: Environment = facts.environment.clone();
    environment.insert(0, ("PATH".to_owned(), PATH.to_owned()));
    for EnvVar { name, value, value_from } in wanted {
        let value = match value_from {
            None => Some(expanded(value.as_deref().unwrap_or_default(), &environment)),
            Some(source) => value_of(source, facts, tables).map_err(|error| format!("env {name}: {error}"))?,
        };
        if let Some(value) = value {
            environment.retain(|(other, _)| other != name);
            environment.push((name.clone(), value));
        }
    }
    Ok(environment)
}

/// `text` with the values of variables in the place of `$(NAME)`; `$$` is a dollar, unknown names stay.
pub fn expanded(text: &str, environment: &Environment) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = tail.strip_prefix('(').and_then(|tail| tail.split_once(')')) {
            match environment.iter().find(|(other, _)| other == name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&rest[at..rest.len() - after.len()]),
            }
            rest = after;
        } else {
            out.push('$');
            rest = tail;
        }
    }
    out + rest
}

fn value_of(source: &EnvVarSource, facts: &Facts, tables: &Tables) -> Result<Option<String>, String> {
    if let Some(field) = &source.field_ref {
        return facts.field(&field.field_path).map(Some);
    }
    let of = |kind, name: &str, key: &str, optional: Option<bool>| {
        let found = tables.get(kind, &facts.namespace, name).and_then(|object| data(object).remove(key));
        match found {
            None if optional == Some(true) => Ok(None),
            None => Err(format!("{kind:?} {name} has no {key}, or is not there")),
            Some(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| error.to_string()),
        }
    };
    if let Some(source) = &source.config_map_key_ref {
        return of(Kind::ConfigMap, &source.name, &source.key, source.optional);
    }
    match &source.secret_key_ref {
        Some(source) => of(Kind::Secret, &source.name, &source.key, source.optional),
        None => Err("no source".to_owned()),
    }
}

/// The keys of a ConfigMap or a Secret.
pub fn data(object: &DynamicObject) -> BTreeMap<String, Vec<u8>> {
    let field = |name: &str| object.data[name].as_object().into_iter().flatten();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().as_bytes().to_vec();
    let secret = object.types.as_ref().is_some_and(|types| types.kind == "Secret");
    let plain = field("data").map(|(key, value)| {
        (key.clone(), if secret { base64(value.as_str().unwrap_or_default()) } else { text(value) })
    });
    plain
        .chain(field("binaryData").map(|(key, value)| (key.clone(), base64(value.as_str().unwrap_or_default()))))
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value::<k8s_openapi::ByteString>(value).expect("the API server sends base64").0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_expanded_in_their_order() {
        let known = vec![("A".to_owned(), "1".to_owned()), ("B".to_owned(), "$(A)".to_owned())];
        for (text, expected) in [
            ("plain", "plain"),
            ("--name=$(A)", "--name=1"),
            ("$(A)$(B)", "1$(A)"),
            ("$(NOBODY) $", "$(NOBODY) $"),
            ("$$(A)", "$(A)"),
            ("$(A", "$(A"),
        ] {
            assert_eq!(expanded(text, &known), expected, "{text}");
        }
    }
}
