//! The load: every conversation of a workload at its time, whatever became of the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep_until};

use super::client::{Answer, Client};
use crate::simulation::Constants;
use crate::simulation::workload::{Conversation, Workload};

/// The parts of one policy's run.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Not measured.
    pub warm_up: Duration,
    /// Requests that start in it count.
    pub measure: Duration,
}

/// What became of one request.
#[derive(Debug)]
pub struct Outcome {
    /// Which conversation asked.
    pub conversation: u64,
    /// Whether it started after the warm-up.
    pub measured: bool,
    /// How it was answered; an error where no complete answer came.
    pub served: anyhow::Result<Served>,
}

/// A request that was answered.
#[derive(Debug)]
pub struct Served {
    /// Who answered, by its own word.
    pub endpoint: String,
    /// From the request to the first piece of the answer.
    pub time_to_first_token: Duration,
    /// Tokens of the prompt, by the engine's usage.
    pub prompt_tokens: u64,
    /// Of these, those that the engine had in its cache.
    pub cached_tokens: u64,
    /// Whether the conversation's last request was served elsewhere.
    pub moved: bool,
}

// === impl Timing ===

impl Timing {
    /// From the first request to the last start of one.
    pub fn length(&self) -> Duration {
        self.warm_up + self.measure
    }
}

/// Drives a workload through a gateway; returns all requests once they are answered.
///
/// `progress` is told the time since the start, twice a second.
pub async fn run(
    gateway: SocketAddr,
    workload: &Workload,
    timing: Timing,
    mut progress: impl FnMut(Duration),
) -> Vec<Outcome> {
    let shared = Arc::new(Shared { client: Client::new(gateway), workload: workload.clone(), timing });
    let began = Instant::now();
    let mut conversations = JoinSet::new();
    for conversation in workload.conversations() {
        conversations.spawn(shared.clone().converse(began, *conversation));
    }
    let mut tick = interval(Duration::from_millis(500));
    let mut outcomes = Vec::new();
    loop {
        tokio::select! {
            joined = conversations.join_next() => match joined {
                Some(Ok(mut some)) => outcomes.append(&mut some),
                // A conversation is only cancelled with all of this.
                Some(Err(_)) => {}
                None => return outcomes,
            },
            _ = tick.tick() => progress(began.elapsed()),
        }
    }
}

struct Shared {
    client: Client,
    workload: Workload,
    timing: Timing,
}

impl Shared {
    /// Runs one conversation until it has asked everything, time is over, or a request fails.
    async fn converse(self: Arc<Self>, began: Instant, conversation: Conversation) -> Vec<Outcome> {
        let Self { client, workload, timing } = &*self;
        let shape = workload.shape();
        let number = conversation.number;
        let mut outcomes = Vec::new();
        let (mut session, mut last_endpoint) = (None, None);
        let mut next = began + conversation.joins;
        sleep_until(next).await;
        let mut dialogue = workload.dialogue(&conversation, Constants::default().bytes_per_token);
        while next < began + timing.length() && dialogue.ask() {
            sleep_until(next).await;
            let asked = Instant::now();
            let measured = next >= began + timing.warm_up;
            let answer = client.ask(dialogue.messages(), shape.answer_tokens, session.as_ref()).await;
            let Answer { text, first_content, endpoint, session: told, prompt_tokens, cached_tokens } = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    outcomes.push(Outcome { conversation: number, measured, served: Err(error) });
                    break;
                }
            };
            next = Instant::now() + shape.thinking;
            dialogue.answered(text);
            session = told.or(session);
            let moved = last_endpoint.replace(endpoint.clone()).is_some_and(|last| last != endpoint);
            let time_to_first_token = first_content - asked;
            let served = Served { endpoint, time_to_first_token, prompt_tokens, cached_tokens, moved };
            outcomes.push(Outcome { conversation: number, measured, served: Ok(served) });
        }
        outcomes
    }
}
