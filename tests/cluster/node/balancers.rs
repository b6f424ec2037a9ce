//! Services of the type LoadBalancer: each gets an address, as from a cloud, whose ports lead to ready pods behind it.
//!
//! What a client sends there is passed on byte by byte. A connection stays with its pod.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;

use super::hosts;
use super::keeper::Shared;
use super::tables::Kind;
use crate::inside::BALANCERS;
use crate::support::forward::forward;

/// Balancers of a node, by the ids of their Services.
#[derive(Default)]
pub struct Balancers(BTreeMap<String, Balancer>);

/// One Service's address; dropping it closes all that goes through it.
struct Balancer {
    address: Ipv4Addr,
    ports: Vec<ServicePort>,
    listens: JoinSet<()>,
}

/// Which Service a port leads to.
#[derive(Clone)]
struct Target {
    shared: Arc<Shared>,
    namespace: String,
    service: String,
    port: ServicePort,
}

impl Balancers {
    /// Opens what is new, closes what is gone.
    pub async fn follow(&mut self, shared: &Arc<Shared>) {
        let wanted = services(shared);
        self.0.retain(|uid, _| wanted.iter().any(|service| service.metadata.uid.as_ref() == Some(uid)));
        for service in wanted {
            let uid = service.metadata.uid.clone().unwrap_or_default();
            let ports = service.spec.clone().and_then(|spec| spec.ports).unwrap_or_default();
            let address = match self.0.remove(&uid) {
                Some(balancer) if balancer.ports == ports => {
                    self.0.insert(uid, balancer);
                    continue;
                }
                Some(mut old) => {
                    // Its ports may be among the new ones.
                    old.listens.shutdown().await;
                    old.address
                }
                None => free_address(),
            };
            match Balancer::open(address, ports, &service, shared).await {
                Ok(balancer) => drop(self.0.insert(uid, balancer)),
                Err(error) => shared.problem(format!("{:?}: {error}", service.metadata.name)),
            }
        }
    }
}

impl Balancer {
    async fn open(
        address: Ipv4Addr,
        ports: Vec<ServicePort>,
        service: &Service,
        shared: &Arc<Shared>,
    ) -> Result<Self, String> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, name) = (text(&service.metadata.namespace), text(&service.metadata.name));
        let mut listens = JoinSet::new();
        for port in &ports {
            let number = u16::try_from(port.port).map_err(|error| error.to_string())?;
            let listener = TcpListener::bind((address, number)).await.map_err(|error| format!("{number}: {error}"))?;
            let (shared, port) = (Arc::clone(shared), port.clone());
            let target = Target { shared, namespace: namespace.clone(), service: name.clone(), port };
            listens.spawn(target.serve(listener));
        }
        let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        let api: Api<Service> = Api::namespaced(shared.client.clone(), &namespace);
        match api.patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await {
            Err(kube::Error::Api(refused)) if refused.code == 404 => {}
            Err(error) => return Err(error.to_string()),
            Ok(_) => {}
        }
        Ok(Self { address, ports, listens })
    }
}

impl Target {
    /// Where nobody is ready it is closed, as by a balancer without a healthy target.
    async fn serve(self, listener: TcpListener) {
        let connect = || {
            let pod = self.pod().ok_or_else(|| io::Error::from(ErrorKind::ConnectionRefused));
            async move { TcpStream::connect(pod?).await }
        };
        forward(TcpListenerStream::new(listener), connect).await;
    }

    /// One ready pod after another.
    fn pod(&self) -> Option<SocketAddr> {
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let tables = self.shared.watched.read();
        let service = tables.get(Kind::Service, &self.namespace, &self.service)?;
        let pods: Vec<_> = hosts::behind(&tables, service, &self.namespace).collect();
        let pod = pods.get(TURN.fetch_add(1, Ordering::Relaxed) % pods.len().max(1))?;
        let pod: Pod = serde_json::from_value(serde_json::to_value(pod).ok()?).ok()?;
        let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
        let port = match self.port.target_port.clone().unwrap_or(IntOrString::Int(self.port.port)) {
            IntOrString::Int(number) => number,
            IntOrString::String(name) => {
                let mut ports =
                    pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|one| one.ports.iter().flatten());
                ports.find(|port| port.name.as_ref() == Some(&name))?.container_port
            }
        };
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    }
}

fn services(shared: &Shared) -> Vec<Service> {
    let tables = shared.watched.read();
    let of_type = tables.all(Kind::Service).filter(|service| service.data["spec"]["type"] == "LoadBalancer");
    of_type.filter_map(|object| serde_json::from_value(serde_json::to_value(object).ok()?).ok()).collect()
}

/// One that no other Service ever has.
fn free_address() -> Ipv4Addr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let [high, low] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let [a, b] = BALANCERS;
    Ipv4Addr::new(a, b, high, low)
}
