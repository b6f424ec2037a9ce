use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use futures_util::stream;
use k8s_openapi::api::core::v1 as core;
use kube::core::Status;
use parking_lot::Mutex;

use super::*;

type Said = watcher::Result<Event<core::ConfigMap>>;

/// A watch on what each stream says in turn; the last stays open and silent.
fn watch<const N: usize>(streams: [Vec<Said>; N]) -> (Watch<core::ConfigMap, String>, Arc<Mutex<usize>>) {
    let streams = Mutex::new(VecDeque::from(streams));
    let opened = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&opened);
    let open = move || {
        *counted.lock() += 1;
        stream::iter(streams.lock().pop_front().unwrap_or_default()).chain(stream::pending()).boxed()
    };
    (Watch::over(open, "n", "configmaps", |map| map.metadata.name.unwrap_or_default()), opened)
}

fn map(name: &str) -> core::ConfigMap {
    let mut map = core::ConfigMap::default();
    map.metadata.name = Some(name.to_owned());
    map
}

/// A complete list.
fn list(names: [&str; 1]) -> Vec<Said> {
    let names = names.into_iter().map(|name| Ok(Event::InitApply(map(name))));
    [Ok(Event::Init)].into_iter().chain(names).chain([Ok(Event::InitDone)]).collect()
}

fn refused(code: u16) -> kube::Error {
    kube::Error::Api(Status::failure("no", "No").with_code(code).boxed())
}

fn unreachable() -> kube::Error {
    kube::Error::ReadEvents(io::ErrorKind::ConnectionRefused.into())
}

async fn next(watch: &mut Watch<core::ConfigMap, String>) -> String {
    match tokio::time::timeout(Duration::from_secs(20), watch.next()).await.expect("in time") {
        Seen::All(names) => format!("all {}", names.join(" ")),
        Seen::One(name) => format!("one {name}"),
        Seen::Gone(name) => format!("gone {name}"),
        Seen::Trouble => "trouble".to_owned(),
    }
}

#[tokio::test]
async fn a_list_that_fails_after_its_first_page_is_told_only_when_it_is_complete() {
    let mut said = vec![Ok(Event::Init), Ok(Event::InitApply(map("a")))];
    said.push(Err(watcher::Error::InitialListFailed(unreachable())));
    let (mut watch, _) = watch([said, list(["b"])]);
    assert!(!watch.is_up(), "nothing was heard yet");
    assert_eq!(next(&mut watch).await, "trouble");
    assert!(!watch.is_up());
    assert_eq!(next(&mut watch).await, "all b", "and nothing of the first page");
    assert!(watch.is_up());
}

#[tokio::test]
async fn a_version_that_is_not_known_any_more_is_no_trouble_and_ends_in_a_list() {
    for code in [410, 504, 400] {
        let mut said = list(["a"]);
        said.push(Err(watcher::Error::WatchStartFailed(refused(code))));
        let (mut watch, opened) = watch([said, list(["b"])]);
        assert_eq!((next(&mut watch).await, next(&mut watch).await), ("all a".into(), "all b".into()), "{code}");
        assert_eq!(*opened.lock(), 2, "{code}");
    }
}

#[tokio::test]
async fn a_watch_that_fails_to_start_once_or_twice_goes_on_where_it_was() {
    let mut said = list(["a"]);
    said.push(Err(watcher::Error::WatchStartFailed(unreachable())));
    said.push(Err(watcher::Error::WatchStartFailed(refused(500))));
    said.push(Ok(Event::Apply(map("b"))));
    let (mut watch, opened) = watch([said]);
    assert_eq!((next(&mut watch).await, next(&mut watch).await), ("all a".into(), "one b".into()));
    assert_eq!(*opened.lock(), 1, "nothing was listed again");
}

#[tokio::test]
async fn a_watch_that_fails_again_and_again_is_in_trouble_until_a_list_is_complete() {
    let mut said = list(["a"]);
    said.extend((0..3).map(|_| Err(watcher::Error::WatchStartFailed(unreachable()))));
    let (mut watch, _) = watch([said, list(["b"])]);
    assert_eq!((next(&mut watch).await, next(&mut watch).await), ("all a".into(), "trouble".into()));
    assert!(!watch.is_up());
    assert_eq!(next(&mut watch).await, "all b");
    assert!(watch.is_up());
}

#[test]
fn failures_are_in_a_row_only_within_the_time_of_one_watch() {
    for (since, failures) in [(None, 2), (Some(1), 2), (Some(50), 2), (Some(51), 0)] {
        assert_eq!(in_a_row(2, since.map(Duration::from_secs)), failures, "{since:?}");
    }
}

#[test]
fn pauses_grow_from_a_moment_to_a_few_seconds() {
    let pauses: Vec<_> = [0, 1, 2, 4, 10, u32::MAX].iter().map(|n| pause(*n, 0.0).as_millis()).collect();
    assert_eq!(pauses, [200, 400, 800, 3_200, 5_000, 5_000]);
    assert!(pause(10, JITTER) <= LONGEST_PAUSE * 2);
}
