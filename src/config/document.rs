//! A YAML document with the position of every field, read without stopping at the first problem.
//!
//! The names that are valid come from an example of the type: for the configuration its default, for
//! a list one entry. A value that does not fit is noted, the example's stands in for it, and reading
//! goes on. [`parse`](super::parse) and the endpoints file read through this.

mod node;

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use node::{Key, Node, Position, Tree};

use super::problem::{ConfigError, Problem};

/// Problems of type that are listed before reading gives up: more than anybody mends in one go.
const MANY: usize = 64;

/// How alike two names must be, from 0 to 1, for one to be offered for the other.
const NEAR: f64 = 0.75;

/// What serde ends a message with, and what it means.
const PLAIN: [(&str, &str); 7] = [
    (", expected f64", "must be a number"),
    (", expected i64", "must be a whole number"),
    (", expected u64", "must be a whole number of 0 or more"),
    (", expected usize", "must be a whole number of 0 or more"),
    // Ports are the only ones of this type.
    (", expected u16", "must be 1 to 65535"),
    (", expected a string", "must be text: put it in quotes"),
    (", expected a sequence", "must be a list"),
];

/// A document, read as YAML and not yet as anything in particular.
pub struct Document {
    root: Node,
    /// Field path to where its value stands.
    positions: BTreeMap<String, Position>,
}

impl Document {
    /// Reads the text as one YAML document; none at all is an empty one.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let root = Node::parse(text)?;
        let mut positions = BTreeMap::new();
        locate(&root, String::new(), &mut positions);
        Ok(Self { root, positions })
    }

    /// The text of a field of the document itself, if it is there and is text.
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.get(field)? {
            Tree::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The names of the document's own fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        let entries = if let Tree::Map(entries) = &self.root.tree { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, _)| key.name.as_str())
    }

    /// Whether the document says nothing.
    pub fn is_empty(&self) -> bool {
        matches!(&self.root.tree, Tree::Leaf(Value::Null))
    }

    /// Reads the document as a `T`, noting every unknown name and every value of a wrong type.
    ///
    /// `example` is a valid `T` that shows all names; where `problems` grew, parts of it stand in the result.
    pub fn read<T: DeserializeOwned + Serialize>(&self, example: &T, problems: &mut Vec<Problem>) -> Option<T> {
        let example = serde_json::to_value(example).expect("an example is maps with text keys, which JSON can hold");
        let mut value = known(&self.root, &example, "", problems);
        for _ in 0..MANY {
            let error = match serde_path_to_error::deserialize::<_, T>(&value) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            let field = path_of(error.path());
            problems.push(self.problem(&field, for_people(&error.inner().to_string(), &field)));
            *place_of(&mut value, error.path())? = stand_in(&example, error.path())?.clone();
        }
        None
    }

    /// A problem at a field; where the field is left out, it stands at what should have held it.
    pub fn problem(&self, field: &str, message: impl Into<String>) -> Problem {
        let mut place = field;
        let at = loop {
            match (self.positions.get(place), place.rfind(['.', '['])) {
                (Some(at), _) => break *at,
                (None, Some(end)) => place = &place[..end],
                (None, None) => break self.root.at,
            }
        };
        Problem { line: at.line, column: at.column, field: field.into(), message: message.into(), suggestion: None }
    }

    fn get(&self, field: &str) -> Option<&Tree> {
        let Tree::Map(entries) = &self.root.tree else { return None };
        entries.iter().find(|(key, _)| key.name == field).map(|(_, node)| &node.tree)
    }
}

/// The valid name that is nearest to a wrong one, if any is near.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase());
    names
        .into_iter()
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn locate(node: &Node, path: String, positions: &mut BTreeMap<String, Position>) {
    match &node.tree {
        Tree::Leaf(_) => {}
        Tree::List(items) => {
            for (index, item) in items.iter().enumerate() {
                locate(item, format!("{path}[{index}]"), positions);
            }
        }
        Tree::Map(entries) => {
            for (key, entry) in entries {
                locate(entry, joined(&path, &key.name), positions);
            }
        }
    }
    positions.insert(path, node.at);
}

/// The node as a plain value without the names that the example does not have.
///
/// An example that is an empty map stands for any names, such as labels.
fn known(node: &Node, example: &Value, path: &str, problems: &mut Vec<Problem>) -> Value {
    let names = example.as_object().filter(|names| !names.is_empty());
    match (&node.tree, names) {
        (Tree::Map(entries), None) => {
            let value = |(key, entry): &(Key, Node)| {
                (key.name.clone(), known(entry, &Value::Null, &joined(path, &key.name), problems))
            };
            Value::Object(entries.iter().map(value).collect())
        }
        (Tree::Map(entries), Some(names)) => {
            let mut values = serde_json::Map::new();
            for (key, entry) in entries {
                let field = joined(path, &key.name);
                match names.get(&key.name) {
                    Some(example) => {
                        values.insert(key.name.clone(), known(entry, example, &field, problems));
                    }
                    None => problems.push(Problem {
                        line: key.at.line,
                        column: key.at.column,
                        field,
                        message: "unknown field".into(),
                        suggestion: nearest(&key.name, names.keys().map(String::as_str)).map(str::to_owned),
                    }),
                }
            }
            Value::Object(values)
        }
        // A section whose lines are all commented out.
        (Tree::Leaf(Value::Null), Some(_)) => Value::Object(serde_json::Map::new()),
        (Tree::Leaf(_) | Tree::List(_), Some(names)) => {
            let names: Vec<_> = names.keys().map(String::as_str).collect();
            let message = format!("must be a map of {}", names.join(", "));
            let Position { line, column } = node.at;
            problems.push(Problem { line, column, field: path.into(), message, suggestion: None });
            example.clone()
        }
        (Tree::Leaf(value), None) => value.clone(),
        (Tree::List(items), None) => {
            let example = example.get(0).unwrap_or(&Value::Null);
            let value = |(index, item)| known(item, example, &format!("{path}[{index}]"), problems);
            Value::Array(items.iter().enumerate().map(value).collect())
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What serde says of a value that does not fit, without the names of Rust's types.
fn for_people(message: &str, field: &str) -> String {
    if message == "invalid type: null, expected a sequence" {
        let name = field.rsplit('.').next().unwrap_or(field);
        return format!("holds nothing: write `{name}: []` for none");
    }
    let said = |(technical, plain): &(&str, &str)| Some(format!("{}, {plain}", message.strip_suffix(technical)?));
    PLAIN.iter().find_map(said).unwrap_or_else(|| message.to_owned())
}

fn path_of(path: &serde_path_to_error::Path) -> String {
    if path.iter().len() == 0 { String::new() } else { path.to_string() }
}

fn place_of<'a>(value: &'a mut Value, path: &serde_path_to_error::Path) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |value, segment| match segment {
        Segment::Seq { index } => value.get_mut(index),
        Segment::Map { key } => value.get_mut(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}

fn stand_in<'a>(example: &'a Value, path: &serde_path_to_error::Path) -> Option<&'a Value> {
    path.iter().try_fold(example, |example, segment| match segment {
        Segment::Seq { .. } => example.get(0),
        Segment::Map { key } => example.get(key),
        Segment::Enum { .. } | Segment::Unknown => None,
    })
}
