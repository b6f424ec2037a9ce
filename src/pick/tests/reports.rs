//! What engines say, and how it moves picks.

use super::*;
use crate::metrics::ScrapeLabel;
use crate::model::{Adapter, AdapterReport, EndpointId, EngineKind, EngineReport};

/// A prompt below one block, so that no prefix is found.
const SHORT: &[u8] = b"hello";

impl World {
    fn id(&self, name: &str) -> EndpointId {
        let pool = self.picker.pool.load();
        pool.members().iter().find(|member| &*member.endpoint.name == name).expect("in the pool").id
    }

    fn say(&self, name: &str, report: &EngineReport) {
        self.picker.engine_said(self.id(name), Ok(report), self.now.instant);
    }

    /// One scrape that failed.
    fn miss(&self, name: &str) {
        self.picker.engine_said(self.id(name), Err(ScrapeLabel::Timeout), self.now.instant);
    }

    fn view(&self, name: &str) -> EndpointView {
        let views = self.picker.endpoints(self.now.instant);
        views.into_iter().find(|view| &*view.name == name).expect("in the pool")
    }

    /// Who a new session's request with this model goes to.
    fn picked_for(&self, model: &str, session: usize) -> String {
        let session = format!("session-{session}");
        let prompt = Prompt { model, ..prompt(SHORT) };
        let picked = self.picker.pick(&request(Some(&session), Some(prompt)), self.now).expect("eligible");
        picked.decision().endpoint.to_string()
    }
}

fn busy(waiting: u32, running: u32) -> EngineReport {
    EngineReport {
        engine: Some(EngineKind::Sglang),
        waiting: Some(waiting),
        running: Some(running),
        kv_usage: Some(0.5),
        ..EngineReport::default()
    }
}

fn with_adapters(slots: usize, names: &[&str]) -> EngineReport {
    let in_use = names.iter().map(|name| Adapter::named(name)).collect();
    EngineReport { adapters: Some(AdapterReport { slots, in_use }), ..busy(0, 0) }
}

#[test]
fn load_that_others_sent_moves_picks_after_three_scrapes() {
    let world = world(&["r1", "r2"]);
    for _ in 0..3 {
        assert_eq!(world.load("r1"), (0.0, 0));
        world.say("r1", &busy(9, 4));
        world.say("r2", &busy(0, 4));
    }
    assert!(world.load("r1").0 > 0.0);
    assert_eq!((world.load("r1").1, world.load("r2")), (4, (0.0, 4)));
    // Nine requests wait there, each taken for the pool's mean request.
    assert!((0..20).all(|session| world.picked_for("m", session) == "r2"));
}

#[test]
fn a_stale_endpoint_falls_back_to_our_own_bookings_and_stays_routable() {
    let mut world = world(&["r1", "r2"]);
    (0..3).for_each(|_| world.say("r1", &busy(9, 4)));
    assert_eq!((world.view("r1").engine, world.view("r1").kv_usage), (Some(EngineKind::Sglang), Some(0.5)));
    world.now.instant += Duration::from_secs(7);
    world.miss("r1");
    world.miss("r1");
    assert!(world.load("r1").0 > 0.0, "two misses are no reason yet");
    world.miss("r1");
    assert_eq!(world.load("r1"), (0.0, 0));
    let stale = world.view("r1");
    assert_eq!((stale.engine, stale.scrape_age, stale.kv_usage), (Some(EngineKind::Sglang), Some(7.0), None));
    let held: Vec<_> = (0..20).map(|session| world.pick(Some(&format!("s{session}")), Some(SHORT))).collect();
    let there = held.iter().filter(|picked| &*picked.decision().endpoint == "r1").count();
    assert!(there > 0, "it is picked again");
    assert_eq!(world.load("r1").1 as usize, there, "by what we booked there");
    assert_eq!(world.view("r1").picks as usize, there);
}

#[test]
fn all_endpoints_stale_blocks_no_request() {
    let world = world(&["r1", "r2", "r3"]);
    for name in ["r1", "r2", "r3"] {
        (0..3).for_each(|_| world.say(name, &busy(100, 100)));
        (0..10).for_each(|_| world.miss(name));
    }
    let mut served = std::collections::BTreeSet::new();
    for session in 0..60 {
        served.insert(world.picked_for("m", session));
    }
    assert_eq!(served.len(), 3);
}

#[test]
fn a_page_without_known_names_counts_as_a_miss_but_tells_a_restart() {
    let world = world(&["r1"]);
    (0..3).for_each(|_| world.say("r1", &busy(9, 4)));
    world.turn(None, Some(&vec![b'x'; 8_000]), 0);
    let page = |start: f64| EngineReport { process_start: Some(start), ..EngineReport::default() };
    (0..3).for_each(|_| world.say("r1", &page(1000.0)));
    assert_eq!(world.load("r1"), (0.0, 0));
    assert!(world.view("r1").indexed_blocks > 0);
    world.say("r1", &page(2000.0));
    assert_eq!(world.view("r1").indexed_blocks, 0);
    let scrapes = |label| world.picker.metrics.scrapes.of(label).get();
    assert_eq!((scrapes(ScrapeLabel::Good), scrapes(ScrapeLabel::UnknownNames)), (3, 4));
}

