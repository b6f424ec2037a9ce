//! The parts of the chart agree with each other, with the documentation and with Homing. Needs no Helm; what Helm
//! and an API server make of the chart is tested in `tests/cluster/chart/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fields of an object, or none.
fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn under(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The rows of the README's tables, as value and default.
fn documented() -> BTreeMap<String, Value> {
    let readme = text("charts/homing/README.md");
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let default = cells.next()?.trim_matches('`').to_owned();
        let default = serde_json::from_str(&default).unwrap_or_else(|error| panic!("{name}: {default}: {error}"));
        let meaning = cells.next().unwrap_or_default().trim_end_matches([' ', '|']);
        assert!(!meaning.is_empty(), "{name} has no meaning");
        Some((name, default))
    };
    readme.lines().filter_map(row).collect()
}

/// The values, each by its path; maps whose path is `whole` are one value.
fn values(path: &str, value: &Value, whole: &dyn Fn(&str) -> bool, found: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(map) if !map.is_empty() && !whole(path) => {
            map.iter().for_each(|(name, value)| values(&under(path, name), value, whole, found));
        }
        _ => drop(found.insert(path.to_owned(), value.clone())),
    }
}

#[test]
fn the_readme_has_a_row_for_each_value_with_its_default_and_no_other() {
    let documented = documented();
    let mut found = BTreeMap::new();
    values("", &yaml("charts/homing/values.yaml"), &|path| documented.contains_key(path), &mut found);
    let [documented_names, names] = [&documented, &found].map(|map| map.keys().collect::<BTreeSet<_>>());
    assert_eq!(documented_names, names);
    assert_eq!(documented, found);
}

#[test]
fn the_schema_knows_each_value_and_no_other() {
    /// Compares as far down as the schema is strict; the configuration is compared below.
    fn compare(path: &str, schema: &Value, value: &Value) {
        if path == "config" || schema["additionalProperties"] != Value::Bool(false) {
            return;
        }
        let known: BTreeSet<&String> = fields(&schema["properties"]).map(|(name, _)| name).collect();
        let names: BTreeSet<&String> = fields(value).map(|(name, _)| name).collect();
        let lacking: Vec<_> = names.difference(&known).collect();
        assert!(lacking.is_empty(), "the schema lacks {lacking:?} of {path:?}");
        // Probes and issuers may have more fields than the values give them; `global` and `enabled` belong to Helm.
        let open = path.ends_with("Probe") || path.ends_with("issuerRef");
        let more: Vec<_> =
            known.difference(&names).filter(|name| !open && !["global", "enabled"].contains(&name.as_str())).collect();
        assert!(more.is_empty(), "the values lack {more:?} of {path:?}");
        fields(value).for_each(|(name, value)| compare(&under(path, name), &schema["properties"][name], value));
    }
    compare("", &json("charts/homing/values.schema.json"), &yaml("charts/homing/values.yaml"));
}

#[test]
fn the_schema_knows_each_field_of_the_configuration_and_no_other() {
    fn of_schema(schema: &Value) -> Value {
        match schema["properties"].as_object() {
            Some(map) => {
                map.iter().map(|(name, schema)| (name.clone(), of_schema(schema))).collect::<Map<_, _>>().into()
            }
            None => Value::Null,
        }
    }
    fn of_document(document: &Value) -> Value {
        match document.as_object() {
            Some(map) => {
                map.iter().map(|(name, value)| (name.clone(), of_document(value))).collect::<Map<_, _>>().into()
            }
            None => Value::Null,
        }
    }
    let page = text("docs/configuration.md");
    let document = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the defaults");
    let document: Value = serde_saphyr::from_str(document).expect("the defaults are YAML");
    let schema = json("charts/homing/values.schema.json");
    assert_eq!(of_schema(&schema["properties"]["config"]), of_document(&document));
}

#[test]
fn each_gateway_of_the_schema_has_its_needs_and_its_row() {
    let schema = json("charts/homing/values.schema.json");
    let needs = text("charts/homing/templates/_gateway.tpl");
    let page = text("docs/helm.md");
    for gateway in schema["properties"]["gateway"]["enum"].as_array().expect("the gateways") {
        assert!(needs.contains(&format!("{gateway} (dict ")), "{gateway}");
        assert!(page.contains(&format!("| `{}` | ", gateway.as_str().expect("a name"))), "{gateway}");
    }
}

#[test]
fn the_chart_is_of_this_version_of_homing() {
    assert_eq!(yaml("charts/homing/Chart.yaml")["appVersion"], env!("CARGO_PKG_VERSION"));
}

/// The names in a text that are names of metrics.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("homing_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_and_the_alerts_use_metrics_that_are_there() {
    let page = text("docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.flat_map(|row| {
        let names = metrics(row.split(['{', '`']).next().unwrap_or_default());
        // The series of a histogram, beside its sum and its count.
        let series = if row.contains(" | histogram | ") { "_bucket" } else { "" };
        names.into_iter().map(move |name| name + series)
    });
    let known: BTreeSet<String> = named.collect();
    for file in ["charts/homing/dashboards/homing.json", "charts/homing/rules/alerts.yaml"] {
        let used = metrics(&text(file));
        assert!(used.len() > 5, "{file} uses {used:?}");
        let unknown: Vec<_> = used.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} uses {unknown:?}");
    }
}

#[test]
fn each_alert_is_explained_and_tells_what_it_means() {
    let rules = yaml("charts/homing/rules/alerts.yaml");
    let rules = rules.as_array().expect("a list of alerts");
    let alerts: Vec<&str> = rules.iter().map(|rule| rule["alert"].as_str().expect("a name")).collect();
    let page = text("docs/alerts.md");
    let explained: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(alerts.iter().collect::<BTreeSet<_>>(), explained.iter().collect::<BTreeSet<_>>());
    for rule in rules {
        let expression = rule["expr"].as_str().expect("an expression");
        assert_eq!(expression.matches('{').count(), expression.matches("RELEASE}").count(), "{expression}");
        for field in [&rule["labels"]["severity"], &rule["annotations"]["summary"], &rule["annotations"]["description"]]
        {
            assert!(field.is_string(), "{rule}");
        }
    }
}

#[test]
fn each_panel_of_the_dashboard_says_what_it_shows_and_stands_alone() {
    let dashboard = json("charts/homing/dashboards/homing.json");
    let panels = dashboard["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].to_string()) && places.insert(panel["gridPos"].to_string()), "{panel}");
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let selected = expression.matches(r#"{namespace="$namespace",service="$service"}"#).count();
            assert_eq!(expression.matches('{').count(), selected, "{expression}");
        }
    }
}
