use std::fs;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::tempdir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(endpoints) => panic!("accepted: {endpoints:?}"),
        Err(error) => error.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn an_entry_says_name_address_port_labels_weight_and_drain() {
    let text = "
endpoints:
- {name: r1, address: 127.0.0.1, port: 8001, labels: {zone: a}, weight: 2, drain: true}
- {name: r2, address: '::1', port: 8001}
- {name: r3, address: '[::1]', port: 8002, weight: 0}
";
    let endpoints = parse(text).expect("a valid document");
    let first = Endpoint { weight: 2.0, draining: true, ..Endpoint::new("r1", ([127, 0, 0, 1], 8001).into()) };
    assert_eq!(endpoints[0], first);
    assert_eq!(endpoints[1], Endpoint::new("r2", "[::1]:8001".parse().expect("an address")));
    assert!(!endpoints[2].is_eligible());
}

#[test]
fn an_empty_list_is_an_empty_pool_and_an_empty_file_is_not() {
    assert_eq!(parse("endpoints: []"), Ok(vec![]));
    assert_eq!(problems(""), ["1:1: missing field `endpoints`"]);
    assert_eq!(problems("endpoints:"), ["1:10: endpoints: holds nothing: write `endpoints: []` for none"]);
}

#[test]
fn a_label_that_is_no_text_wants_quotes() {
    let text = "endpoints:\n- {name: r1, address: ::1, port: 1, labels: {zone: 1}}\n";
    assert_eq!(
        problems(text),
        ["2:52: endpoints[0].labels.zone: invalid type: integer `1`, must be text: put it in quotes"]
    );
}

#[test]
fn every_problem_is_listed_with_its_place() {
    let text = "\
endpoints:
- {name: r1, adress: 127.0.0.1, port: 1}
- name: r2
  address: engine.example
  port: 0
- {name: r 3, address: '10.0.0.1:80', port: 70000, weight: .inf}
";
    assert_eq!(
        problems(text),
        [
            "2:3: endpoints[0]: missing field `address`",
            "2:14: endpoints[0].adress: unknown field (did you mean `address`?)",
            "4:12: endpoints[1].address: `engine.example` is not an IP address; host names are not resolved, write the address",
            "5:9: endpoints[1].port: is 0, must be between 1 and 65535",
            "6:10: endpoints[2].name: `r 3` must be 1 to 253 letters, digits or any of - _ . /",
            "6:24: endpoints[2].address: `10.0.0.1:80` holds a port: write it in the field `port`",
            "6:45: endpoints[2].port: is 70000, must be between 1 and 65535",
            "6:60: endpoints[2].weight: invalid type: string \".inf\", must be a number",
        ]
    );
    assert_eq!(
        problems(
            "endpoints:\n- name: r2\n  address: engine.example\n  port: 0\n- {name: r 3, address: '10.0.0.1:80', port: 70000}"
        ),
        [
            "3:12: endpoints[0].address: `engine.example` is not an IP address; host names are not resolved, write the address",
            "4:9: endpoints[0].port: is 0, must be between 1 and 65535",
            "5:10: endpoints[1].name: `r 3` must be 1 to 253 letters, digits or any of - _ . /",
            "5:24: endpoints[1].address: `10.0.0.1:80` holds a port: write it in the field `port`",
            "5:45: endpoints[1].port: is 70000, must be between 1 and 65535",
        ]
    );
}

#[test]
fn two_of_a_name_or_of_an_address_are_refused() {
    let text = "endpoints:\n- {name: a, address: ::1, port: 1}\n- {name: a, address: ::1, port: 2}\n- {name: b, address: ::1, port: 1}\n";
    assert_eq!(
        problems(text),
        [
            "3:10: endpoints[1].name: `a` is already the name of endpoints[0]",
            "4:22: endpoints[2].address: [::1]:1 is already the address of endpoints[0]",
        ]
    );
}

#[tokio::test]
async fn a_bad_edit_keeps_the_last_good_endpoints() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("endpoints.yaml");
    fs::write(&path, "endpoints: [{name: a, address: ::1, port: 1}]").expect("written");
    let (first, file) = open(&path).await.expect("a good file");
    assert_eq!(first.len(), 1);

    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let following = tokio::spawn(file.follow(move |outcome| {
        let _ = sender.send(outcome.map_err(ToString::to_string));
    }));
    let mut next = async || timeout(Duration::from_secs(10), outcomes.recv()).await.expect("in time");

    fs::write(&path, "endpoints: [").expect("written");
    next().await.expect("an outcome").expect_err("a bad edit");
    fs::write(&path, "endpoints: []").expect("written");
    assert_eq!(next().await, Some(Ok(vec![])));
    following.abort();
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(endpoints|name|address|port|::1|[ \\n:\\[\\]{},.&*'\"#-]|[0-9]{1,3}){0,60}") {
        let _ = parse(&text);
    }
}
