//! Counts the steps that are made while a page is locked against readers. Only tests count.

/// Some steps were made.
#[inline]
pub fn count(steps: usize) {
    #[cfg(test)]
    made::add(steps);
    let _ = steps;
}

/// A page was locked for writing.
#[inline]
pub fn locked() {
    #[cfg(test)]
    made::begin();
}

#[cfg(test)]
pub mod made {
    use std::cell::Cell;

    thread_local! {
        /// Since the last lock, and the most of any.
        static STEPS: (Cell<usize>, Cell<usize>) = const { (Cell::new(0), Cell::new(0)) };
    }

    pub fn begin() {
        STEPS.with(|(since, _)| since.set(0));
    }

    pub fn add(steps: usize) {
        STEPS.with(|(since, most)| {
            since.set(since.get() + steps);
            most.set(most.get().max(since.get()));
        });
    }

    /// The most steps between two locks that this thread took since this was last asked.
    pub fn most() -> usize {
        STEPS.with(|(_, most)| most.replace(0))
    }
}
