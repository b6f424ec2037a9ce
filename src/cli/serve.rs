//! `homing serve`: wires sources, picker, stream and ports, and stays until it is told to go.

mod certificate;
mod config;
mod endpoints;
mod group;
mod inspect;
mod pages;
mod pods;
mod scraping;
mod sharing;
mod vital;

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::builder::BoolishValueParser;
use futures_util::{StreamExt, stream};
use tonic::service::Routes;

use crate::ext_proc::{ExtProc, Options};
use crate::metrics::{Metrics, Taken};
use crate::model::EXPLAINED;
use crate::pick::Picker;
use crate::serving::drain::{self, Plan};
use crate::serving::listen::{self, Port};
use crate::serving::tls::Identity;
use crate::serving::{Direct, Readiness, Runtimes, health, http};
use crate::sources::kubernetes::Cluster;
use crate::state::{Outbox, PrefixIndex, pool};

use self::group::Group;
use self::inspect::LastRead;
use self::sharing::{Plan as SharingPlan, Sharing};
use self::vital::vital;
use super::foreign_flags::Foreign;
use super::logging::{self, LogFormat};
use super::shared_state::{SharedStateArgs, SharingArgs};
use super::source::SourceArgs;

/// Serves Envoy's external processing protocol and picks an endpoint for every request.
#[derive(Debug, clap::Args)]
#[command(after_help = logging::HELP)]
pub struct Args {
    #[command(flatten)]
    endpoints: SourceArgs,

    /// How long a pod that is not ready may be away before its sessions move; it gets no requests meanwhile.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    ready_grace: Duration,

    /// The configuration document, as YAML; followed while it changes [default: the built-in defaults].
    #[arg(long, value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// The configuration document itself, in lieu of a file.
    #[arg(long, value_name = "YAML", conflicts_with_all = ["config_file", "config_map"], allow_hyphen_values = true)]
    config_text: Option<String>,

    /// The configuration document in a ConfigMap of the pool's namespace, watched through the API server; the key is
    /// config.yaml unless named. Where it may not be read, --config-file holds.
    #[arg(long, value_name = "NAME[/KEY]")]
    config_map: Option<String>,

    /// The address of the gRPC, health and metrics ports [default: all, IPv6 and IPv4].
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// The port of the ext_proc service; 0 lets the system choose.
    #[arg(long, value_name = "PORT", default_value_t = 9002)]
    grpc_port: u16,

    /// The port of gRPC health checks, always plaintext.
    #[arg(long, value_name = "PORT", default_value_t = 9003)]
    grpc_health_port: u16,

    /// The port of /metrics, /healthz and /readyz.
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    metrics_port: u16,

    /// The port of /decisions, /endpoints and /config and of gRPC for `homing explain`, on loopback.
    #[arg(long, value_name = "PORT", default_value_t = 9004)]
    admin_port: u16,

    /// Whether the gRPC port speaks TLS, with a certificate made at start unless there is --cert-path.
    #[arg(long, value_name = "BOOL", default_value_t = true, num_args = 0..=1, default_missing_value = "true", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    secure_serving: bool,

    /// A folder with tls.crt and tls.key for the gRPC port; followed while they change.
    #[arg(long, value_name = "FOLDER")]
    cert_path: Option<PathBuf>,

    /// A host name or address, beside localhost, for the certificate that is made at start; may be repeated.
    #[arg(long = "cert-name", value_name = "NAME", value_parser = cert_name, conflicts_with = "cert_path")]
    cert_names: Vec<String>,

    /// Returns each pick's explanation in the response header x-homing-decision. It names endpoints: not for
    /// clients that you do not trust.
    #[arg(long)]
    explain_header: bool,

    /// How many endpoints a destination names: the pick, then where the gateway may retry. More than 1 only for
    /// gateways that take a list (Istio, Envoy Gateway, override_host); others answer 503 to it.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=EXPLAINED as i64))]
    max_endpoints: u8,

    /// Lets the gateway choose its route again once the destination is set. kgateway needs it; elsewhere it
    /// re-rolls weighted routes.
    #[arg(long)]
    clear_route_cache: bool,

    /// Heeds and answers the headers of the Gateway API inference extension's conformance suite. Never in production:
    /// any client could then choose its endpoint.
    #[arg(long)]
    conformance_test_headers: bool,

    #[command(flatten)]
    shared_state: SharedStateArgs,

    #[command(flatten)]
    sharing: SharingArgs,

    /// How long to go on accepting after SIGTERM, while gateways learn that this picker is going.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    drain_window: Duration,

    /// How long running streams may then take to finish; with the window, best just under the pod's grace period.
    #[arg(long, value_name = "DURATION", default_value = "110s", value_parser = humantime::parse_duration)]
    drain_timeout: Duration,

