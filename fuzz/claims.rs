//! What holds for every input, whatever its bytes: shared by the fuzz targets and by `tests/fuzz.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use homing::config;
use homing::sources::{endpoints_file, engine_metrics};

/// A configuration that is accepted reads back as itself; one that is refused says at least one reason.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match config::parse(text) {
        Ok(parsed) => {
            let written = serde_json::to_string(&parsed.config).expect("plain data");
            let again = config::parse(&written).expect("what was accepted is accepted again");
            assert_eq!(again.config, parsed.config);
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

/// Endpoints that are accepted have names and addresses of their own; a refusal says at least one reason.
pub fn endpoints(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match endpoints_file::parse(text) {
        Ok(endpoints) => {
            for (index, one) in endpoints.iter().enumerate() {
                assert!(one.address.port() > 0 && one.weight.is_finite());
                assert!(endpoints[..index].iter().all(|other| other.name != one.name && other.address != one.address));
            }
        }
        Err(error) => assert!(!error.problems.is_empty()),
    }
}

/// A page says the same however it is cut, and no share is above 1.
pub fn engine_metrics(data: &[u8]) {
    let Some((cut, page)) = data.split_first() else { return };
    let mut pieces = engine_metrics::Page::default();
    page.chunks(usize::from(*cut).max(1)).for_each(|piece| pieces.push(piece));
    let report = pieces.finish();
    assert_eq!(report, engine_metrics::parse(page));
    assert!(report.kv_usage.is_none_or(|share| (0.0..=1.0).contains(&share)));
}
