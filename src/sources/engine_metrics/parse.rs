//! The few families we want of an engine's metrics page, read line by line as it arrives.
//!
//! [`parse`] takes a whole page; [`Page`] takes it in pieces, and keeps one line of it at most.

mod sample;

use sample::{Labels, Sample};

use crate::model::EngineReport;

/// Longest line that is read; vLLM's longest is under 2 KiB. What is longer is skipped.
const LINE: usize = 16 << 10;

/// A metrics page as far as it has arrived.
#[derive(Debug, Default)]
pub struct Page {
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    /// That line is too long, so its rest is passed over.
    skipping: bool,
    totals: Totals,
}

/// What the lines so far add up to: an engine with several ranks has a series for each.
#[derive(Debug, Default)]
struct Totals {
    waiting: Option<f64>,
    running: Option<f64>,
    kv_usage: Option<f64>,
    block_tokens: Option<u64>,
    blocks: Option<u64>,
    process_start: Option<f64>,
}

/// Reads a whole page.
pub fn parse(page: &[u8]) -> EngineReport {
    let mut pieces = Page::default();
    pieces.push(page);
    pieces.finish()
}

impl Page {
    /// Takes the next piece of the page, cut anywhere.
    pub fn push(&mut self, mut piece: &[u8]) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (rest, next) = (&piece[..end], &piece[end + 1..]);
            if self.line.is_empty() && !self.skipping {
                self.totals.line(rest);
            } else {
                self.keep(rest);
                self.end_line();
            }
            piece = next;
        }
        self.keep(piece);
    }

    /// What the page says, all in all.
    pub fn finish(mut self) -> EngineReport {
        self.end_line();
        let Totals { waiting, running, kv_usage, block_tokens, blocks, process_start } = self.totals;
        // A float too large for the integer becomes its maximum.
        let count = |sum: f64| sum as u32;
        EngineReport {
            waiting: waiting.map(count),
            running: running.map(count),
            kv_usage: kv_usage.map(|share| share.min(1.0)),
            block_tokens,
            blocks,
            process_start,
        }
    }

    fn keep(&mut self, part: &[u8]) {
        self.skipping |= self.line.len() + part.len() > LINE;
        if self.skipping {
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        self.totals.line(&self.line);
        self.line.clear();
        self.skipping = false;
    }
}

impl Totals {
    fn line(&mut self, line: &[u8]) {
        if line.len() > LINE || line.first().is_none_or(|first| *first == b'#') {
            return;
        }
        let Some(Sample { family, labels, value }) = Sample::parse(line) else { return };
        // NaN, infinities and negative numbers say nothing about a queue.
        if !(value.is_finite() && value >= 0.0) {
            return;
        }
        match family {
            "vllm:num_requests_waiting" => self.waiting = Some(self.waiting.unwrap_or(0.0) + value),
            "vllm:num_requests_running" => self.running = Some(self.running.unwrap_or(0.0) + value),
            // The second name is the older one; for a while both were there.
            "vllm:kv_cache_usage_perc" | "vllm:gpu_cache_usage_perc" => {
                self.kv_usage = Some(self.kv_usage.unwrap_or(0.0).max(value));
            }
            "vllm:cache_config_info" => self.cache(labels),
            "process_start_time_seconds" => self.process_start = Some(value),
            _ => {}
        }
    }

    /// Each rank has blocks of its own; the size of a block is the same for all.
    fn cache(&mut self, labels: Labels<'_>) {
        for (name, value) in labels {
            let Ok(number) = value.parse::<u64>() else { continue };
            match name {
                "block_size" => self.block_tokens = Some(number),
                "num_gpu_blocks" => self.blocks = Some(self.blocks.unwrap_or(0).saturating_add(number)),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
