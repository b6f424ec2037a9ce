//! The same harness around a picker that does nothing: what fails here is not Homing's fault.

use bytes::Bytes;
use http::{Request, StatusCode, header};

use crate::support::envoy::{Destination, Envoy, Options};
use crate::support::{Answer, Engine, Gate, Protocol, body, echo_picker, engine, get, post, prompt};

#[tokio::test]
async fn a_picker_that_does_nothing_lets_bodies_and_events_through() {
    for destination in [Destination::Header, Destination::Metadata] {
        let upstream = Engine::start("r1").await;
        let picker = echo_picker::start(upstream.address()).await;
        let options = Options { destination, ..Options::default() };
        let envoy = Envoy::start(&options, picker, &[upstream.address()]).await;
        for protocol in Protocol::BOTH {
            let mut connection = envoy.connect(protocol).await;
            let sent = Bytes::from(prompt("control", 1 << 20));
            connection.exchange(post("/v1/chat/completions", body::full(sent.clone()))).await.ok();
            assert_eq!(upstream.requests().last().expect("a request has arrived").body, sent);

            let head = Request::head("/v1/models").header(header::HOST, "gateway.test").body(body::empty());
            let reply = connection.exchange(head.expect("a valid request")).await;
            assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0));

            let events = engine::events(5);
            let gate = Gate::closed();
            gate.open();
            upstream.answer(Answer::Events { events: events.clone(), gate });
            let reply = connection.exchange(get("/v1/anything")).await.ok();
            assert_eq!(reply.body, events.concat());
            upstream.answer(Answer::Completion);
        }
    }
}