    /// Threads that serve streams [default: one a core].
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,

    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

/// Serves until SIGTERM or SIGINT; `foreign` are flags of other pickers that were passed over.
///
/// # Errors
/// A file cannot be read, a port cannot be opened, a thread of the data side ended, or a task that must go on panicked.
pub fn run(args: Args, foreign: &[Foreign]) -> anyhow::Result<ExitCode> {
    logging::init(args.log_format)?;
    for Foreign { name: flag, instead, .. } in foreign {
        let instead = (!instead.is_empty()).then_some(*instead);
        tracing::warn!(flag, instead, "this flag of another picker has no meaning here and is ignored");
    }
    if args.conformance_test_headers {
        tracing::warn!("--conformance-test-headers is on: every client may choose its endpoint. Only for tests");
    }
    if !args.secure_serving {
        let given = [("--cert-path", args.cert_path.is_some()), ("--cert-name", !args.cert_names.is_empty())];
        for (flag, _) in given.into_iter().filter(|(_, given)| *given) {
            tracing::warn!(flag, "this flag has no effect: --secure-serving=false switches TLS off");
        }
    }
    // The data side has threads of its own; this one answers probes and scrapes while they are saturated.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: Args) -> anyhow::Result<ExitCode> {
    let Args {
        endpoints,
        ready_grace,
        config_file,
        config_text,
        config_map,
        bind,
        grpc_port,
        grpc_health_port,
        metrics_port,
        admin_port,
        secure_serving,
        cert_path,
        cert_names,
        explain_header,
        max_endpoints,
        clear_route_cache,
        conformance_test_headers,
        shared_state,
        sharing,
        drain_window,
        drain_timeout,
        threads,
        log_format: _,
    } = args;
    let mut signals = drain::signals()?;
    let readiness = Readiness::default();
    let starting = readiness.block("start");
    let metrics = Arc::new(Metrics::new());

    let source = endpoints.source();
    let server = shared_state.server(source.is_pool())?;
    let cluster = if source.is_in_cluster() || config_map.is_some() {
        Some(Cluster::infer(endpoints.namespace()).await?)
    } else {
        None
    };
    let (vital, panicked) = vital();
    let last_read = Arc::<LastRead>::default();
    let reads = config::Reads::new(&metrics, &last_read);
    let (config, first_read) =
        config::follow(config_file, config_text.as_deref(), config_map.as_deref(), cluster.as_ref(), reads, &vital)
            .await?;
    let index = Arc::<PrefixIndex>::default();
    let (pool, writer) = pool(Arc::clone(&index));
    let name = shared_state.group().map_or_else(|| source.pool_name(cluster.as_ref()), str::to_owned);
    let picker = Picker::new(pool.clone(), config.clone(), index, Arc::clone(&metrics), &name, Instant::now());
    let picker = picker.with_max_endpoints(max_endpoints.into());
    let shared = server.map(|server| (server, Arc::new(Outbox::new(rand::random_range(1..=u64::MAX)))));
    let picker = Arc::new(shared.iter().fold(picker, |picker, (_, outbox)| picker.with_outbox(Arc::clone(outbox))));
    let group = Group::new(Arc::clone(&picker), shared_state.group());
    let sharing = shared.map(|(server, outbox)| {
        let SharingArgs { interval, log, warm_up } = sharing;
        let plan = SharingPlan { server, interval, log_bytes: log.0, warm_up };
        Sharing::start(plan, Arc::clone(&picker), outbox, pool.clone(), group.watch(), &readiness, &vital)
    });

    // Probes are answered before anybody is asked who may be silent; readiness is held back meanwhile.
    let port = |name, flag, number| Port { name, flag, number };
    let grpc = listen::bind(bind, port("grpc", "--grpc-port", grpc_port)).await?;
    let health = listen::bind(bind, port("health", "--grpc-health-port", grpc_health_port)).await?;
    let scraped = listen::bind(bind, port("metrics", "--metrics-port", metrics_port)).await?;
    let loopback = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let admin = listen::bind(loopback, port("admin", "--admin-port", admin_port)).await?;
    vital.spawn("the health port", {
        let readiness = readiness.clone();
        async move {
            if let Err(error) = health::serve(health, &readiness).await {
                tracing::error!(%error, "the health port has ended");
            }
        }
    });
    vital.spawn(
        "the metrics port",
        http::serve(scraped, pages::metrics(Arc::clone(&picker), sharing.clone(), readiness.clone())),
    );
    let inspected = Routes::new(inspect::service(Arc::clone(&picker), config.clone(), last_read, sharing));
    vital.spawn("the admin port", http::serve_with_grpc(admin, pages::admin(Arc::clone(&picker)), inspected));

    // Nobody is served by a configuration that the next moment replaces.
    tokio::select! {
        () = first_read => {}
        _ = signals.next() => return Ok(ExitCode::SUCCESS),
    }
    endpoints::follow(source, cluster, ready_grace, writer, group, &readiness, &vital).await?;
    scraping::start(pool, config, Arc::clone(&picker))?;

    let acceptor = if secure_serving {
        Some(certificate::acceptor(cert_path.as_deref(), &cert_names, &metrics, &vital).await?)
    } else {
        None
    };
    let options = Options { explain_header, clear_route_cache, conformance_test_headers };
    let others = Routes::new(health::service(&readiness));
    let service = Direct::new(ExtProc::new(picker, options).into_server(), others);
    let runtimes = Runtimes::start(threads.unwrap_or_else(Runtimes::default_count), &service, acceptor.as_ref())?;

    drop(starting);
    tokio::spawn(say_when_ready(readiness.clone()));
    let plan = Plan { window: drain_window, timeout: drain_timeout };
    // Streams end as they do for a signal, and the exit code says that something was wrong.
    drain::run(runtimes, grpc, &readiness, plan, stream::select(signals, panicked.as_signal())).await?;
    panicked.first().map_or(Ok(ExitCode::SUCCESS), |dead| Err(dead.into()))
}

/// Logs when the process becomes ready, and what it waits for until then.
async fn say_when_ready(readiness: Readiness) {
    let mut states = readiness.watch();
    loop {
        let state = states.borrow_and_update().clone();
        if state.is_draining() {
            return;
        }
        if state.is_ready() {
            tracing::info!("ready")
        } else {
            tracing::info!("not ready: {state}")
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

fn taken<T, E>(read: &Result<T, E>) -> Taken {
    if read.is_ok() { Taken::Good } else { Taken::Bad }
}

fn cert_name(name: &str) -> Result<String, &'static str> {
    Identity::is_name(name).then(|| name.to_owned()).ok_or("must be a host name or an IP address")
}
