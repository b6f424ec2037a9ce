//! TLS between the gateway and the picker: as it is by default, and with a certificate that is replaced.

use std::fs;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::bookings::unreachable_engines;
use crate::support::certificates::{Pair, Secret, shown, trusted};
use crate::support::envoy::{Envoy, Options};
use crate::support::files::replace;
use crate::support::homing::binary;
use crate::support::process::run;
use crate::support::prompts::{chat_of_size, chat_stream};
use crate::support::{Answer, Engine, Gate, Homing, Protocol, World, body, engine, eventually, post, within};

#[tokio::test]
async fn a_gateway_that_verifies_nothing_is_served_over_tls() {
    let envoy = Options { tls: true, ..Options::default() };
    let world = World::builder(2).flags(&["--secure-serving=true"]).envoy(envoy).start().await;
    for size in [1_000, 1 << 20] {
        let sent = chat_of_size(size);
        let request = post("/v1/chat/completions", body::full(sent.clone()));
        let reply = world.connect(Protocol::Http2).await.exchange(request).await.ok();
        let served = world.engine(reply.served_by()).requests();
        assert_eq!(served.last().expect("a request has arrived").body, sent);
    }
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_an_open_stream_goes_on() {
    let (old, new) = (Pair::until(2_100), Pair::until(2_101));
    let mut secret = Secret::mount(&old);
    let world = behind_tls(&secret).await;
    let port = world.homing.port("grpc");
    assert_eq!(shown(port).await, old.der);
    assert_eq!(metric(&world.homing, "homing_certificate_expiry_seconds{}").await, "4102444800");

    let (gate, events) = (Gate::closed(), engine::events(10));
    world.engines[0].answer(Answer::Events { events: events.clone(), gate: gate.clone() });
    let mut connection = world.connect(Protocol::Http2).await;
    let mut stream = within("the head", connection.send(chat_stream(None, "short", "hello"))).await.expect("a head");
    gate.let_pass(2);
    world.homing.books(1).await;

    secret.update(&new.certificate, &new.key);
    eventually("the new certificate is shown", async || (shown(port).await == new.der).then_some(())).await;
    assert!(trusted(port, &new.der, "localhost").await && !trusted(port, &old.der, "localhost").await);
    assert_eq!(metric(&world.homing, "homing_certificate_expiry_seconds{}").await, "4133980800");
    assert_eq!(metric(&world.homing, "homing_certificate_reloads_total{outcome=\"good\"}").await, "2");

    gate.open();
    let mut bytes = BytesMut::new();
    while let Some(frame) = within("the next event", stream.frame()).await {
        bytes.extend_from_slice(frame.expect("the stream is not cut").data_ref().expect("data"));
    }
    assert_eq!(bytes.freeze(), Bytes::from(events.concat()), "the stream is whole");
    world.homing.ledger_reads_zero().await;
}

#[tokio::test]
async fn a_pair_that_is_none_keeps_the_certificate_before() {
    let (good, other, later) = (Pair::until(2_100), Pair::until(2_100), Pair::until(2_100));
    let mut secret = Secret::mount(&good);
    let mut homing = start(&secret).await;
    let port = homing.port("grpc");
    let broken = [
        (&*good.certificate, &*other.key, "KeyMismatch"),
        ("no certificate", &*good.key, "tls.crt: holds no PEM certificate"),
        (&*good.certificate, "no key", "tls.key: holds no PEM key"),
    ];
    for (count, (certificate, key, reason)) in (1..).zip(broken) {
        let mark = homing.log_mark();
        secret.update(certificate, key);
        let complaint = homing.complains(mark).await["message"].to_string();
        assert!(complaint.contains(reason) && complaint.contains("stays in force"), "{complaint}");
        assert_eq!(shown(port).await, good.der, "{reason}");
        let bad = metric(&homing, "homing_certificate_reloads_total{outcome=\"bad\"}").await;
        assert_eq!(bad, count.to_string(), "{reason}");
    }
    secret.update(&later.certificate, &later.key);
    eventually("a good pair is taken", async || (shown(port).await == later.der).then_some(())).await;
}

#[tokio::test]
async fn a_pair_that_is_replaced_file_by_file_is_taken_when_it_is_whole() {
    let (old, new) = (Pair::until(2_100), Pair::until(2_100));
    let secret = Secret::mount(&old);
    let homing = start(&secret).await;
    replace(&secret.path().join("tls.crt"), &new.certificate);
    assert_eq!(shown(homing.port("grpc")).await, old.der);
    replace(&secret.path().join("tls.key"), &new.key);
    eventually("the pair is taken", async || (shown(homing.port("grpc")).await == new.der).then_some(())).await;
}

#[tokio::test]
async fn a_certificate_made_at_start_bears_the_names_that_flags_give() {
    let flags = ["--secure-serving=true", "--cert-name", "picker.homing.svc", "--cert-name=10.1.2.3"];
    let homing = Homing::start(&unreachable_engines(1), None, &flags).await;
    let port = homing.port("grpc");
    let made = shown(port).await;
    for (name, bears) in [("localhost", true), ("picker.homing.svc", true), ("10.1.2.3", true), ("10.1.2.4", false)] {
        assert_eq!(trusted(port, &made, name).await, bears, "{name}");
    }
    let (status, text) = run(&binary(), &["serve", "--endpoints-file", "f", "--cert-name", "no name"]);
    assert!(!status.success() && text.contains("--cert-name") && text.contains("host name"), "{text}");
}

#[tokio::test]
async fn serve_with_a_pair_that_is_none_ends_with_an_error_that_names_it() {
    let pair = Pair::until(2_100);
    let secret = Secret::mount(&pair);
    let endpoints = secret.path().join("endpoints.yaml");
    fs::write(&endpoints, "endpoints: []\n").expect("the folder takes files");
    fs::remove_file(secret.path().join("tls.key")).expect("the folder loses files");
    let paths = [endpoints, secret.path().to_owned()].map(|path| path.to_str().expect("a plain path").to_owned());
    let (status, text) = run(&binary(), &["serve", "--endpoints-file", &paths[0], "--cert-path", &paths[1]]);
    assert!(!status.success() && text.contains("--cert-path") && text.contains("tls.key"), "{text}");
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_shown_and_warned_of() {
    let expired = Pair::until(2_020);
    let secret = Secret::mount(&expired);
    let mut homing = start(&secret).await;
    let warning = homing.complains(0).await;
    assert_eq!(warning["message"], "the certificate in force has expired");
    assert_eq!(warning["expired"], "2020-01-01T00:00:00Z");
    assert_eq!(shown(homing.port("grpc")).await, expired.der);
}

#[tokio::test]
async fn a_certificate_in_der_is_refused_as_what_it_is() {
    let secret = Secret::mount(&Pair::until(2_100));
    let folder = secret.path().to_str().expect("a plain path");
    fs::write(secret.path().join("tls.crt"), &Pair::until(2_100).der).expect("the folder takes files");
    let endpoints = secret.path().join("endpoints.yaml");
    fs::write(&endpoints, "endpoints: []\n").expect("the folder takes files");
    let endpoints = endpoints.to_str().expect("a plain path");
    let (status, text) = run(&binary(), &["serve", "--endpoints-file", endpoints, "--cert-path", folder]);
    assert!(!status.success() && text.contains("tls.crt: is not PEM (is it DER?)"), "{text}");
}

#[tokio::test]
async fn flags_of_a_certificate_are_warned_of_where_tls_is_off() {
    for flags in [["--cert-path", "/nowhere"], ["--cert-name", "picker.example"]] {
        let flags = [&["--secure-serving=false"][..], &flags].concat();
        let mut homing = Homing::start(&unreachable_engines(1), None, &flags).await;
        let warning = homing.complains(0).await;
        assert_eq!(warning["flag"], flags[1]);
        assert!(warning["message"].to_string().contains("--secure-serving=false"), "{warning}");
    }
}

/// A picker with this certificate, and no gateway.
async fn start(secret: &Secret) -> Homing {
    let path = secret.path().to_str().expect("a plain path");
    let quiet = Some("engineMetrics: {enabled: false}");
    Homing::start(&unreachable_engines(1), quiet, &["--secure-serving=true", "--cert-path", path]).await
}

/// One engine behind a gateway that reaches its picker over TLS with this certificate.
async fn behind_tls(secret: &Secret) -> World {
    let engines = vec![Engine::start("r1").await];
    let path = secret.path().to_str().expect("a plain path");
    let homing = Homing::start(&[engines[0].entry()], None, &["--secure-serving=true", "--cert-path", path]).await;
    let options = Options { tls: true, ..Options::default() };
    let envoy = Envoy::start(&options, homing.port("grpc"), &[engines[0].address()]).await;
    World { envoy, homing, engines }
}

/// The value of a metric, by its name and labels as they stand on the page.
async fn metric(homing: &Homing, name: &str) -> String {
    let page = homing.page("metrics", "/metrics").await.ok();
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is not on the page:\n{text}")).to_owned()
}
