//! The configurations: what each is from, and what clients see that differs between them.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::envoy::Options;

/// Where an Envoy keeps its filters of HTTP.
const FILTERS: &str = "/filters/0/typed_config/http_filters";

/// A gateway, by the configuration of its Envoy.
pub struct Gateway {
    document: Value,
    /// Flags that the chart gives Homing for it.
    flags: Vec<&'static str>,
    /// Whether answers pass by Homing: else no id comes back, and Homing does not learn how they end.
    pub shows_answers: bool,
    /// What it makes of a header with an underscore in its name.
    pub underscores: Underscores,
    /// Whether it holds bodies back until they are whole.
    pub buffers: Buffers,
    /// What an engine that refuses costs.
    pub refused: Refused,
    /// What a GET and a POST get while Homing is away.
    pub down: [Down; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Underscores {
    Taken,
    /// 400.
    Refused,
    /// The connection ends without an answer: the 400 waits for the picker's word, and the connection does not.
    Cut,
}

/// Bodies that a gateway keeps until they are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffers {
    Nothing,
    /// Requests, up to 1 MiB.
    Requests,
    /// Both, up to 32 KiB.
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing: the gateway tries another one.
    Nothing,
    /// 503, until Homing has seen three in a row.
    UntilSeen,
    /// 503, for as long as the engine is in the pool: nobody tells Homing.
    Unseen,
}

/// What a request gets while Homing is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// 500 without a body.
    Fails,
    /// 503: it goes on without a destination, and wherever a client says where that names one.
    Anywhere,
    /// 200 of any engine that the gateway knows.
    AnyEngine,
    /// The same once health checks have noticed, and 500 till then.
    AnyEngineOnceNoticed,
}

// === impl Gateway ===

impl Gateway {
    fn of(document: &str, down: [Down; 2]) -> Self {
        let document: Value = serde_saphyr::from_str(document).expect("a configuration is YAML");
        let [_engines, pickers] = document["static_resources"]["clusters"].as_array().expect("clusters").as_slice()
        else {
            panic!("engines and pickers");
        };
        let flags = if pickers["transport_socket"].is_object() { vec!["--secure-serving=true"] } else { Vec::new() };
        Self {
            document,
            flags,
            shows_answers: true,
            underscores: Underscores::Taken,
            buffers: Buffers::Nothing,
            refused: Refused::UntilSeen,
            down,
        }
    }

    fn retries(mut self) -> Self {
        self.refused = Refused::Nothing;
        self
    }

    fn underscores(mut self, underscores: Underscores) -> Self {
        self.underscores = underscores;
        self
    }

    /// Other fields, each by its JSON pointer.
    fn with(mut self, fields: &Value) -> Self {
        for (place, value) in fields.as_object().expect("fields by their places") {
            let (parent, name) = place.rsplit_once('/').expect("a pointer has a slash");
            let parent = self.document.pointer_mut(parent).unwrap_or_else(|| panic!("there is no {parent}"));
            match parent {
                Value::Array(items) => items[name.parse::<usize>().expect("an index")] = value.clone(),
                parent => parent[name] = value.clone(),
            }
        }
        self
    }

    /// So many engines, of which those of `pool` are known to Homing and the gateway.
    pub async fn world(&self, engines: usize, pool: &[usize]) -> World {
        self.builder(engines).pool(pool).start().await
    }

    pub fn builder(&self, engines: usize) -> crate::support::world::Builder {
        let envoy = Options { document: Some(self.document.clone()), ..Options::default() };
        World::builder(engines).flags(&self.flags).envoy(envoy)
    }

    pub fn flags(&self) -> &[&'static str] {
        &self.flags
    }
}

// === impl Buffers ===

impl Buffers {
    /// A body that is large for such a gateway: almost the 1 MiB that some keep at most, or more than 32 KiB, but not so
    /// much that a client is still sending when it is refused.
    pub fn much(self) -> usize {
        if self == Self::Both { 100_000 } else { 1_000_000 }
    }
}

// === impl Down ===

