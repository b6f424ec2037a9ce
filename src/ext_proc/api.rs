//! Which API a request speaks, by its path.

/// The APIs whose bodies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's completions.
    Completions,
    /// OpenAI's responses.
    Responses,
    /// OpenAI's embeddings.
    Embeddings,
    /// Anthropic's messages.
    Messages,
    /// vLLM's native generate, which takes token ids.
    VllmGenerate,
    /// SGLang's native generate, and that of TGI.
    SglangGenerate,
    /// Triton's generate, which names the model in the path.
    TritonGenerate,
    /// The gateway shows no path: the body's own shape tells.
    Unsaid,
}

/// Ends of paths: gateways put prefixes before them.
const PATHS: &[(&[u8], Api)] = &[
    (b"/chat/completions", Api::Chat),
    (b"/completions", Api::Completions),
    (b"/responses", Api::Responses),
    (b"/embeddings", Api::Embeddings),
    (b"/messages", Api::Messages),
    (b"/inference/v1/generate", Api::VllmGenerate),
    (b"/generate", Api::SglangGenerate),
];

/// Stands in the path of Triton's generate, whose ends are these.
const TRITON: (&[u8], [&[u8]; 2]) = (b"/v2/models/", [b"/generate", b"/generate_stream"]);

impl Api {
    /// The API of `path`, with or without a query; `None` if we read none there.
    pub fn of(path: &[u8]) -> Option<Self> {
        let path = path.split(|byte| *byte == b'?').next().unwrap_or(path);
        let (inside, ends) = TRITON;
        if ends.iter().any(|end| path.ends_with(end)) && memchr::memmem::find(path, inside).is_some() {
            return Some(Self::TritonGenerate);
        }
        PATHS.iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| *api)
    }

    /// Whether its documentation asks for a model in every body.
    pub fn asks_model(self) -> bool {
        match self {
            Self::Chat | Self::Completions | Self::Responses | Self::Embeddings | Self::Messages => true,
            Self::VllmGenerate | Self::SglangGenerate | Self::TritonGenerate | Self::Unsaid => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_by_its_end_whatever_stands_before_it() {
        for (path, api) in [
            ("/v1/chat/completions", Some(Api::Chat)),
            ("/team-a/v1/chat/completions?x=1", Some(Api::Chat)),
            ("/v1/completions", Some(Api::Completions)),
            ("/v1/responses", Some(Api::Responses)),
            ("/v1/embeddings", Some(Api::Embeddings)),
            ("/v1/messages", Some(Api::Messages)),
            ("/v1/messages?beta=true", Some(Api::Messages)),
            ("/inference/v1/generate", Some(Api::VllmGenerate)),
            ("/generate", Some(Api::SglangGenerate)),
            ("/generate_stream", None),
            ("/v2/models/ensemble/generate", Some(Api::TritonGenerate)),
            ("/a/v2/models/ensemble/versions/1/generate_stream?x", Some(Api::TritonGenerate)),
            ("/v2/models/ensemble/infer", None),
            ("/v1/messages/count_tokens", None),
            ("/v1/models", None),
            ("/v1/audio/transcriptions", None),
            ("/?path=/v1/chat/completions", None),
            ("", None),
        ] {
            assert_eq!(Api::of(path.as_bytes()), api, "{path}");
        }
    }
}
