//! Envoy's configuration: a listener and a cluster for each picker, and the engines by the header that it sets.

use std::net::SocketAddr;

use serde_json::{Value, json};

/// Of the listeners, in the order of the pickers.
pub const NAMES: [&str; 2] = ["echo", "homing"];

const DESTINATION: &str = "x-gateway-destination-endpoint";

/// What the reference charts set.
const BUFFER: u32 = 32 << 10;

pub fn bootstrap(pickers: [SocketAddr; 2]) -> Value {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut clusters: Vec<Value> = NAMES.iter().zip(pickers).map(|(name, picker)| cluster(name, picker)).collect();
    clusters.push(json!({
        "name": "engines", "connect_timeout": "5s", "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": true, "http_header_name": DESTINATION},
        "per_connection_buffer_limit_bytes": BUFFER,
    }));
    json!({
        "admin": {"address": socket(free)},
        "static_resources": {"listeners": NAMES.map(|name| listener_of(name, free)), "clusters": clusters},
    })
}

/// Where the listener of this name is, by the admin port's page of listeners.
pub fn listener(page: &str, name: &str) -> Option<SocketAddr> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("::")?.trim().parse().ok())
}

fn listener_of(name: &str, address: SocketAddr) -> Value {
    let duplex = "FULL_DUPLEX_STREAMED";
    let ext_proc = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "grpc_service": {"envoy_grpc": {"cluster_name": name}, "timeout": "10s"},
        "message_timeout": "10s",
        "processing_mode": {
            "request_header_mode": "SEND", "response_header_mode": "SEND",
            "request_body_mode": duplex, "response_body_mode": duplex,
            "request_trailer_mode": "SEND", "response_trailer_mode": "SEND",
        },
    });
    let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let route = json!({"match": {"prefix": "/"}, "route": {"cluster": "engines", "timeout": "0s"}});
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "engines", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {"name": "envoy.filters.http.ext_proc", "typed_config": ext_proc},
            {"name": "envoy.filters.http.router", "typed_config": router},
        ],
    });
    json!({
        "name": name, "address": socket(address), "per_connection_buffer_limit_bytes": BUFFER,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
        }]}],
    })
}

fn cluster(name: &str, picker: SocketAddr) -> Value {
    let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    json!({
        "name": name, "type": "STATIC", "connect_timeout": "5s", "per_connection_buffer_limit_bytes": BUFFER,
        "typed_extension_protocol_options": {kind: {
            "@type": format!("type.googleapis.com/{kind}"),
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
        "load_assignment": {"cluster_name": name, "endpoints": [{
            "lb_endpoints": [{"endpoint": {"address": socket(picker)}}],
        }]},
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}
