//! Sends a plan: in its order, a few requests at a time, whatever the machine's speed.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::chat::{Answer, Asker, Message};
use crate::plan::Plan;
use crate::progress::Requests;

/// Requests under way at once.
const AT_ONCE: usize = 4;

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Which turn of its conversation it was, from 0.
    pub turn: usize,
    pub answer: Answer,
}

/// A conversation between two of its turns.
struct Dialogue {
    messages: Vec<Message>,
    turn: usize,
    answers: Vec<(usize, Exchange)>,
}

type Turn = JoinHandle<anyhow::Result<Dialogue>>;

/// Drives all of `plan`; the exchanges are in its order. `name` tells this run's sessions from others'.
pub async fn run(asker: &Asker, plan: &Plan, name: &'static str) -> anyhow::Result<Vec<Exchange>> {
    let (permits, mut progress) = (Arc::new(Semaphore::new(AT_ONCE)), Requests::new(name, plan.order.len()));
    let mut dialogues: HashMap<usize, Turn> = HashMap::new();
    let mut ended = Vec::with_capacity(plan.order.len());
    for (place, number) in plan.order.iter().copied().enumerate() {
        let before = match dialogues.remove(&number) {
            Some(turn) => turn.await.context("a request panicked")??,
            None => Dialogue::new(&plan.conversations[number].system),
        };
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let question = plan.conversations[number].questions[before.turn].clone();
        let (asker, session) = (asker.clone(), format!("{name}-{number}"));
        let turn = tokio::spawn(async move {
            let _permit = permit;
            before.asks(&asker, &session, question, place).await
        });
        dialogues.insert(number, turn);
        progress.answered();
    }
    for turn in dialogues.into_values() {
        ended.extend(turn.await.context("a request panicked")??.answers);
    }
    ended.sort_by_key(|(place, _)| *place);
    Ok(ended.into_iter().map(|(_, exchange)| exchange).collect())
}

// === impl Dialogue ===

impl Dialogue {
    fn new(system: &str) -> Self {
        let messages = vec![Message { role: "system", content: system.to_owned() }];
        Self { messages, turn: 0, answers: Vec::new() }
    }

    async fn asks(mut self, asker: &Asker, session: &str, question: String, place: usize) -> anyhow::Result<Self> {
        self.messages.push(Message { role: "user", content: question });
        let answer = asker.ask(Some(session), &self.messages).await.with_context(|| format!("request {place}"))?;
        self.messages.push(Message { role: "assistant", content: answer.text.clone() });
        self.answers.push((place, Exchange { turn: self.turn, answer }));
        self.turn += 1;
        Ok(self)
    }
}
