//! Values that the tests render the chart with: one entry for each kind of installation, and for each switch.

/// A set of values, as arguments of Helm.
pub struct Case {
    pub name: &'static str,
    pub release: &'static str,
    /// `--set` takes them, one by one.
    pub values: &'static [&'static str],
}

impl Case {
    /// The arguments of Helm.
    pub fn arguments(&self) -> Vec<&'static str> {
        self.values.iter().flat_map(|value| ["--set-json", value]).collect()
    }
}

/// The engines' pods by their labels.
const LLAMA: &str = r#"engines.selector={"app":"llama"}"#;
const CREATE: &str = "pool.create=true";
const ROUTE: &str = r#"httpRoute={"enabled":true,"parentRefs":[{"name":"gateway"}],"hostnames":["llm.example.com"]}"#;
const CERTIFICATE: &str =
    r#"tls.certManager={"enabled":true,"issuerRef":{"name":"ca"},"dnsNames":["picker.example.com"]}"#;

const fn case(name: &'static str, values: &'static [&'static str]) -> Case {
    Case { name, release: "rel", values }
}

pub const MATRIX: &[Case] = &[
    case("a pool that is there", &[r#"pool.name="llama""#]),
    case("a pool of the chart", &[CREATE, LLAMA]),
    case("no pool", &[LLAMA, "engines.targetPorts=[8000,8001]"]),
    case("no pool, engines of HTTP/2", &[LLAMA, r#"pool.appProtocol="kubernetes.io/h2c""#]),
    case("Envoy Gateway", &[r#"gateway="envoyGateway""#, CREATE, LLAMA, ROUTE]),
    case(
        "Envoy Gateway, no pool and a route of its own",
        &[
            r#"gateway="envoyGateway""#,
            LLAMA,
            r#"gatewaySettings.routes=["mine","mine-too"]"#,
            "gatewaySettings.maxRequests=2000000",
            "gatewaySettings.retries=0",
        ],
    ),
    case("Envoy AI Gateway", &[r#"gateway="envoyAIGateway""#, CREATE, LLAMA]),
    case("Istio", &[r#"gateway="istio""#, CREATE, LLAMA, ROUTE, r#"clusterDomain="k8s.example.com""#]),
    case("Istio, a mesh that encrypts", &[r#"gateway="istio""#, CREATE, LLAMA, "tls.enabled=false"]),
    case("kgateway", &[r#"gateway="kgateway""#, CREATE, LLAMA, ROUTE]),
    case("agentgateway", &[r#"gateway="agentgateway""#, CREATE, LLAMA, r#"pool.appProtocol="kubernetes.io/h2c""#]),
    case("GKE", &[r#"gateway="gke""#, CREATE, LLAMA, ROUTE, r#"gatewaySettings.engineHealthPath="/v2/health/ready""#]),
    case("GKE, a pool that is there", &[r#"gateway="gke""#, r#"pool.name="llama""#]),
    case("NGINX Gateway Fabric", &[r#"gateway="nginxGatewayFabric""#, CREATE, LLAMA]),
    case("a certificate of cert-manager", &[CREATE, LLAMA, CERTIFICATE]),
    case("a certificate in a Secret", &[CREATE, LLAMA, r#"tls.existingSecret="mine""#]),
    case(
        "everything that is seen",
        &[
            CREATE,
            LLAMA,
            "serviceMonitor.enabled=true",
            "prometheusRule.enabled=true",
            "dashboard.enabled=true",
            "networkPolicy.enabled=true",
        ],
    ),
    case(
        "a closed network",
        &[
            r#"pool.name="llama""#,
            "networkPolicy.enabled=true",
            r#"networkPolicy.gatewayFrom=[{"namespaceSelector":{"matchLabels":{"team":"edge"}}}]"#,
            r#"networkPolicy.metricsFrom=[{"podSelector":{}}]"#,
            r#"networkPolicy.apiServer={"ports":[16443],"to":[{"ipBlock":{"cidr":"10.0.0.1/32"}}]}"#,
            r#"networkPolicy.extraEgress=[{"ports":[{"port":4317,"protocol":"TCP"}]}]"#,
        ],
    ),
    case(
        "many replicas",
        &[
            CREATE,
            LLAMA,
            "replicas=3",
            r#"podDisruptionBudget.maxUnavailable="50%""#,
            "topologySpreadConstraints=[]",
            r#"priorityClassName="system-cluster-critical""#,
        ],
    ),
    case("one replica", &[CREATE, LLAMA, "replicas=1"]),
    case("as many replicas as it takes", &[CREATE, LLAMA, "autoscaling.enabled=true"]),
    case("replicas that share nothing", &[CREATE, LLAMA, r#"sharedState.mode="none""#]),
    case(
        "a Valkey of its own for one replica, with all that it may have",
        &[
            LLAMA,
            "replicas=1",
            r#"sharedState={"mode":"bundled","existingSecret":{"name":"mine","key":"word"},"group":"llm-eu"}"#,
            r#"sharedState.interval="100ms""#,
            r#"sharedState.logSize="8 MiB""#,
            "sharedState.warmUpSeconds=0",
            r#"sharedState.bundled={"maxMemory":"32MiB","networkPolicy":false,"priorityClassName":"system-cluster-critical"}"#,
            r#"sharedState.bundled.image={"repository":"images.example.com/valkey","tag":"9.0.1","pullPolicy":"Always"}"#,
            r#"sharedState.bundled.resources={"limits":{"memory":"64Mi"}}"#,
            r#"sharedState.bundled.podLabels={"tier":"cache"}"#,
            r#"sharedState.bundled.podAnnotations={"note":"here"}"#,
            r#"sharedState.bundled.nodeSelector={"kubernetes.io/os":"linux"}"#,
            r#"sharedState.bundled.tolerations=[{"key":"edge","operator":"Exists"}]"#,
            r#"sharedState.bundled.affinity={"podAntiAffinity":{}}"#,
            r#"imagePullSecrets=[{"name":"pull"}]"#,
        ],
    ),
    case(
        "a Valkey that is there",
        &[
            CREATE,
            LLAMA,
            r#"sharedState={"mode":"external","existingSecret":{"name":"mine"}}"#,
            r#"sharedState.external={"urls":["rediss://homing@valkey.example.com:6380/1"],"ca":{"configMap":"ca"}}"#,
            "networkPolicy.enabled=true",
        ],
    ),
    case(
        "nodes of a cluster, and a certificate in a Secret",
        &[
            CREATE,
            LLAMA,
            r#"sharedState.mode="external""#,
            r#"sharedState.external={"urls":["valkeys://a","valkeys://[fd00::1]:7000"],"cluster":true,"ca":{"secret":"ca"}}"#,
        ],
    ),
    case(
        "sentinels in a closed network",
        &[
            LLAMA,
            r#"sharedState.mode="external""#,
            r#"sharedState.external={"urls":["redis://a:26379","redis://b:26379"],"sentinel":"news","ports":[26379,6379]}"#,
            r#"sharedState.external.to=[{"ipBlock":{"cidr":"10.0.0.0/24"}}]"#,
            "networkPolicy.enabled=true",
        ],
    ),
    case(
        "all of the picker's settings",
        &[
            CREATE,
            LLAMA,
            r#"picker={"maxEndpoints":3,"clearRouteCache":true,"explainHeader":true,"readyGraceSeconds":0,"threads":2}"#,
            r#"picker.logFormat="text""#,
            r#"picker.logLevel="homing=debug,INFO""#,
            r#"drain={"windowSeconds":1,"streamSeconds":600}"#,
            r#"service={"port":9999,"appProtocol":"grpc","annotations":{"a":"b"}}"#,
            r#"config={"scorers":{"prefixLocality":{"weight":3}},"limits":{"requestBody":"8MiB"}}"#,
        ],
    ),
    case(
        "somebody else's objects",
        &[
            CREATE,
            LLAMA,
            r#"existingConfigMap={"name":"mine","key":"picker.yaml"}"#,
            r#"serviceAccount={"create":false,"name":"default"}"#,
            "rbac.create=false",
            "test.enabled=false",
            "podDisruptionBudget.enabled=false",
        ],
    ),
    case(
        "all that a pod may have",
        &[
            CREATE,
            LLAMA,
            r#"image={"repository":"images.example.com/homing","tag":"1.2.3","pullPolicy":"Always"}"#,
            r#"imagePullSecrets=[{"name":"pull"}]"#,
            r#"labels={"team":"llm"}"#,
            r#"podLabels={"tier":"edge"}"#,
            r#"test.podLabels={"sidecar":"none"}"#,
            r#"test.podAnnotations={"note":"test"}"#,
            r#"test.resources={"limits":{"cpu":"1","memory":"1Gi"}}"#,
            r#"podAnnotations={"note":"here"}"#,
            r#"nodeSelector={"kubernetes.io/os":"linux"}"#,
            r#"tolerations=[{"key":"edge","operator":"Exists"}]"#,
            r#"affinity={"podAntiAffinity":{}}"#,
            r#"extraArgs=["--bind=0.0.0.0"]"#,
            r#"extraEnv=[{"name":"NODE","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}}]"#,
            r#"extraVolumes=[{"name":"more","emptyDir":{}}]"#,
            r#"extraVolumeMounts=[{"name":"more","mountPath":"/more"}]"#,
            r#"serviceAccount={"name":"mine","annotations":{"a":"b"}}"#,
        ],
    ),
    case("a name of its own", &[CREATE, LLAMA, r#"fullnameOverride="picker""#, r#"nameOverride="epp""#]),
    Case { name: "a release that is a number", release: "123", values: &[CREATE, LLAMA, r#"fullnameOverride="no""#] },
    Case { name: "a release that begins with a digit", release: "1st", values: &[CREATE, LLAMA] },
    Case { name: "a release with dots", release: "llm.eu.prod", values: &[CREATE, LLAMA] },
    Case {
        name: "the longest name of a release, and everything",
        release: "a-release-with-the-longest-name-that-helm-takes-it-is",
        values: &[
            CREATE,
            LLAMA,
            ROUTE,
            CERTIFICATE,
            r#"gateway="istio""#,
            "serviceMonitor.enabled=true",
            "prometheusRule.enabled=true",
            "dashboard.enabled=true",
            "networkPolicy.enabled=true",
            "autoscaling.enabled=true",
        ],
    },
    Case {
        name: "the longest names of all",
        release: "a-release-with-the-longest-name-that-helm-takes-it-is",
        values: &[
            LLAMA,
            r#"gateway="envoyGateway""#,
            ROUTE,
            r#"nameOverride="a-name-of-sixty-three-letters-is-the-longest-that-a-label-takes""#,
            "dashboard.enabled=true",
        ],
    },
];
