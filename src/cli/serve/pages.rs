//! The pages of the metrics and admin ports.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use hyper::header::HeaderValue;

use super::sharing::Sharing;
use crate::pick::Picker;
use crate::serving::Readiness;
use crate::serving::http::Handler;
use crate::serving::pages::{error, json, page, parameter, table, text, unknown_parameter};

/// OpenMetrics text, as prometheus-client writes it.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
/// Decisions returned unless `limit` says otherwise.
const DECISIONS: usize = 20;

/// `/metrics`, `/healthz`, `/readyz`.
pub fn metrics(picker: Arc<Picker>, sharing: Option<Arc<Sharing>>, readiness: Readiness) -> Handler {
    let shared = sharing.clone();
    table([
        (
            "/metrics",
            Arc::new(move |_: &_| {
                let now = Instant::now();
                picker.refresh_gauges(now);
                shared.iter().for_each(|sharing| sharing.refresh_gauges(now));
                page(StatusCode::OK, OPEN_METRICS, picker.metrics().render().into())
            }) as Handler,
        ),
        ("/healthz", Arc::new(|_: &_| text(StatusCode::OK, "ok\n"))),
        (
            "/readyz",
            Arc::new(move |_: &_| {
                let state = readiness.state();
                let status = if state.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                // A replica that goes on alone is ready all the same.
                let shared = sharing.iter().map(|sharing| format!("shared state: {}\n", sharing.state(Instant::now())));
                text(status, format!("{state}\n{}", shared.collect::<String>()))
            }),
        ),
    ])
}

/// `/decisions`, `/endpoints`, `/config`.
pub fn admin(picker: Arc<Picker>) -> Handler {
    let (decisions, endpoints, config) = (Arc::clone(&picker), Arc::clone(&picker), picker);
    table([
        (
            "/decisions",
            Arc::new(move |request: &hyper::Request<_>| {
                if let Some(name) = unknown_parameter(request.uri(), &["limit"]) {
                    let message = format!("there is no parameter {name}, only limit, as in /decisions?limit=20");
                    return error(StatusCode::BAD_REQUEST, &message);
                }
                match parameter(request.uri(), "limit").map_or(Ok(DECISIONS), str::parse) {
                    Ok(limit) => json(StatusCode::OK, &decisions.decisions().recent(limit)),
                    Err(_) => error(StatusCode::BAD_REQUEST, "limit must be a whole number, as in /decisions?limit=20"),
                }
            }) as Handler,
        ),
        ("/endpoints", Arc::new(move |_: &_| json(StatusCode::OK, &endpoints.endpoints(Instant::now())))),
        ("/config", Arc::new(move |_: &_| json(StatusCode::OK, &**config.config()))),
    ])
}
