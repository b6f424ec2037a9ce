//! Probes, as a kubelet makes them: from the node, to the pod's address.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{Request, header};
use k8s_openapi::api::core::v1::Probe as ProbeSpec;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::spec::{Facts, seconds};
use crate::support::{Connection, Protocol, body};

/// What the probes of a container have found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Started,
    Ready(bool),
    /// It is to be started again.
    Unhealthy,
}

/// The three probes of a container.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    startup: Option<Probe>,
    readiness: Option<Probe>,
    liveness: Option<Probe>,
}

#[derive(Clone, Debug)]
struct Probe {
    ask: Ask,
    delay: Duration,
    period: Duration,
    timeout: Duration,
    /// This many in a row, for the worse and for the better.
    failures: i32,
    successes: i32,
}

/// A question to a pod.
#[derive(Clone, Debug)]
pub enum Ask {
    Http { address: SocketAddr, path: String },
    Grpc { address: SocketAddr, service: String },
    Tcp { address: SocketAddr },
}

// === impl Probes ===

impl Probes {
    pub fn of(facts: &Facts) -> Result<Self, String> {
        let container = facts.container();
        let probe = |spec: &Option<ProbeSpec>| spec.as_ref().map(|spec| Probe::of(spec, facts)).transpose();
        Ok(Self {
            startup: probe(&container.startup_probe)?,
            readiness: probe(&container.readiness_probe)?,
            liveness: probe(&container.liveness_probe)?,
        })
    }

    /// Probes until it is dropped.
    pub async fn run(self, verdicts: mpsc::Sender<Verdict>) {
        let tell = async |verdict| {
            let _pod_ended = verdicts.send(verdict).await;
        };
        if let Some(probe) = &self.startup {
            sleep(probe.delay).await;
            if !probe.settles().await {
                return tell(Verdict::Unhealthy).await;
            }
        }
        tell(Verdict::Started).await;
        let readiness = async {
            let Some(probe) = &self.readiness else { return tell(Verdict::Ready(true)).await };
            sleep(probe.delay).await;
            loop {
                tell(Verdict::Ready(probe.settles().await)).await;
                sleep(probe.period).await;
            }
        };
        let liveness = async {
            let Some(probe) = &self.liveness else { return };
            sleep(probe.delay).await;
            while probe.settles().await {
                sleep(probe.period).await;
            }
            tell(Verdict::Unhealthy).await;
        };
        tokio::join!(readiness, liveness);
    }
}

// === impl Probe ===

impl Probe {
    fn of(spec: &ProbeSpec, facts: &Facts) -> Result<Self, String> {
        let address = facts.address;
        let ask = if let Some(http) = &spec.http_get {
            Ask::http(address, facts.port(&http.port)?, http.path.as_deref())
        } else if let Some(grpc) = &spec.grpc {
            let port = u16::try_from(grpc.port).map_err(|error| error.to_string())?;
            Ask::Grpc { address: (address, port).into(), service: grpc.service.clone().unwrap_or_default() }
        } else if let Some(tcp) = &spec.tcp_socket {
            Ask::Tcp { address: (address, facts.port(&tcp.port)?).into() }
        } else {
            return Err("a probe that asks nothing".to_owned());
        };
        Ok(Self {
            ask,
            delay: seconds(spec.initial_delay_seconds.unwrap_or(0).into()),
            period: seconds(spec.period_seconds.unwrap_or(10).into()),
            timeout: seconds(spec.timeout_seconds.unwrap_or(1).into()),
            failures: spec.failure_threshold.unwrap_or(3),
            successes: spec.success_threshold.unwrap_or(1),
        })
    }

    /// Asks until enough answers in a row are good, or enough are bad.
    async fn settles(&self) -> bool {
        let (mut good, mut bad) = (0, 0);
        loop {
            (good, bad) = if self.ask.passes(self.timeout).await { (good + 1, 0) } else { (0, bad + 1) };
            if good >= self.successes || bad >= self.failures {
                return good > 0;
            }
            sleep(self.period).await;
        }
    }
}

// === impl Ask ===

impl Ask {
    pub fn http(address: Ipv4Addr, port: u16, path: Option<&str>) -> Self {
        let path = path.unwrap_or("/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        Self::Http { address: (address, port).into(), path: format!("{slash}{path}") }
    }

    /// Whether the answer is a good one and comes in time.
    pub async fn passes(&self, patience: Duration) -> bool {
        timeout(patience, self.answer()).await.is_ok_and(|answer| answer.is_some())
    }

    async fn answer(&self) -> Option<()> {
        match self {
            Self::Http { address, path } => {
                let mut connection = Connection::open(*address, Protocol::Http1).await?;
                let request = Request::get(path).header(header::HOST, address.to_string());
                let request = request.header(header::USER_AGENT, "kube-probe/1.36").body(body::empty()).ok()?;
                let response = connection.send(request).await.ok()?;
                (200..400).contains(&response.status().as_u16()).then_some(())
            }
            Self::Grpc { address, service } => {
                let channel = Endpoint::from_shared(format!("http://{address}")).ok()?.connect().await.ok()?;
                let request = HealthCheckRequest { service: service.clone() };
                let answer = HealthClient::new(channel).check(request).await.ok()?;
                (answer.into_inner().status() == ServingStatus::Serving).then_some(())
            }
            Self::Tcp { address } => TcpStream::connect(address).await.ok().map(drop),
        }
    }
}
