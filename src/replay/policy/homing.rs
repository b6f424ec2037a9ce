//! Homing: the picker that serves, told in virtual time what a gateway and a scraper would tell it.
//!
//! What it is asked is read by the code that serves: the session as the session header or a field of the body, and the
//! body only where the picker needs it. Left out is what comes before a pick: other headers, tenants and subsets, and
//! bodies that are too large or too late.

mod asked;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ConfigWriter, PickerConfig, live};
use crate::model::{Endpoint, EndpointId, EngineKind, EngineReport, Now};
use crate::pick::{Head, Origin, Picked, Picker, Replica, Told, Usage};
use crate::replay::Seconds;
use crate::replay::engine::Request;
use crate::replay::trace::Arrival;
use crate::state::{Outbox, PoolReader, PoolWriter, PrefixIndex, pool};

use super::{Policy, Said, Setting, View};
use asked::{streams, with_request};

/// One picker with its pool.
pub struct Homing {
    picker: Arc<Picker>,
    /// Its part in the exchange with other pickers, where there is one.
    replica: Option<Replica>,
    pool: PoolReader,
    /// Kept, because a pool and a configuration whose writers are gone are different ones.
    writers: (PoolWriter, ConfigWriter),
    /// By the engines' numbers; those that have left keep their last.
    endpoints: Vec<EndpointId>,
    sent: HashMap<u64, Sent, ahash::RandomState>,
    /// Numbers of those whose prefill ends by prediction.
    predicted: Vec<u64>,
    base: Now,
    seed: u64,
    token_ids: Vec<u8>,
}

/// A request under way.
struct Sent {
    picked: Picked,
    /// Whether the answer comes as a stream. Its head comes at once then, and with the whole answer otherwise.
    streams: bool,
}

impl Homing {
    /// A picker with `config` over all engines of `setting`.
    pub fn new(config: &PickerConfig, setting: &Setting) -> Self {
        let index = Arc::<PrefixIndex>::default();
        let (reader, writer) = pool(Arc::clone(&index));
        let (config_reader, config_writer) = live(config.clone());
        let picker = Picker::new(reader.clone(), config_reader, index, Arc::default(), "replay", setting.base.instant);
        let outbox = setting.replica.map(|number| Arc::new(Outbox::new(number)));
        Self {
            replica: outbox.clone().map(|outbox| Replica::new(outbox, "replay", setting.base)),
            picker: Arc::new(outbox.into_iter().fold(picker, Picker::with_outbox)),
            pool: reader,
            writers: (writer, config_writer),
            endpoints: Vec::new(),
            sent: HashMap::default(),
            predicted: Vec::new(),
            base: setting.base,
            seed: setting.seed,
            token_ids: Vec::new(),
        }
    }

    fn at(&self, now: Seconds) -> Now {
        let since = Duration::from_secs_f64(now);
        Now { instant: self.base.instant + since, wall: self.base.wall + since }
    }

    /// The number of the engine that a pick names.
    fn engine(&self, picked: &Picked) -> Option<usize> {
        let address = picked.destination().parse().ok()?;
        let id = self.pool.load().at(address)?.id;
        self.endpoints.iter().position(|endpoint| *endpoint == id)
    }

    /// What a server's timers would have done by now: nothing else tells when an answer that does not stream is past
    /// its prefill.
    fn end_waits(&mut self, now: Now) {
        let Self { predicted, sent, .. } = self;
        predicted.retain(|number| {
            let Some(Sent { picked, .. }) = sent.get_mut(number) else { return false };
            if picked.waits_until().is_some_and(|until| until <= now.instant) {
                picked.waited();
            }
            picked.waits_until().is_some()
        });
    }
}

