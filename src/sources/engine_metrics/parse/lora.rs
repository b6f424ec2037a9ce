//! vLLM's LoRA adapters: the labels of one series, which is the newest of many.
//!
//! Each combination of adapters is a series of its own and stays on the page; its value is the time when it held.

use super::sample::Labels;
use crate::model::{Adapter, AdapterReport};

/// Names read of one list: more than an engine has adapters.
const MOST_NAMES: usize = 1024;

/// The newest series so far.
#[derive(Debug, Default)]
pub struct Lora {
    newest: Option<(f64, AdapterReport)>,
}

impl Lora {
    /// Takes in a series that held at `time`.
    pub fn series(&mut self, labels: &Labels<'_>, time: f64) {
        if self.newest.as_ref().is_some_and(|(newest, _)| *newest > time) {
            return;
        }
        let (mut slots, mut waiting, mut running) = (0, Vec::new(), Vec::new());
        for (name, value) in labels.clone() {
            match name {
                "max_lora" => slots = value.parse().unwrap_or(0),
                "waiting_lora_adapters" => waiting = adapters(&value),
                "running_lora_adapters" => running = adapters(&value),
                _ => {}
            }
        }
        waiting.append(&mut running);
        self.newest = Some((time, AdapterReport { slots, in_use: waiting }));
    }

    /// What the newest series says; nothing where the engine takes no adapters.
    pub fn report(self) -> Option<AdapterReport> {
        self.newest.map(|(_, report)| report).filter(|report| report.slots > 0)
    }
}

/// The names of a list, which may have spaces and may be empty.
fn adapters(list: &str) -> Vec<Adapter> {
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).take(MOST_NAMES).map(Adapter::named).collect()
}
