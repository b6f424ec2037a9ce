//! Homing: the picker that serves, told in virtual time what a gateway and a scraper would tell it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ConfigWriter, PickerConfig, live};
use crate::ext_proc::{Api, with_content};
use crate::model::{
    Endpoint, EndpointId, EngineKind, EngineReport, Now, Part, Prompt, Request as PickRequest, SessionHint,
    SessionSource, Unit,
};
use crate::pick::{Head, Origin, Picked, Picker, Usage};
use crate::replay::Seconds;
use crate::replay::engine::Request;
use crate::replay::trace::{Arrival, Content, MOONCAKE_BLOCK};
use crate::state::{PoolReader, PoolWriter, PrefixIndex, pool};

use super::{Policy, Said, Setting, View};

/// Bytes of one block of a Mooncake trace, in token ids.
const BLOCK_BYTES: usize = MOONCAKE_BLOCK as usize * crate::model::TOKEN_ID_BYTES;

/// One picker with its pool.
pub struct Homing {
    picker: Arc<Picker>,
    pool: PoolReader,
    /// Kept, because a pool and a configuration whose writers are gone are different ones.
    writers: (PoolWriter, ConfigWriter),
    /// By the engines' numbers; those that have left keep their last.
    endpoints: Vec<EndpointId>,
    picked: HashMap<u64, Picked, ahash::RandomState>,
    base: Now,
    seed: u64,
    token_ids: Vec<u8>,
}

impl Homing {
    /// A picker with `config` over all engines of `setting`.
    pub fn new(config: &PickerConfig, setting: &Setting) -> Self {
        let index = Arc::<PrefixIndex>::default();
        let (reader, writer) = pool(Arc::clone(&index));
        let (config_reader, config_writer) = live(config.clone());
        let picker = Picker::new(reader.clone(), config_reader, index, Arc::default(), "replay", setting.base.instant);
        Self {
            picker: Arc::new(picker),
            pool: reader,
            writers: (writer, config_writer),
            endpoints: Vec::new(),
            picked: HashMap::default(),
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

    /// Makes token ids of the ids of blocks: equal ones of equal ones.
    fn write_token_ids(&mut self, ids: &[u64], arrival: &Arrival) {
        let bytes = usize::try_from(arrival.input_tokens).unwrap_or(usize::MAX) * crate::model::TOKEN_ID_BYTES;
        self.token_ids.clear();
        for id in ids {
            self.token_ids.extend_from_slice([id.to_le_bytes(); BLOCK_BYTES / 8].as_flattened());
        }
        // What has no id is nobody else's.
        let own = !arrival.number;
        while self.token_ids.len() < bytes {
            self.token_ids.extend_from_slice([own.to_le_bytes(); BLOCK_BYTES / 8].as_flattened());
        }
        self.token_ids.truncate(bytes);
    }
}

impl Policy for Homing {
    fn pick(&mut self, arrival: &Arrival, _: &View<'_>, now: Seconds) -> Option<usize> {
        if let Content::Ids(ids) = &arrival.content {
            self.write_token_ids(ids, arrival);
        }
        let now = self.at(now);
        let generated = format!("{}-{}", self.seed, arrival.number);
        let session = match &arrival.session {
            Some(id) => SessionHint { id: Some(id), source: SessionSource::Header, ..SessionHint::default() },
            // A client that does not send its id back gets a new one each time.
            None if self.picker.config().sessions.generate => {
                SessionHint { id: Some(&generated), source: SessionSource::Generated, ..SessionHint::default() }
            }
            None => SessionHint::default(),
        };
        let pick = |prompt: Option<Prompt<'_>>| {
            let prompt = prompt.map(|prompt| Prompt { streams: true, ..prompt });
            self.picker.pick(&PickRequest { id: None, session, subset: None, prompt, unread_bytes: None }, now)
        };
        let picked = match &arrival.content {
            Content::Ids(_) => {
                let parts = [Part::Bytes(&self.token_ids)];
                pick(Some(Prompt { model: "", salt: "", parts: &parts, unit: Unit::TokenIds, streams: true }))
            }
            Content::Body(body) => with_content(Api::Unsaid, body.as_bytes(), false, |content| pick(content.prompt)),
        };
        let picked = picked.ok()?;
        let engine = self.engine(&picked)?;
        self.picked.insert(arrival.number, picked);
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
        if let Some(picked) = self.picked.get_mut(&request.number) {
            picked.answered(head(200), now);
        }
    }

    fn failed(&mut self, request: &Request, _: usize, is_new: bool, now: Seconds) {
        if let Some(mut picked) = self.picked.remove(&request.number).filter(|_| is_new) {
            // The gateway got no connection. Where it lost one, the head was there already, and nothing more comes.
            picked.answered(Head { origin: Origin::Gateway, ..head(503) }, self.at(now));
        }
    }

    fn first_token(&mut self, request: &Request, _: usize, now: Seconds) {
        let now = self.at(now);
        if let Some(picked) = self.picked.get_mut(&request.number) {
            picked.first_byte(now);
        }
    }

    fn finished(&mut self, request: &Request, _: usize, now: Seconds) {
        let usage = Usage { prompt_tokens: Some(request.input_tokens), answer_tokens: request.output_tokens };
        if let Some(picked) = self.picked.remove(&request.number) {
            picked.completed(usage, self.at(now));
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
}

fn endpoint(number: usize) -> Endpoint {
    let [.., high, low] = number.to_be_bytes();
    Endpoint::new(&format!("r{number}"), ([10, 0, high, low], 8000).into())
}

fn head(status: u16) -> Head {
    Head { status, served: None, is_event_stream: status < 400, origin: Origin::Endpoint, is_steered: true }
}
