//! Who may be chosen, and who is named beside the winner.

use super::*;

fn subset(text: &str) -> Subset {
    let mut subset = Subset::default();
    subset.admit(text);
    subset
}

fn address(name: &str) -> String {
    endpoint(name).address.to_string()
}

impl World {
    fn pick_of(&self, session: Option<&str>, text: Option<&[u8]>, subset: &Subset) -> Result<String, Refusal> {
        let request = Request { subset: Some(subset), ..request(session, text.map(prompt)) };
        let mut picked = self.picker.pick(&request, self.now)?;
        let endpoint = picked.decision().endpoint.to_string();
        picked.answered(ok(), self.now);
        picked.completed(Usage::default(), self.now);
        Ok(endpoint)
    }
}

#[test]
fn only_what_the_gateway_allows_is_picked_whatever_it_costs() {
    let world = world(&["r1", "r2", "r3"]);
    let system = vec![b'a'; 40_000];
    let (holder, _) = world.turn(None, Some(&system), 0);
    for name in ["r1", "r2", "r3"] {
        assert_eq!(
            world.pick_of(None, Some(&system), &subset(&address(name))).as_deref(),
            Ok(name),
            "{holder} holds it"
        );
    }
    let all = subset("127.0.0.1");
    assert_eq!(world.pick_of(None, Some(&system), &all), Ok(holder), "an address without a port allows all ports");
}

#[test]
fn a_subset_of_nobody_is_refused_and_is_not_an_absent_one() {
    let world = world(&["r1"]);
    for nobody in ["", "10.9.9.9", "127.0.0.1:1"] {
        assert_eq!(world.pick_of(None, None, &subset(nobody)), Err(Refusal::Subset), "{nobody:?}");
    }
    assert_eq!(super::world(&[]).pick_of(None, None, &subset("127.0.0.1")), Err(Refusal::NoEndpoints));
}

#[test]
fn a_hard_home_that_is_not_allowed_does_not_hold_and_the_body_is_wanted() {
    let world = world(&["r1", "r2"]);
    world.configure(|config| config.sessions.affinity = Affinity::Hard);
    let (home, _) = world.turn(Some("s"), None, 0);
    let other = if home == "r1" { "r2" } else { "r1" };
    let [home_only, other_only] = [&home, other].map(|name| subset(&address(name)));
    let needs_body =
        |subset| world.picker.needs_body(&Request { subset: Some(subset), ..request(Some("s"), None) }, world.now);
    assert!(!needs_body(&home_only));
    assert!(needs_body(&other_only));
    assert_eq!(world.pick_of(Some("s"), None, &other_only).as_deref(), Ok(other));
}

#[test]
fn where_every_endpoint_has_too_much_waiting_a_request_is_shed() {
    let world = world(&["r1", "r2"]);
    world.configure(|config| config.limits.waiting_tokens_per_endpoint = Some(20_000));
    let pool = Arc::clone(&world.picker.pool.load());
    let book = |place: usize, tokens| Booking::new(&pool.members()[place], tokens, 0.0, world.now.instant);
    let first = book(0, 70_000.0);
    drop(world.pick(None, None));
    let _second = book(1, 50_000.0);
    let shed = world.picker.pick(&request(None, None), world.now).map(|_| ());
    // 30,000 tokens over the limit, at 10,000 a second.
    assert_eq!(shed, Err(Refusal::Saturated { limit: 20_000, retry_after: Duration::from_secs(3) }));
    drop(first);
    assert_eq!(&*world.pick(None, None).decision().endpoint, "r1");
}

#[test]
fn a_limit_that_is_not_set_sheds_nothing() {
    let world = world(&["r1"]);
    let pool = Arc::clone(&world.picker.pool.load());
    let _busy = Booking::new(&pool.members()[0], 1e9, 0.0, world.now.instant);
    world.pick(None, None);
}

#[test]
fn a_destination_may_name_where_to_retry_by_cost_and_never_an_endpoint_that_is_gone() {
    let mut world = world(&["r1", "r2", "r3", "r4"]);
    let picker = Arc::into_inner(world.picker).expect("nobody else holds it");
    world.picker = Arc::new(picker.with_max_endpoints(3));
    let pool = Arc::clone(&world.picker.pool.load());
    let _busy: Vec<_> = (0..4_u16)
        .map(|place| {
            Booking::new(&pool.members()[usize::from(place)], f64::from(place) * 10_000.0, 0.0, world.now.instant)
        })
        .collect();
    (0..3).for_each(|_| pool.members()[1].load.count(crate::state::Outcome::Unreachable, world.now.instant));
    let picked = world.pick(None, None);
    assert_eq!(*picked.destination(), [address("r1"), address("r3"), address("r4")].join(","));
}
