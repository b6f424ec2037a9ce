//! Envoy's bootstrap document. JSON, because YAML is a superset and Envoy reads both.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::{Destination, Options};

/// The name of the cluster of pickers.
pub(super) const PICKERS: &str = "picker";
const DESTINATION: &str = "x-gateway-destination-endpoint";

pub(super) fn bootstrap(options: &Options, pickers: &[SocketAddr], engines: &[SocketAddr]) -> Value {
    json!({
        // Who asks for endpoints has to have a name.
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": socket(free())},
        "static_resources": {
            "listeners": [listener(options)],
            "clusters": [picker_cluster(options, pickers), engine_cluster(options, engines)],
        },
    })
}

fn listener(options: &Options) -> Value {
    let mut route = json!({"cluster": "engines", "timeout": "0s"});
    if options.retries > 0 {
        route["retry_policy"] = json!({"retry_on": "5xx,connect-failure", "num_retries": options.retries});
    }
    let mut route = json!({"match": {"prefix": "/"}, "route": route});
    lay_over(&mut route, &options.route);
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
    });
    let filters: Vec<Value> = subset(options).into_iter().chain([ext_proc(options), router]).collect();
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway",
        "http_protocol_options": {"enable_trailers": true},
        "access_log": [access_log()],
        "route_config": {"virtual_hosts": [{
            "name": "engines", "domains": ["*"],
            "routes": [route],
        }]},
        "http_filters": filters,
    });
    json!({
        "name": "gateway",
        "address": socket(free()),
        "per_connection_buffer_limit_bytes": options.buffer_limit,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
        }]}],
    })
}

/// A filter that gives every request the subset hint, as gateways that route to part of a pool do.
fn subset(options: &Options) -> Option<Value> {
    let hint = options.subset.as_ref()?;
    Some(json!({
        "name": "envoy.filters.http.set_metadata",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config",
            "metadata": [{
                "metadata_namespace": "envoy.lb.subset_hint",
                "value": {"x-gateway-destination-endpoint-subset": hint},
            }],
        },
    }))
}

fn ext_proc(options: &Options) -> Value {
    let [request, response] = options.body_modes;
    let trailers = |mode: &str| if mode == "FULL_DUPLEX_STREAMED" { "SEND" } else { "SKIP" };
    let mut config = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": PICKERS}, "timeout": "10s"},
            "message_timeout": "10s",
            "failure_mode_allow": false,
            "observability_mode": options.observability,
            // Who really served: nothing else tells a picker that only watches.
            "response_attributes": if options.observability { vec!["upstream.address"] } else { Vec::new() },
            "metadata_options": {
                "forwarding_namespaces": {"untyped": ["envoy.lb", "envoy.lb.subset_hint"]},
                "receiving_namespaces": {"untyped": ["envoy.lb"]},
            },
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SEND",
                "request_body_mode": request, "response_body_mode": response,
                "request_trailer_mode": trailers(request), "response_trailer_mode": trailers(response),
            },
    });
    lay_over(&mut config, &options.filter);
    json!({"name": "envoy.filters.http.ext_proc", "typed_config": config})
}

fn picker_cluster(options: &Options, pickers: &[SocketAddr]) -> Value {
    let mut cluster = json!({
        "name": PICKERS, "type": "STATIC", "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": options.buffer_limit,
        "circuit_breakers": breakers(options),
        "typed_extension_protocol_options": protocol(json!({
            "explicit_http_config": {"http2_protocol_options": {}},
        })),
        "load_assignment": assignment(PICKERS, pickers),
    });
    if options.tls {
        cluster["transport_socket"] = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "common_tls_context": {"alpn_protocols": ["h2"]},
            },
        });
    }
    lay_over(&mut cluster, &options.picker_cluster);
    cluster
}

/// Replaces the fields of `base` by those of `over`, and adds what it lacks.
fn lay_over(base: &mut Value, over: &Value) {
    for (name, value) in over.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
}

fn engine_cluster(options: &Options, engines: &[SocketAddr]) -> Value {
    let mut cluster = json!({
        "name": "engines", "connect_timeout": "5s",
        "per_connection_buffer_limit_bytes": options.buffer_limit,
        "circuit_breakers": breakers(options),
        // Engines speak what the client speaks, so that both protocols are tested to their ends.
        "typed_extension_protocol_options": protocol(json!({"use_downstream_protocol_config": {
            "http_protocol_options": {"enable_trailers": true}, "http2_protocol_options": {},
        }})),
    });
    match options.destination {
        Destination::Header => {
            cluster["type"] = json!("ORIGINAL_DST");
            cluster["lb_policy"] = json!("CLUSTER_PROVIDED");
            cluster["original_dst_lb_config"] = json!({"use_http_header": true, "http_header_name": DESTINATION});
        }
        Destination::Metadata => {
            cluster["type"] = json!("STATIC");
            cluster["load_assignment"] = assignment("engines", engines);
            cluster["load_balancing_policy"] = override_host();
        }
    }
    cluster
}

fn override_host() -> Value {
    let policies = "type.googleapis.com/envoy.extensions.load_balancing_policies";
    json!({"policies": [{"typed_extension_config": {
        "name": "envoy.load_balancing_policies.override_host",
        "typed_config": {
            "@type": format!("{policies}.override_host.v3.OverrideHost"),
            "override_host_sources": [{"metadata": {"key": "envoy.lb", "path": [{"key": DESTINATION}]}}],
            "fallback_policy": {"policies": [{"typed_extension_config": {
                "name": "envoy.load_balancing_policies.round_robin",
                "typed_config": {"@type": format!("{policies}.round_robin.v3.RoundRobin")},
            }}]},
        },
    }}]})
}

fn protocol(options: Value) -> Value {
    let kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    let mut typed = options;
    typed["@type"] = json!(format!("type.googleapis.com/{kind}"));
    json!({kind: typed})
}

/// Raised as in `deploy/envoy/`, or Envoy's own.
fn breakers(options: &Options) -> Value {
    if options.default_breakers {
        return json!({});
    }
    let most = 40_000;
    json!({"thresholds": [{"max_connections": most, "max_pending_requests": most, "max_requests": most}]})
}

fn access_log() -> Value {
    json!({
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"text_format_source": {"inline_string":
                "access: %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% \
                 from %UPSTREAM_HOST%\n"}},
        },
    })
}

fn assignment(cluster: &str, hosts: &[SocketAddr]) -> Value {
    let hosts: Vec<Value> = hosts.iter().map(|host| json!({"endpoint": {"address": socket(*host)}})).collect();
    json!({"cluster_name": cluster, "endpoints": [{"lb_endpoints": hosts}]})
}

pub(super) fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

/// A loopback address whose port the system chooses.
pub(super) fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}
