//! A pool by flags instead of an object: labels and ports, as the reference pickers write them.

use std::collections::BTreeMap;

/// Target ports that a pool may have.
const MOST_PORTS: usize = 8;

/// Reads `app=llama,tier=gold`.
///
/// # Errors
/// Something is not of the form `key=value`.
pub fn parse_selector(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut labels = BTreeMap::new();
    for pair in text.split(',').map(str::trim) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, "!"));
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        if key.is_empty() || !plain(key) || !plain(value) {
            return Err(format!("`{pair}` is not of the form key=value, as in app=llama,tier=gold"));
        }
        if labels.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("the label {key} is named twice"));
        }
    }
    Ok(labels)
}

/// Reads `8000,8001`: 1 to 8 ports, each once.
///
/// # Errors
/// Something is no port, or there are too many.
pub fn parse_ports(text: &str) -> Result<Vec<u16>, String> {
    let mut ports = Vec::new();
    for word in text.split(',').map(str::trim) {
        match word.parse::<u16>() {
            Ok(port) if port > 0 && !ports.contains(&port) => ports.push(port),
            Ok(port) if port > 0 => return Err(format!("the port {port} is named twice")),
            _ => return Err(format!("`{word}` is not a port, which is between 1 and 65535, as in 8000,8001")),
        }
    }
    if ports.len() > MOST_PORTS {
        return Err(format!("{} ports are too many, a pool has at most {MOST_PORTS}", ports.len()));
    }
    Ok(ports)
}

/// The labels as the API server wants them in a request.
pub fn selector_text(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_a_list_of_pairs() {
        let labels = parse_selector("app=llama, llm-d.ai/role=").expect("a selector");
        assert_eq!(selector_text(&labels), "app=llama,llm-d.ai/role=");
        for bad in ["", "app", "app=llama,", "app==llama", "app!=llama", "app in (a)", "=llama", "app=a,app=b"] {
            assert!(parse_selector(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ports_are_a_list_of_one_to_eight_numbers() {
        assert_eq!(parse_ports("8001, 8000"), Ok(vec![8001, 8000]));
        for bad in ["", "0", "70000", "http", "8000,8000", "8000,", "1,2,3,4,5,6,7,8,9"] {
            assert!(parse_ports(bad).is_err(), "{bad:?}");
        }
    }
}
