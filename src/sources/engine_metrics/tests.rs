use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::config::{ConfigWriter, PickerConfig, live};

/// An engine that answers every request with one waiting request, or never.
async fn engine(answers: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    let page = "vllm:num_requests_waiting 1\n";
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
                    if answers && stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn target(slot: u32, address: SocketAddr) -> Target {
    Target { id: EndpointId { slot, generation: 1 }, address, http2: false }
}

fn asking(enabled: bool) -> PickerConfig {
    let mut config = PickerConfig::default();
    config.engine_metrics.enabled = enabled;
    config.engine_metrics.interval = Duration::from_millis(50);
    config.engine_metrics.timeout = Duration::from_millis(100);
    config
}

fn started(
    targets: Vec<Target>,
    config: PickerConfig,
) -> (watch::Sender<Vec<Target>>, ConfigWriter, UnboundedReceiver<Scrape>) {
    let (sender, receiver) = watch::channel(targets);
    let (reader, writer) = live(config);
    let (scrapes, outcomes) = unbounded_channel();
    tokio::spawn(run(receiver, reader, move |scrape| {
        let _ = scrapes.send(scrape);
    }));
    (sender, writer, outcomes)
}

async fn next(outcomes: &mut UnboundedReceiver<Scrape>) -> Scrape {
    timeout(Duration::from_secs(10), outcomes.recv()).await.expect("in time").expect("still running")
}

#[tokio::test]
async fn an_engine_that_hangs_delays_only_its_own_reports() {
    let (good, hung) = (target(0, engine(true).await), target(1, engine(false).await));
    let mut config = asking(true);
    config.engine_metrics.timeout = Duration::from_secs(3600);
    let (_targets, _writer, mut outcomes) = started(vec![hung, good], config);
    for _ in 0..5 {
        let scrape = next(&mut outcomes).await;
        assert_eq!(scrape.id, good.id);
        assert!(matches!(scrape.heard, Heard::Said(EngineReport { waiting: Some(1), .. })), "{scrape:?}");
    }
}

#[tokio::test]
async fn an_engine_that_hangs_is_reported_each_time() {
    let hung = target(1, engine(false).await);
    let (_targets, _writer, mut outcomes) = started(vec![hung], asking(true));
    for _ in 0..2 {
        let scrape = next(&mut outcomes).await;
        assert!(matches!(scrape.heard, Heard::Failed(ScrapeError::Timeout(_))), "{scrape:?}");
    }
}

#[tokio::test]
async fn a_page_of_json_is_read_once_and_the_page_of_trtllm_serve_instead() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (paths, mut asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let paths = paths.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut request).await {
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    let (kind, page) = match path.as_str() {
                        "/metrics" => ("application/json", "[]"),
                        _ => ("text/plain", "trtllm_num_requests_waiting 3\n"),
                    };
                    let _ = paths.send(path);
                    let length = page.len();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{page}");
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut config = asking(true);
    config.engine_metrics.timeout = Duration::from_secs(10);
    let (_targets, _writer, mut outcomes) = started(vec![target(0, address)], config);
    let first = next(&mut outcomes).await;
    assert!(matches!(first.heard, Heard::Failed(ScrapeError::Json)), "{first:?}");
    for _ in 0..3 {
        let scrape = next(&mut outcomes).await;
        assert!(matches!(scrape.heard, Heard::Said(EngineReport { waiting: Some(3), .. })), "{scrape:?}");
    }
    assert_eq!(asked.try_recv().as_deref(), Ok("/metrics"));
    while let Ok(path) = asked.try_recv() {
        assert_eq!(path, "/prometheus/metrics");
    }
}

#[tokio::test]
async fn a_page_on_another_port_is_asked_with_http_1_whatever_the_endpoint_speaks() {
    let (metrics, requests) = (engine(true).await, TcpListener::bind("127.0.0.1:0").await.expect("a port"));
    let target = Target { http2: true, ..target(0, requests.local_addr().expect("bound")) };
    let mut settings = asking(true).engine_metrics;
    (settings.port, settings.timeout) = (Some(metrics.port()), Duration::from_secs(10));
    let asked = ask_once(target, &Scraper::new(), &settings).await;
    assert!(matches!(asked.outcome, Ok(EngineReport { waiting: Some(1), .. })), "{asked:?}");
}

#[tokio::test]
async fn tasks_come_and_go_with_their_endpoints() {
    let (first, second) = (target(0, engine(true).await), target(1, engine(true).await));
    let (targets, _writer, mut outcomes) = started(vec![first], asking(true));
    assert_eq!(next(&mut outcomes).await.id, first.id);
    targets.send_replace(vec![second]);
    while next(&mut outcomes).await.id == first.id {}
    for _ in 0..3 {
        assert_eq!(next(&mut outcomes).await.id, second.id);
    }
    drop(targets);
    while timeout(Duration::from_secs(10), outcomes.recv()).await.expect("the tasks end").is_some() {}
}

#[tokio::test]
async fn asking_can_be_turned_on_while_running() {
    let good = target(0, engine(true).await);
    let (_targets, writer, mut outcomes) = started(vec![good], asking(false));
    tokio::task::yield_now().await;
    assert!(outcomes.try_recv().is_err());
    writer.publish(asking(true));
    assert!(matches!(next(&mut outcomes).await.heard, Heard::Said(_)));
}

#[tokio::test]
async fn an_engine_that_is_not_asked_any_more_is_reported_once() {
    let good = target(0, engine(true).await);
    let (_targets, writer, mut outcomes) = started(vec![good], asking(true));
    assert!(matches!(next(&mut outcomes).await.heard, Heard::Said(_)));
    writer.publish(asking(false));
    while !matches!(next(&mut outcomes).await.heard, Heard::NotAsked) {}
    writer.publish(PickerConfig { limits: Default::default(), ..asking(false) });
    writer.publish(asking(true));
    assert!(matches!(next(&mut outcomes).await.heard, Heard::Said(_)));
}
