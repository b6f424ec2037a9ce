//! What a second of scraping costs, run by hand.

use std::net::Ipv4Addr;

use super::*;

const TARGETS: usize = 2_000;
const PAGE: &str = include_str!("../../../../tests/data/vllm-0.32-metrics.txt");

/// Gives every address of this machine the same page, on a thread of its own.
fn engines(page: &'static str) -> u16 {
    let (told, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
            told.send(listener.local_addr().expect("bound").port()).expect("somebody waits");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            let answer: &'static [u8] = answer.into_bytes().leak();
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 4096];
                    while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
    });
    port.recv().expect("the engines start")
}

/// Seconds for which this thread was on a core.
fn on_core() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    told.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("nanoseconds") / 1e9
}

fn resident_mib() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/status").expect("Linux");
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("KiB") / 1024.0
}

#[tokio::test]
#[ignore = "a figure for docs/operations.md"]
async fn what_a_second_of_scraping_costs() {
    for (name, page) in [("a page of vLLM", PAGE), ("one line", "vllm:num_requests_waiting 1\n")] {
        let port = engines(page);
        let before = resident_mib();
        let target = |slot: u32| Target {
            id: EndpointId { slot, generation: 1 },
            address: (Ipv4Addr::from(0x7f01_0000 + slot), port).into(),
            http2: false,
        };
        let (_targets, receiver) = watch::channel((0..TARGETS as u32).map(target).collect());
        let (reader, _writer) = live(PickerConfig::default());
        let (scrapes, mut outcomes) = unbounded_channel();
        let asking = tokio::spawn(run(receiver, reader, move |scrape| {
            let _ = scrapes.send(matches!(scrape.heard, Heard::Said(_)));
        }));
        for _ in 0..2 * TARGETS {
            outcomes.recv().await;
        }
        let (started, began) = (Instant::now(), on_core());
        let mut read = 0;
        for _ in 0..5 * TARGETS {
            read += usize::from(outcomes.recv().await == Some(true));
        }
        let (took, cost) = (started.elapsed().as_secs_f64(), on_core() - began);
        println!(
            "{name}, {} bytes: {read} of {} pages read in {took:.1} s, {:.0} a second; {:.0} us each on a core, \
             {:.2} cores; {:.1} MiB more",
            page.len(),
            5 * TARGETS,
            5.0 * TARGETS as f64 / took,
            cost * 1e6 / (5.0 * TARGETS as f64),
            cost / took,
            resident_mib() - before,
        );
        asking.abort();
    }
}
