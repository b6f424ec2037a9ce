//! kube-controller-manager, with the controllers that Deployments, Services and ServiceAccounts need.

use std::fs;

use super::control_plane::{ControlPlane, KEYS, program};
use super::guarded::Guarded;

/// No scheduler and nothing that watches nodes: tests play those.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,serviceaccount-controller,namespace-controller,\
    garbage-collector-controller,root-ca-certificate-publisher-controller,endpointslice-controller,\
    disruption-controller,job-controller";

impl ControlPlane {
    /// Sees to it that controllers run here; they end with the control plane.
    pub async fn with_controllers(&self) {
        self.controllers.get_or_init(async || self.start_controllers()).await;
    }

    fn start_controllers(&self) -> Guarded {
        let kubeconfig = self.path("controllers.kubeconfig");
        fs::write(&kubeconfig, self.admin_kubeconfig("default")).expect("files are taken");
        let arguments = [
            format!("--kubeconfig={kubeconfig}"),
            format!("--controllers={CONTROLLERS}"),
            format!("--service-account-private-key-file={}", self.path(KEYS[0])),
            format!("--root-ca-file={}", self.certificate()),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // Tests are in a hurry.
            "--kube-api-qps=500".to_owned(),
            "--kube-api-burst=1000".to_owned(),
        ];
        Guarded::spawn(&program("kube-controller-manager"), &arguments, None)
    }
}
