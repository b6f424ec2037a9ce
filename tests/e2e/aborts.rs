//! Requests that end in the middle, from either side, leave nothing behind in the ledger.

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::support::prompts::{chat_of_size, chat_stream};
use crate::support::{Answer, Connection, Gate, Protocol, World, body, engine, eventually, post, within};

/// How far a request has come when its client leaves.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Upload,
    Thinking,
    FirstEvent,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Upload, Self::Thinking, Self::FirstEvent];
}

#[tokio::test]
async fn a_client_that_leaves_in_any_phase_leaves_no_booking() {
    let world = World::of(2).await;
    for protocol in Protocol::BOTH {
        for phase in Phase::ALL {
            let left = leave(&world, world.connect(protocol).await, phase).await;
            drop(left);
            settled(&world).await;
        }
    }
}

#[tokio::test]
async fn hundreds_of_clients_that_leave_in_every_phase_leave_no_booking() {
    let world = World::of(2).await;
    for round in 0..10 {
        for phase in Phase::ALL {
            let protocol = Protocol::BOTH[round % 2];
            let mut left = Vec::new();
            for _ in 0..10 {
                let connection = world.connect(protocol).await;
                left.push(open(&world, connection, phase));
            }
            // They go away wherever they are by then; at least one has come as far as the phase says.
            let last = leave(&world, world.connect(protocol).await, phase).await;
            drop((left, last));
            settled(&world).await;
        }
    }
    world.engines.iter().for_each(|engine| engine.answer(Answer::Completion));
    world.chat(None, "short", "is all well?").await.ok();
    settled(&world).await;
}

#[tokio::test]
async fn one_stream_of_a_connection_that_is_reset_leaves_no_booking_and_no_other_stream_broken() {
    let world = World::of(1).await;
    let gate = Gate::closed();
    world.engines[0].answer(Answer::Held(gate.clone()));
    let mut connection = world.connect(Protocol::Http2).await;
    {
        let request = connection.send(chat_stream(None, "short", "leaves"));
        tokio::pin!(request);
        tokio::select! {
            _answered = &mut request => panic!("the engine holds the answer"),
            () = world.homing.books(1) => {}
        }
    }
    settled(&world).await;
    gate.open();
    connection.exchange(chat_stream(None, "short", "stays")).await.ok();
    settled(&world).await;
}

#[tokio::test]
async fn an_engine_that_breaks_before_its_answer_leaves_no_booking() {
    let world = World::of(1).await;
    world.engines[0].answer(Answer::Reset);
    for protocol in Protocol::BOTH {
        let reply = world.connect(protocol).await.exchange(chat_stream(None, "short", "hello")).await;
        assert_eq!(reply.status, 503);
        settled(&world).await;
    }
}

#[tokio::test]
async fn an_engine_that_breaks_in_the_middle_of_its_answer_leaves_no_booking() {
    let world = World::of(1).await;
    for protocol in Protocol::BOTH {
        let gate = Gate::closed();
        let events = engine::events(2);
        world.engines[0].answer(Answer::EventsThenReset { events: events.clone(), gate: gate.clone() });
        let mut connection = world.connect(protocol).await;
        let response = within("the head", connection.send(chat_stream(None, "short", "hello"))).await.expect("a head");
        world.homing.books(1).await;
        gate.open();
        let broken = within("the end", response.into_body().collect()).await;
        assert!(broken.is_err(), "the client learns that the answer is not whole");
        settled(&world).await;
    }
}

/// Sends a request and returns it, still running, once it has come as far as `phase`.
async fn leave(world: &World, connection: Connection, phase: Phase) -> Running {
    let booked = world.homing.in_flight().await;
    let streams = world.envoy.picker_streams().await;
    let mut running = open(world, connection, phase);
    match phase {
        // The picker has its stream open; whether it has the first bytes does not matter.
        Phase::Upload => {
            let begun = async || (world.envoy.picker_streams().await > streams).then_some(());
            eventually("the upload has begun", begun).await;
        }
        Phase::Thinking => {
            let grown = async || (world.homing.in_flight().await > booked).then_some(());
            eventually("the request is booked", grown).await;
        }
        Phase::FirstEvent => {
            within("the first event", &mut running.first_event).await.expect("an event comes");
        }
    }
    running
}

/// A request under way; dropping it drops its connection.
struct Running {
    _task: JoinSet<()>,
    first_event: oneshot::Receiver<()>,
}

/// Sends a request that never ends by itself.
fn open(world: &World, mut connection: Connection, phase: Phase) -> Running {
    let request = match phase {
        Phase::Upload => {
            let half: Bytes = chat_of_size(100_000).slice(..50_000);
            post("/v1/chat/completions", body::unfinished(half))
        }
        Phase::Thinking | Phase::FirstEvent => chat_stream(None, "short", "hello"),
    };
    let answer = match phase {
        Phase::Upload | Phase::Thinking => Answer::Held(Gate::closed()),
        Phase::FirstEvent => Answer::FirstEvent(engine::events(1).remove(0)),
    };
    world.engines.iter().for_each(|engine| engine.answer(answer.clone()));
    let (seen, first_event) = oneshot::channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        let mut stream = connection.send(request).await.expect("an answer begins").into_body();
        let _event = stream.frame().await.expect("an event comes").expect("an event comes whole");
        let _nobody_waits = seen.send(());
        std::future::pending::<()>().await;
    });
    Running { _task: task, first_event }
}

/// Waits until neither Envoy nor Homing has anything left of it.
async fn settled(world: &World) {
    eventually("Envoy holds no stream", async || (world.envoy.picker_streams().await == 0).then_some(())).await;
    world.homing.ledger_reads_zero().await;
}
