//! A stream's first message: from its bytes to what is known of the request, and to a pick where there is no body.

use std::hint::black_box;
use std::sync::Arc;

use criterion::BenchmarkId;
use homing::ext_proc::{Budget, Machine, Options};
use homing::model::Now;
use homing::proto::envoy::ProcessingRequest;
use prost::Message;

use crate::Steps;
use crate::pickers;
use crate::requests::scripted;

pub fn bench(criterion: &mut Steps) {
    let mut group = criterion.benchmark_group("headers");
    let picker = pickers::picker(8);
    let budget = Arc::new(Budget::new(picker.metrics().buffered_bytes.clone()));
    for (name, body) in [("of a GET, picked", None), ("of a chat, its body awaited", Some(1 << 10))] {
        let bytes = scripted(1, body, None).request.swap_remove(0);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                let mut machine = Machine::new(Arc::clone(&picker), Arc::clone(&budget), Options::default());
                if let Ok(message) = ProcessingRequest::decode(black_box(bytes.clone())) {
                    machine.message(message, Now::read());
                }
                while let Some(reply) = machine.next_reply() {
                    black_box(reply);
                }
            });
        });
    }
}
