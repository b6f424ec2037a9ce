//! What a node reports of a pod.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::network::HOST;
use super::spec::{Facts, Restart};

/// A pod's status, as far as it is not in its spec.
#[derive(Clone, Debug)]
pub struct Status {
    began: String,
    phase: &'static str,
    state: Value,
    last_state: Value,
    started: bool,
    ready: bool,
    ready_since: String,
    restarts: u32,
}

impl Status {
    pub fn new() -> Self {
        let now = now();
        Self {
            began: now.clone(),
            phase: "Pending",
            state: json!({"waiting": {"reason": "ContainerCreating"}}),
            last_state: json!({}),
            started: false,
            ready: false,
            ready_since: now,
            restarts: 0,
        }
    }

    /// The container cannot be made yet; tells whether that is news.
    pub fn waits(&mut self, reason: &str, message: &str) -> bool {
        let state = json!({"waiting": {"reason": reason, "message": message}});
        std::mem::replace(&mut self.state, state.clone()) != state
    }

    /// A container has been started.
    pub fn runs(&mut self) {
        self.phase = "Running";
        self.state = json!({"running": {"startedAt": now()}});
    }

    /// Its startup probe has passed.
    pub fn has_started(&mut self) {
        self.started = true;
    }

    /// Whether it is ready; tells whether that is news.
    pub fn is_ready(&mut self, ready: bool) -> bool {
        let news = self.ready != ready;
        if news {
            self.ready = ready;
            self.ready_since = now();
        }
        news
    }

    /// It has ended, with these words.
    pub fn ended(&mut self, code: i32, message: String, last: bool) {
        let reason = if code == 0 { "Completed" } else { "Error" };
        let began = self.state["running"]["startedAt"].take();
        self.state = json!({"terminated": {
            "exitCode": code, "reason": reason, "message": message, "startedAt": began, "finishedAt": now(),
        }});
        self.started = false;
        self.is_ready(false);
        if last {
            self.phase = if code == 0 { "Succeeded" } else { "Failed" };
        }
    }

    /// It will be started again in a moment, for the how-manieth time.
    pub fn restarts(&mut self) -> u32 {
        self.last_state = self.state.take();
        self.restarts += 1;
        self.waits("CrashLoopBackOff", "back-off before the container is started again");
        self.restarts
    }

    /// As the API server takes it.
    pub fn object(&self, facts: &Facts) -> Value {
        let done = matches!(self.phase, "Succeeded" | "Failed");
        let condition = |kind: &str, holds: bool, since: &str| {
            let reason = match (holds, kind, done) {
                (true, ..) | (false, "PodScheduled" | "Initialized", _) => Value::Null,
                (false, _, true) => "PodCompleted".into(),
                (false, _, false) => "ContainersNotReady".into(),
            };
            let status = if holds { "True" } else { "False" };
            json!({"type": kind, "status": status, "lastTransitionTime": since, "reason": reason})
        };
        let container = facts.container();
        json!({"status": {
            "phase": self.phase,
            "startTime": self.began,
            "hostIP": HOST, "hostIPs": [{"ip": HOST}],
            "podIP": facts.address, "podIPs": [{"ip": facts.address}],
            "qosClass": facts.pod.status.as_ref().and_then(|status| status.qos_class.clone()),
            "conditions": [
                condition("PodScheduled", true, &self.began),
                condition("Initialized", true, &self.began),
                condition("ContainersReady", self.ready, &self.ready_since),
                condition("Ready", self.ready, &self.ready_since),
            ],
            "containerStatuses": [{
                "name": container.name, "image": container.image, "imageID": container.image,
                "containerID": format!("process://{}-{}", facts.uid, self.restarts),
                "ready": self.ready, "started": self.started, "restartCount": self.restarts,
                "state": self.state, "lastState": self.last_state,
            }],
        }})
    }
}

/// Whether a pod with this policy is started again after such an end.
pub fn starts_again(policy: Restart, code: i32) -> bool {
    match policy {
        Restart::Always => true,
        Restart::OnFailure => code != 0,
        Restart::Never => false,
    }
}

fn now() -> String {
    Timestamp::now().to_string()
}
