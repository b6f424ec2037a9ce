//! The members of a body that a pick may depend on, and which of them are its prompt.

use std::borrow::Cow;

use super::super::api::Api;
use super::{billing, json};

/// One list of the members, for their places must agree.
macro_rules! members {
    ($($vis:vis $member:ident = $name:literal,)*) => {
        /// The JSON texts of what may matter, each as the client wrote it.
        #[derive(Clone, Copy)]
        pub struct Body<'a> {
            $($vis $member: Option<&'a str>,)*
        }

        impl<'a> Body<'a> {
            /// Reads a body; `None` if it is not a JSON object.
            pub fn read(body: &'a str) -> Option<Self> {
                let [$($member),*] = json::members(body, &[$($name),*])?;
                Some(Self { $($member),* })
            }
        }
    };
}

members! {
    model = "model",
    adapter = "lora_path",
    stream = "stream",
    salt = "cache_salt",
    extra_key = "extra_key",
    tools = "tools",
    system = "system",
    instructions = "instructions",
    messages = "messages",
    prompt = "prompt",
    input = "input",
    token_ids = "token_ids",
    input_ids = "input_ids",
    text = "text",
    text_input = "text_input",
    inputs = "inputs",
    features = "features",
    image_data = "image_data",
    video_data = "video_data",
    audio_data = "audio_data",
    previous_response = "previous_response_id",
    pub session_id = "session_id",
    pub metadata = "metadata",
    pub litellm_session_id = "litellm_session_id",
    pub vllm_xargs = "vllm_xargs",
    pub nvext = "nvext",
    pub session_params = "session_params",
    pub conversation = "conversation",
    pub prompt_cache_key = "prompt_cache_key",
}

/// What a body says of its prompt.
pub struct Said<'a> {
    /// The model or adapter.
    pub model: Option<Cow<'a, str>>,
    /// What separates its blocks from those of others.
    pub salt: Option<Cow<'a, str>>,
    /// Whether the answer is to be a stream.
    pub streams: bool,
    /// Whether the engine puts more of the conversation before it.
    pub is_excerpt: bool,
    /// What stands before the prompt: tools, then system prompt; empty where there is none.
    pub before: [&'a str; 2],
    /// The prompt.
    pub main: Main<'a>,
    /// Media beside the prompt; empty where there are none.
    pub beside: [&'a str; 3],
    /// Where media stand in token ids.
    pub features: Option<&'a str>,
}

/// The prompt of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Main<'a> {
    /// There is none.
    None,
    /// JSON text: a string, or a list of strings, messages or items.
    Text(&'a str),
    /// The JSON text of a list of token ids, or of a list of such lists.
    TokenIds(&'a str),
}

/// The member that was taken for the prompt.
#[derive(Clone, Copy)]
enum Taken<'a> {
    /// Messages, which are a list.
    Messages(&'a str),
    /// Anything that a prompt may be.
    Any(&'a str),
}

impl<'a> Body<'a> {
    /// What it says in `api`; `None` if a member that matters is of a wrong type.
    pub fn said(&self, api: Api) -> Option<Said<'a>> {
        let model = self.model.map(|model| json::text(model).ok_or(())).transpose().ok()?;
        // An adapter has blocks of its own, whatever model it is for; a list of them belongs to a batch.
        let adapter = self.adapter.and_then(json::text).filter(|adapter| !adapter.is_empty());
        let (system, main) = self.prompt(api);
        let is_generate = matches!(api, Api::SglangGenerate | Api::Unsaid);
        let beside = if is_generate { [self.image_data, self.video_data, self.audio_data] } else { [None; 3] };
        Some(Said {
            model: adapter.or(model),
            salt: self.salts(),
            streams: self.stream == Some("true"),
            is_excerpt: [self.previous_response, self.conversation, self.session_params].iter().any(Option::is_some),
            before: [self.tools, system].map(Option::unwrap_or_default),
            main: main.map_or(Some(Main::None), Taken::read)?,
            beside: beside.map(Option::unwrap_or_default),
            features: self.features.filter(|_| matches!(api, Api::VllmGenerate | Api::Unsaid)),
        })
    }

    /// The salt and SGLang's extra key, which separate alike. Of two, the length of the first tells where it ends.
    fn salts(&self) -> Option<Cow<'a, str>> {
        let text = |json: Option<&'a str>| json.and_then(json::text).filter(|text| !text.is_empty());
        match (text(self.salt), text(self.extra_key)) {
            (Some(salt), Some(key)) => Some(format!("{} {salt}{key}", salt.len()).into()),
            (salt, key) => salt.or(key),
        }
    }

    /// The system prompt and the prompt, by the members that this API has.
    fn prompt(&self, api: Api) -> (Option<&'a str>, Option<Taken<'a>>) {
        let system = || self.system.map(billing::without);
        let messages = self.messages.map(Taken::Messages);
        // TGI's are text; other servers have other inputs.
        let inputs = self.inputs.filter(|json| json.starts_with('"')).map(Taken::Any);
        let [prompt, input, token_ids, input_ids, text, text_input] =
            [self.prompt, self.input, self.token_ids, self.input_ids, self.text, self.text_input]
                .map(|json| json.map(Taken::Any));
        match api {
            Api::Chat => (None, messages),
            Api::Completions => (None, prompt),
            Api::Responses => (self.instructions, input),
            Api::Embeddings => (None, input.or(messages)),
            Api::Messages => (system(), messages),
            Api::VllmGenerate => (None, token_ids),
            Api::SglangGenerate => (None, input_ids.or(text).or(prompt).or(inputs)),
            Api::TritonGenerate => (None, text_input),
            Api::Unsaid => {
                let generate = token_ids.or(input_ids).or(text).or(text_input).or(inputs);
                (system().or(self.instructions), messages.or(input).or(prompt).or(generate))
            }
        }
    }
}

impl<'a> Taken<'a> {
    fn read(self) -> Option<Main<'a>> {
        match self {
            Self::Messages(json) => json.starts_with('[').then(|| Main::of(json))?,
            Self::Any(json) => Main::of(json),
        }
    }
}

impl<'a> Main<'a> {
    /// The prompt that a JSON text is, by how it begins; `None` if it is none.
    fn of(json: &'a str) -> Option<Self> {
        if json.starts_with('"') {
            return Some(Self::Text(json));
        }
        match json.strip_prefix('[')?.trim_start().as_bytes().first()? {
            b'"' | b'{' | b']' => Some(Self::Text(json)),
            b'[' | b'0'..=b'9' | b'-' => Some(Self::TokenIds(json)),
            _ => None,
        }
    }
}