#[test]
fn what_an_engine_said_is_dropped_when_it_is_not_asked_any_more() {
    let world = world(&["r1"]);
    (0..3).for_each(|_| world.say("r1", &busy(9, 4)));
    world.say("r1", &with_adapters(4, &["sql"]));
    world.picker.engine_not_asked(world.id("r1"));
    let view = world.view("r1");
    assert_eq!((view.waiting_tokens, view.in_flight, view.scrape_age, view.kv_usage), (0.0, 0, None, None));
    assert_eq!(view.adapters, 0);
    assert!(!world.picker.adapters.any(), "no name is an adapter any more");
}

#[test]
fn gauges_of_an_endpoint_that_never_spoke_are_absent() {
    let world = world(&["r1", "r2"]);
    world.say("r1", &busy(0, 0));
    drop(world.pick(None, Some(SHORT)));
    world.picker.refresh_gauges(world.now.instant);
    world.picker.refresh_gauges(world.now.instant);
    let page = world.picker.metrics.render();
    for line in [
        "homing_endpoint_scrape_age_seconds{endpoint=\"r1\"} 0",
        "homing_endpoint_kv_usage{endpoint=\"r1\"} 0.5",
        "homing_endpoint_picks_total{endpoint=\"r2\"}",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    assert!(!page.contains("scrape_age_seconds{endpoint=\"r2\"}") && !page.contains("kv_usage{endpoint=\"r2\"}"));
    let picks = world.view("r1").picks + world.view("r2").picks;
    assert_eq!(picks, 1);
}

#[test]
fn a_request_goes_where_its_adapter_is_loaded() {
    let world = world(&["r1", "r2", "r3"]);
    world.say("r2", &with_adapters(4, &["sql"]));
    assert!((0..30).all(|session| world.picked_for("sql", session) == "r2"));
    let base = (0..30).filter(|session| world.picked_for("base", *session) == "r2").count();
    assert!(base < 30, "a model that is no adapter is charged nothing");
    assert_eq!(world.view("r2").adapters, 1);
}

#[test]
fn a_queue_outweighs_an_adapter_and_the_next_pick_knows_where_it_was_loaded() {
    let world = world(&["r1", "r2"]);
    world.say("r1", &with_adapters(4, &["sql"]));
    let pool = Arc::clone(&world.picker.pool.load());
    let busy = Booking::new(pool.get(world.id("r1")).expect("in the pool"), 5_000.0, 0.0, world.now.instant);
    assert_eq!(world.picked_for("sql", 0), "r2");
    drop(busy);
    let there = (0..40).filter(|session| world.picked_for("sql", *session) == "r2").count();
    assert!((1..40).contains(&there), "both have it now: {there}");
}

#[test]
fn an_adapter_whose_request_failed_is_not_taken_to_be_loaded() {
    let world = world(&["r1", "r2"]);
    world.say("r1", &with_adapters(4, &["sql"]));
    let pool = Arc::clone(&world.picker.pool.load());
    let busy = Booking::new(pool.get(world.id("r1")).expect("in the pool"), 5_000.0, 0.0, world.now.instant);
    let sql = Prompt { model: "sql", ..prompt(SHORT) };
    let mut picked = world.picker.pick(&request(None, Some(sql)), world.now).expect("eligible");
    assert_eq!(&*picked.decision().endpoint, "r2");
    picked.answered(Head { status: 404, is_event_stream: false, ..ok() }, world.now);
    drop(busy);
    assert!((0..20).all(|session| world.picked_for("sql", session) == "r1"));
}

#[test]
fn an_adapter_is_noted_where_it_was_served_and_kept_there_by_those_who_had_it() {
    for had_it in [false, true] {
        let world = world(&["r1", "r2"]);
        world.say("r1", &with_adapters(4, &["sql"]));
        if had_it {
            world.say("r2", &with_adapters(4, &["sql"]));
        }
        let pool = Arc::clone(&world.picker.pool.load());
        let _busy = had_it
            .then(|| Booking::new(pool.get(world.id("r2")).expect("in the pool"), 5_000.0, 0.0, world.now.instant));
        let request = request(None, Some(Prompt { model: "sql", ..prompt(SHORT) }));
        for status in [500, 200] {
            let mut picked = world.picker.pick(&request, world.now).expect("an endpoint is eligible");
            assert_eq!(&*picked.decision().endpoint, "r1");
            picked.answered(Head { status, served: Some(endpoint("r2").address), ..ok() }, world.now);
            let there = usize::from(had_it || status == 200);
            assert_eq!((world.view("r1").adapters, world.view("r2").adapters), (1, there), "{status}");
            picked.completed(Usage::default(), world.now);
        }
    }
}

#[test]
fn an_engine_that_restarted_has_no_adapters() {
    let world = world(&["r1", "r2"]);
    let said = |start: f64, names: &[&str]| EngineReport { process_start: Some(start), ..with_adapters(4, names) };
    world.say("r1", &said(1000.0, &["sql"]));
    assert_eq!(world.view("r1").adapters, 1);
    world.say("r1", &said(2000.0, &[]));
    assert_eq!(world.view("r1").adapters, 0);
}

#[test]
fn bodies_are_read_for_adapters_where_nothing_else_needs_them() {
    let world = world(&["r1"]);
    world.configure(|config| config.scorers.prefix_locality.weight = 0.0);
    assert!(!world.picker.needs_body(&request(None, None), world.now));
    world.say("r1", &with_adapters(4, &["sql"]));
    assert!(world.picker.needs_body(&request(None, None), world.now));
    world.configure(|config| {
        config.scorers.prefix_locality.weight = 0.0;
        config.scorers.adapter_locality.load_tokens = 0.0;
    });
    assert!(!world.picker.needs_body(&request(None, None), world.now));
}
