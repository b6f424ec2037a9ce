use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::cli::serve::vital::vital;

/// A follower whose file says this weight, and what it publishes.
struct Case {
    folder: TempDir,
    follower: Follower,
    reader: ConfigReader,
}

impl Case {
    fn new(file: f64) -> Self {
        let folder = tempdir().expect("a directory");
        let (reader, writer) = config::live(PickerConfig::default());
        let follower = Follower {
            name: "m".to_owned(),
            key: "config.yaml".to_owned(),
            reporter: Reporter::mute(),
            writer: Arc::new(writer),
            file: Some(folder.path().join("config.yaml")),
            fallback: None,
            held: None,
            reads: Reads::new(&Arc::default(), &Arc::default()),
            vital: vital().0,
        };
        let case = Self { folder, follower, reader };
        case.write(file);
        case
    }

    fn write(&self, value: f64) {
        fs::write(self.folder.path().join("config.yaml"), weight(value)).expect("written");
    }

    /// The weight in force after this.
    async fn after(&mut self, news: MapNews) -> f64 {
        self.follower.hear(news, true).await;
        self.in_force()
    }

    fn in_force(&self) -> f64 {
        self.reader.load().scorers.queue_depth.weight
    }

    async fn comes(&mut self) -> f64 {
        timeout(Duration::from_secs(10), self.reader.changed()).await.expect("in time");
        self.in_force()
    }
}

fn weight(weight: f64) -> String {
    format!("scorers: {{queueDepth: {{weight: {weight}}}}}")
}

fn document(value: f64) -> MapNews {
    MapNews::Document(Located::default(), weight(value))
}

fn bad() -> MapNews {
    MapNews::Document(Located::default(), "scorers: {queueDept: {}}".to_owned())
}

#[tokio::test]
async fn before_a_good_document_the_file_holds_whatever_is_wrong_with_the_configmap() {
    for news in [
        bad(),
        MapNews::KeyMissing(Located::default(), Vec::new()),
        MapNews::Missing,
        MapNews::Trouble(Trouble::Unreachable),
        MapNews::Trouble(Trouble::Forbidden),
    ] {
        let (mut case, what) = (Case::new(6.0), format!("{news:?}"));
        assert_eq!(case.after(news).await, 6.0, "{what}");
        assert!(case.follower.fallback.is_some(), "{what}: and is followed");
        assert_eq!(case.after(document(3.0)).await, 3.0, "{what}");
        assert!(case.follower.fallback.is_none(), "{what}: and no longer");
    }
}

#[tokio::test]
async fn after_a_good_document_the_file_is_no_better_than_it() {
    for news in [
        bad(),
        MapNews::KeyMissing(Located::default(), Vec::new()),
        MapNews::Deleted(Located::default()),
        MapNews::Unchanged,
        MapNews::Trouble(Trouble::Unreachable),
    ] {
        let (mut case, what) = (Case::new(6.0), format!("{news:?}"));
        case.after(document(3.0)).await;
        assert_eq!(case.after(news).await, 3.0, "{what}");
        assert!(case.follower.fallback.is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_configmap_that_may_not_be_read_any_more_holds_until_its_file_changes() {
    let mut case = Case::new(2.0);
    case.after(document(3.0)).await;
    case.reader.changed().await;
    assert_eq!(case.after(MapNews::Trouble(Trouble::Forbidden)).await, 3.0, "the mounted copy may be older");
    case.write(4.0);
    assert_eq!(case.comes().await, 4.0);
    assert_eq!(case.after(MapNews::Unchanged).await, 3.0, "the right is back");
    assert!(case.follower.fallback.is_none());
}

#[tokio::test]
async fn what_is_wrong_is_reported_until_it_is_right() {
    let mut case = Case::new(6.0);
    case.after(bad()).await;
    assert_eq!(case.follower.reporter.reason(), Some("InvalidConfiguration"));
    case.after(MapNews::Deleted(Located::default())).await;
    assert_eq!(case.follower.reporter.reason(), Some("ConfigurationDeleted"));
    case.after(document(3.0)).await;
    assert_eq!(case.follower.reporter.reason(), None);
}