impl Down {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Fails => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Anywhere => StatusCode::SERVICE_UNAVAILABLE,
            Self::AnyEngine | Self::AnyEngineOnceNoticed => StatusCode::OK,
        }
    }
}

// === The table ===

const LISTENER: &str = "/static_resources/listeners/0";

pub fn istio() -> Gateway {
    Gateway::of(include_str!("istio.yaml"), [Down::Fails; 2]).retries()
}

pub fn istio_fail_open() -> Gateway {
    let route = "/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0";
    let place = "/typed_per_filter_config/envoy.filters.http.ext_proc/overrides/failure_mode_allow";
    let open = json!({format!("{LISTENER}{route}{place}"): true});
    Gateway { down: [Down::AnyEngine, Down::Fails], ..istio().with(&open) }
}

pub fn envoy_gateway() -> Gateway {
    Gateway::of(include_str!("envoy-gateway.yaml"), [Down::Fails; 2]).retries().underscores(Underscores::Refused)
}

pub fn envoy_ai_gateway() -> Gateway {
    Gateway::of(include_str!("envoy-ai-gateway.yaml"), [Down::Fails; 2]).underscores(Underscores::Refused)
}

/// The annotation `aigateway.envoyproxy.io/processing-body-mode: buffered`.
pub fn envoy_ai_gateway_buffered() -> Gateway {
    let mode = format!("{LISTENER}/default_filter_chain{FILTERS}/0/typed_config/processing_mode");
    let modes = ["request_body_mode", "response_body_mode"].map(|field| (format!("{mode}/{field}"), json!("BUFFERED")));
    Gateway { buffers: Buffers::Both, ..envoy_ai_gateway().with(&modes.into_iter().collect()) }
}

pub fn envoy_ai_gateway_fail_open() -> Gateway {
    let fields: Value = serde_saphyr::from_str(include_str!("envoy-ai-gateway-fail-open.yaml")).expect("YAML");
    Gateway { down: [Down::AnyEngine, Down::AnyEngineOnceNoticed], ..envoy_ai_gateway().with(&fields) }
}

pub fn kgateway_2_0() -> Gateway {
    let mut gateway = Gateway::of(include_str!("kgateway-2.0.yaml"), [Down::Fails; 2]);
    gateway.flags.push("--clear-route-cache");
    Gateway { shows_answers: false, buffers: Buffers::Requests, refused: Refused::Unseen, ..gateway }
}

pub fn kgateway_2_1() -> Gateway {
    let mut gateway = Gateway::of(include_str!("kgateway-2.1.yaml"), [Down::Fails; 2]);
    gateway.flags.push("--clear-route-cache");
    gateway
}

pub fn kgateway_2_1_fail_open() -> Gateway {
    let route = "/filter_chains/0/filters/0/typed_config/route_config/virtual_hosts/0/routes/0";
    let place = "/typed_per_filter_config/envoy.filters.http.ext_proc~1inferencepool/overrides/failure_mode_allow";
    let open = json!({format!("{LISTENER}{route}{place}"): true});
    Gateway { down: [Down::AnyEngine, Down::Fails], ..kgateway_2_1().with(&open) }
}

pub fn llm_d_standalone() -> Gateway {
    Gateway::of(include_str!("llm-d-standalone.yaml"), [Down::Fails; 2]).underscores(Underscores::Cut)
}

pub fn llm_d_standalone_fail_open() -> Gateway {
    let open = json!({format!("{LISTENER}/filter_chains/0{FILTERS}/0/typed_config/failure_mode_allow"): true});
    Gateway { down: [Down::Anywhere, Down::Fails], ..llm_d_standalone().with(&open) }
}

pub fn example_original_dst() -> Gateway {
    Gateway::of(include_str!("../../../deploy/envoy/original-dst.yaml"), [Down::Fails; 2])
}

pub fn example_override_host() -> Gateway {
    Gateway::of(include_str!("../../../deploy/envoy/override-host.yaml"), [Down::Fails; 2]).retries()
}
