//! The node of processes itself: what a pod's spec says happens.

use crate::node::Cluster;

/// Three simulated engines, which end as engines should.
const ENGINES: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: engines}
spec:
  replicas: 3
  selector: {matchLabels: {app: engine}}
  template:
    metadata: {labels: {app: engine}}
    spec:
      terminationGracePeriodSeconds: 10
      containers:
        - name: engine
          image: engine:test
          args: [--bind, 0.0.0.0, --name, $(POD_NAME)]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          ports: [{name: http, containerPort: 8000}]
          readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 1}
          lifecycle: {preStop: {sleep: {seconds: 1}}}
";

#[tokio::test]
async fn a_deployment_becomes_available_by_its_own_probes() {
    let cluster = Cluster::start().await;
    cluster.apply(ENGINES).await;
    cluster.available("engines").await;
    let pods = cluster.ready("app=engine", 3).await;
    println!("{pods:?}");
}
