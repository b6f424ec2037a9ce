//! The decision as a whole: state and routing, from the facts of a request to its booked pick, and the booking's end.

use std::hint::black_box;

use criterion::BenchmarkId;
use homing::model::{Now, Part};

use crate::Steps;
use crate::pickers::{only, picker, request};
use crate::requests::prose;

/// Endpoints, bytes of prompt, and how that is told in the report. 400,000 bytes are about 100,000 tokens.
const CASES: [(u16, usize, &str); 5] = [
    (8, 1 << 10, "8 endpoints, 1 KB"),
    (8, 256 << 10, "8 endpoints, 256 KB"),
    (100, 1 << 10, "100 endpoints, 1 KB"),
    (100, 400_000, "100 endpoints, 100,000 tokens that all hold in part"),
    (5_000, 1 << 10, "5,000 endpoints, 1 KB"),
];

pub fn bench(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("decision");
    for (endpoints, bytes, name) in CASES {
        let picker = picker(endpoints);
        let text = prose(1, bytes);
        // Each endpoint has seen another part of the prompt, the dearest case, because it alone was allowed then.
        for number in 0..endpoints.min(100) {
            let part = bytes * (usize::from(number) + 1) / usize::from(endpoints.min(100));
            let (parts, only) = ([Part::Bytes(&text.as_bytes()[..part])], only(number));
            let _ = picker.pick(&request("other", &parts, Some(&only)), Now::read());
        }
        let parts = [Part::Bytes(text.as_bytes())];
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| picker.pick(black_box(&request("bench", &parts, None)), Now::read()));
        });
    }
}
