//! The running configuration: one writer publishes, any number of readers load without a lock.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::watch;

use super::schema::PickerConfig;

/// Reads the running configuration; cheap to clone.
#[derive(Clone, Debug)]
pub struct ConfigReader {
    current: Arc<ArcSwap<PickerConfig>>,
    generation: watch::Receiver<u64>,
}

/// Replaces the running configuration.
#[derive(Debug)]
pub struct ConfigWriter {
    current: Arc<ArcSwap<PickerConfig>>,
    generation: watch::Sender<u64>,
}

/// The two halves of the running configuration.
pub fn live(initial: PickerConfig) -> (ConfigReader, ConfigWriter) {
    let current = Arc::new(ArcSwap::from_pointee(initial));
    let (sender, receiver) = watch::channel(1);
    (ConfigReader { current: Arc::clone(&current), generation: receiver }, ConfigWriter { current, generation: sender })
}

impl ConfigReader {
    /// The configuration of this moment; hold it for one request or one round, not longer.
    pub fn load(&self) -> Guard<Arc<PickerConfig>> {
        self.current.load()
    }

    /// Counts what was published, from 1.
    pub fn generation(&self) -> u64 {
        *self.generation.borrow()
    }

    /// Waits until this reader has not yet waited for what is current; forever once the writer is gone.
    pub async fn changed(&mut self) {
        if self.generation.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl ConfigWriter {
    /// Makes a configuration the running one; the same as before wakes nobody.
    pub fn publish(&self, config: PickerConfig) {
        if **self.current.load() == config {
            return;
        }
        self.current.store(Arc::new(config));
        self.generation.send_modify(|generation| *generation += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generating(generate: bool) -> PickerConfig {
        let mut config = PickerConfig::default();
        config.sessions.generate = generate;
        config
    }

    #[tokio::test]
    async fn a_reader_sees_what_was_published_and_is_woken_once() {
        let (mut reader, writer) = live(generating(true));
        writer.publish(generating(false));
        reader.changed().await;
        assert!(!reader.load().sessions.generate);
        assert_eq!(reader.generation(), 2);
    }

    #[test]
    fn the_same_configuration_again_is_no_new_generation() {
        let (reader, writer) = live(generating(true));
        writer.publish(generating(true));
        assert_eq!(reader.generation(), 1);
    }
}
