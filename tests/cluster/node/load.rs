//! Sessions that send requests at a steady rate through a gateway, each answer noted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::support::prompts::with;
use crate::support::{Connection, Protocol, body, eventually, post, prompt, within};

/// Clients, each with one request at a time.
const CLIENTS: usize = 50;
/// Sessions of one client, which take turns.
const SESSIONS: usize = 4;

/// Running load; dropping it ends it.
pub struct Load {
    answers: Arc<Mutex<Vec<Answered>>>,
    /// Ticks whenever a test says so: which answers came before something it looked at, whatever the clock says.
    epoch: Arc<AtomicU64>,
    tasks: JoinSet<()>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answered {
    pub session: String,
    /// What was wrong with it; empty where nothing was.
    pub failure: String,
    /// The pod that answered.
    pub pod: String,
    /// Why that one.
    pub reason: String,
    /// The epoch in which it ended.
    pub epoch: u64,
}

impl Load {
    /// Starts `rate` requests a second, all of them streams of events, at `gateway`.
    pub async fn start(gateway: SocketAddr, rate: u32) -> Self {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let epoch = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        let pause = Duration::from_secs(1) * u32::try_from(CLIENTS).expect("few clients") / rate;
        for client in 0..CLIENTS {
            let (answers, epoch) = (Arc::clone(&answers), Arc::clone(&epoch));
            let mut due = interval(pause);
            tasks.spawn(async move {
                let mut connection = None;
                for turn in 0.. {
                    due.tick().await;
                    let session = format!("session-{client}-{}", turn % SESSIONS);
                    let mut answered = ask(gateway, &mut connection, session).await;
                    answered.epoch = epoch.load(Ordering::SeqCst);
                    answers.lock().push(answered);
                }
            });
        }
        let load = Self { answers, epoch, tasks };
        load.flows(2 * CLIENTS * SESSIONS).await;
        load
    }

    /// Begins the next epoch, and says which it is.
    pub fn next_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Waits for so many more answers.
    pub async fn flows(&self, count: usize) {
        let wanted = self.answers.lock().len() + count;
        eventually("the load flows", async || (self.answers.lock().len() >= wanted).then_some(())).await;
    }

    /// Failed answers so far, counted by what was wrong.
    pub fn failures(&self) -> BTreeMap<String, usize> {
        let mut failures = BTreeMap::new();
        for answer in self.answers().into_iter().filter(|answer| !answer.failure.is_empty()) {
            *failures.entry(answer.failure).or_default() += 1;
        }
        failures
    }

    /// All answers so far.
    pub fn answers(&self) -> Vec<Answered> {
        assert_eq!(self.tasks.len(), CLIENTS, "all clients are at work");
        self.answers.lock().clone()
    }
}

async fn ask(gateway: SocketAddr, connection: &mut Option<Connection>, session: String) -> Answered {
    let mut answered =
        Answered { session, failure: String::new(), pod: String::new(), reason: String::new(), epoch: 0 };
    if let Err(failure) = within("an answer under load", attempt(gateway, connection, &mut answered)).await {
        *connection = None;
        answered.failure = failure;
    }
    answered
}

async fn attempt(gateway: SocketAddr, kept: &mut Option<Connection>, answered: &mut Answered) -> Result<(), String> {
    if kept.is_none() {
        *kept = Connection::open(gateway, Protocol::Http1).await;
    }
    let connection = kept.as_mut().ok_or("the gateway refuses")?;
    let document = json!({
        "model": "test-model", "stream": true, "max_tokens": 8,
        "messages": [{"role": "user", "content": prompt(&answered.session, 600)}],
    });
    let request = post("/v1/chat/completions", body::full(document.to_string()));
    let response = connection.send(with(request, "x-session-id", &answered.session)).await;
    let reply = crate::support::Reply::read(response.map_err(|error| format!("no answer: {error}"))?).await;
    let reply = reply.map_err(|error| format!("a broken answer: {error}"))?;
    answered.pod = reply.served_by().to_owned();
    let decision = reply.header("x-homing-decision");
    // `…; picked NAME (REASON)`.
    let reason = decision.rsplit_once('(').and_then(|(_, reason)| reason.strip_suffix(')'));
    answered.reason = reason.unwrap_or(decision).to_owned();
    match reply.status {
        StatusCode::OK if reply.body.ends_with(b"data: [DONE]\n\n") => Ok(()),
        StatusCode::OK => Err("the stream ends early".to_owned()),
        status => Err(format!("{status} {:?}", String::from_utf8_lossy(&reply.body))),
    }
}
