//! The session id: echoed always, made where it is missing, never kept as it came.

use http::StatusCode;
use uuid::{Uuid, Variant, Version};

use crate::support::prompts::{chat_stream, with};
use crate::support::{Answer, Gate, Protocol, World, chat, engine, get};

const ID: &str = "conversation-4711-of-a-test";

/// Answers of engines, and the status that the client sees.
fn answers() -> Vec<(Answer, StatusCode)> {
    let gate = Gate::closed();
    gate.open();
    let events = Answer::Events { events: engine::events(3), gate };
    let errors = [StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS];
    let errors = errors.map(|status| (Answer::Status(status), status));
    let good = [(Answer::Completion, StatusCode::OK), (events, StatusCode::OK)];
    let broken = [(Answer::Reset, StatusCode::SERVICE_UNAVAILABLE)];
    good.into_iter().chain(errors).chain(broken).collect()
}

#[tokio::test]
async fn a_session_id_is_echoed_on_json_events_and_errors() {
    let world = World::of(1).await;
    for protocol in Protocol::BOTH {
        for (answer, status) in answers() {
            world.engines[0].answer(answer);
            for request in [chat_stream(Some(ID), "short", "hello"), with(get("/v1/models"), "x-session-id", ID)] {
                let reply = world.connect(protocol).await.exchange(request).await;
                assert_eq!((reply.status, reply.session()), (status, ID), "{protocol:?}");
                assert_eq!(reply.headers.get_all("x-session-id").iter().count(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_missing_session_id_is_generated_as_a_version_4_uuid_on_json_events_and_errors() {
    let world = World::of(1).await;
    let mut seen = Vec::new();
    for (answer, status) in answers() {
        world.engines[0].answer(answer);
        for request in [chat_stream(None, "short", "hello"), get("/v1/models")] {
            let reply = world.exchange(request).await;
            assert_eq!(reply.status, status);
            assert_is_generated(reply.session());
            assert!(!seen.contains(&reply.session().to_owned()), "every request gets an id of its own");
            seen.push(reply.session().to_owned());
        }
    }
}

#[tokio::test]
async fn a_session_id_is_echoed_or_generated_where_no_engine_is_left() {
    let world = World::of(0).await;
    let reply = world.chat(Some(ID), "short", "hello").await;
    assert_eq!((reply.status, reply.session()), (StatusCode::SERVICE_UNAVAILABLE, ID));
    let reply = world.exchange(get("/v1/models")).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_is_generated(reply.session());
}

#[tokio::test]
async fn an_invalid_session_id_counts_as_none() {
    let world = World::of(1).await;
    let too_long = "x".repeat(256);
    for invalid in [too_long.as_str(), "two words", "tab\tin-it", "non-ascii-é"] {
        for request in [get("/v1/models"), chat(None, "short", "hello")] {
            let reply = world.exchange(with(request, "x-session-id", invalid)).await.ok();
            assert_is_generated(reply.session());
        }
    }
    let longest = "x".repeat(255);
    let reply = world.chat(Some(&longest), "short", "hello").await.ok();
    assert_eq!(reply.session(), longest);
}

#[tokio::test]
async fn no_session_id_is_generated_where_that_is_switched_off() {
    let world = World::builder(1).config("sessions: {generate: false}").start().await;
    let reply = world.chat(None, "short", "hello").await.ok();
    assert_eq!(reply.session(), "");
    let reply = world.chat(Some(ID), "short", "hello").await.ok();
    assert_eq!(reply.session(), ID);
}

#[tokio::test]
async fn raw_session_ids_are_neither_logged_nor_shown_nor_counted() {
    let world = World::builder(2).flags(&["--explain-header"]).start().await;
    for header in ["x-session-id", "x-session-affinity"] {
        for protocol in Protocol::BOTH {
            let request = with(chat(None, "short", "hello"), header, ID);
            world.connect(protocol).await.exchange(request).await.ok();
        }
    }
    let generated = world.chat(None, "short", "hello").await.ok().session().to_owned();
    let invalid = "an invalid id";
    world.exchange(with(get("/v1/models"), "x-session-id", invalid)).await.ok();
    world.homing.ledger_reads_zero().await;

    let mut places = vec![("the log".to_owned(), world.homing.log())];
    for (port, path) in [("admin", "/decisions?limit=100"), ("admin", "/endpoints"), ("metrics", "/metrics")] {
        let page = world.homing.page(port, path).await.ok();
        places.push((path.to_owned(), String::from_utf8_lossy(&page.body).into_owned()));
    }
    for (place, text) in places {
        for id in [ID, generated.as_str(), invalid] {
            assert!(!text.contains(id), "{place} holds the id {id:?}");
        }
    }
}

#[track_caller]
fn assert_is_generated(id: &str) {
    let uuid = Uuid::parse_str(id).unwrap_or_else(|error| panic!("{id:?} is no UUID: {error}"));
    assert_eq!((uuid.get_version(), uuid.get_variant()), (Some(Version::Random), Variant::RFC4122));
    assert_eq!(id, uuid.hyphenated().to_string());
}
