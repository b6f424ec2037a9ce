//! What the replicas of a picker have in common: the name that they were given, or the uid of their pool.

use std::sync::Arc;

use tokio::sync::watch;

use crate::pick::Picker;

/// A picker and the name of its replicas, as soon as that is known.
#[derive(Debug)]
pub struct Group {
    pub picker: Arc<Picker>,
    name: watch::Sender<Option<Arc<str>>>,
    is_given: bool,
}

impl Group {
    /// With the name that was given, if one was; then it stays that.
    pub fn new(picker: Arc<Picker>, given: Option<&str>) -> Self {
        Self { picker, name: watch::Sender::new(given.map(Arc::from)), is_given: given.is_some() }
    }

    /// The pool has this uid: sessions are named by it from now on, and state is shared with all that have it too.
    pub fn pool(&self, uid: &str) {
        if self.is_given {
            return;
        }
        self.picker.rename_pool(uid);
        self.name.send_if_modified(|name| {
            let is_new = name.as_deref() != Some(uid);
            *name = Some(uid.into());
            is_new
        });
    }

    /// The name as it is now, and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.name.subscribe()
    }
}