impl Policy for Homing {
    fn pick(&mut self, arrival: &Arrival, _: &View<'_>, now: Seconds) -> Option<usize> {
        let now = self.at(now);
        self.end_waits(now);
        let generated = format!("{}-{}", self.seed, arrival.number);
        let Self { picker, token_ids, .. } = self;
        let picked =
            with_request(arrival, picker, &generated, token_ids, now, |request| picker.pick(request, now)).ok()?;
        let engine = self.engine(&picked)?;
        let streams = streams(arrival);
        if !streams {
            self.predicted.push(arrival.number);
        }
        self.sent.insert(arrival.number, Sent { picked, streams });
        Some(engine)
    }

    fn pool(&mut self, members: &[usize], _: Seconds) {
        let (writer, _) = &mut self.writers;
        writer.replace(members.iter().map(|number| endpoint(*number)).collect());
        writer.settle();
        for (number, member) in members.iter().zip(self.pool.load().members()) {
            // Numbers are given once and in order.
            match self.endpoints.get_mut(*number) {
                Some(id) => *id = member.id,
                None => self.endpoints.push(member.id),
            }
        }
    }

    fn accepted(&mut self, request: &Request, _: usize, now: Seconds) {
        let now = self.at(now);
        // Engines send the head of a streamed answer at once.
        if let Some(Sent { picked, .. }) = self.sent.get_mut(&request.number).filter(|sent| sent.streams) {
            picked.answered(head(200, true), now);
        }
    }

    fn failed(&mut self, request: &Request, _: usize, is_new: bool, now: Seconds) {
        let sent = self.sent.remove(&request.number);
        if let Some(Sent { mut picked, .. }) = sent.filter(|sent| is_new || !sent.streams) {
            // The gateway has no answer. Where it had lost one, the head was there already, and nothing more comes.
            picked.answered(Head { origin: Origin::Gateway, ..head(503, false) }, self.at(now));
        }
    }

    fn first_token(&mut self, request: &Request, _: usize, now: Seconds) {
        let now = self.at(now);
        if let Some(Sent { picked, .. }) = self.sent.get_mut(&request.number).filter(|sent| sent.streams) {
            picked.first_byte(now);
        }
    }

    fn finished(&mut self, request: &Request, _: usize, now: Seconds) {
        let now = self.at(now);
        let usage = Usage { prompt_tokens: Some(request.input_tokens), answer_tokens: request.output_tokens };
        if let Some(Sent { mut picked, streams }) = self.sent.remove(&request.number) {
            if !streams {
                picked.answered(head(200, false), now);
                picked.first_byte(now);
            }
            picked.completed(usage, now);
        }
    }

    fn scraped(&mut self, engine: usize, said: &Said, now: Seconds) {
        let count = |count: usize| Some(u32::try_from(count).unwrap_or(u32::MAX));
        let report = EngineReport {
            engine: Some(EngineKind::Vllm),
            waiting: count(said.gauges.waiting),
            running: count(said.gauges.running),
            kv_usage: Some(said.gauges.kv_usage),
            block_tokens: Some(said.block_tokens),
            blocks: Some(said.blocks as u64),
            ..EngineReport::default()
        };
        self.picker.engine_said(self.endpoints[engine], Ok(&report), self.at(now).instant);
    }

    fn tell(&mut self, now: Seconds) -> Option<Vec<u8>> {
        let now = self.at(now);
        let replica = self.replica.as_mut()?;
        self.picker.forget_silent(replica, now);
        self.picker.tell(replica, now)
    }

    fn hear(&mut self, bytes: &[u8], now: Seconds) {
        let now = self.at(now);
        if let Some(replica) = &mut self.replica {
            self.picker.hear(replica, bytes, Told::Now, now).expect("what a picker tells, another understands");
        }
    }
}

fn endpoint(number: usize) -> Endpoint {
    let [.., high, low] = number.to_be_bytes();
    Endpoint::new(&format!("r{number}"), ([10, 0, high, low], 8000).into())
}

fn head(status: u16, is_event_stream: bool) -> Head {
    Head { status, served: None, is_event_stream, origin: Origin::Endpoint, is_steered: true }
}

#[cfg(test)]
mod tests;
