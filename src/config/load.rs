//! From text to a checked configuration.

use super::document::Document;
use super::problem::ConfigError;
use super::schema::PickerConfig;
use super::validate::validate;

/// The kind of the reference picker's document, which its manifests mount at the same place.
const REFERENCE_KIND: &str = "EndpointPickerConfig";

/// A checked configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What the document says, the defaults for the rest.
    pub config: PickerConfig,
    /// What was accepted and has no effect, a sentence each.
    pub warnings: Vec<String>,
}

/// Reads and checks a configuration document; an empty one is the defaults.
///
/// An `EndpointPickerConfig` of the reference picker is the defaults and a warning that lists what was ignored.
///
/// # Errors
/// Every problem of the document, with line, column, field and the nearest valid name.
pub fn parse(text: &str) -> Result<Parsed, ConfigError> {
    let document = Document::parse(text)?;
    if document.is_empty() {
        return Ok(Parsed { config: PickerConfig::default(), warnings: Vec::new() });
    }
    if document.text("kind") == Some(REFERENCE_KIND) {
        return Ok(Parsed { config: PickerConfig::default(), warnings: vec![ignored(&document)] });
    }

    let mut problems = Vec::new();
    let config = document.read(&PickerConfig::default(), &mut problems);
    if let Some(config) = &config {
        validate(config, |field, message| problems.push(document.problem(field, message)));
    }
    match config {
        Some(config) if problems.is_empty() => Ok(Parsed { config, warnings: Vec::new() }),
        _ => Err(problems.into()),
    }
}

fn ignored(document: &Document) -> String {
    let fields: Vec<_> = document.fields().filter(|field| !["apiVersion", "kind"].contains(field)).collect();
    let what = if fields.is_empty() { "nothing in it".to_owned() } else { fields.join(", ") };
    format!("this is an {REFERENCE_KIND}, which Homing does not follow: {what} ignored, the defaults of Homing hold")
}

#[cfg(test)]
mod tests;
