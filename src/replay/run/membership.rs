//! Replicas that join, leave and die.

use std::rc::Rc;

use crate::replay::Seconds;
use crate::replay::change::{Change, NOTICED, What};
use crate::replay::engine::Engine;

use super::replay::Replay;

impl Replay<'_> {
    /// When the next change is; infinity where there is none.
    pub fn next_change(&self) -> Seconds {
        self.changes.last().map_or(Seconds::INFINITY, |change| change.at)
    }

    /// So many engines join the pool.
    pub(super) fn add(&mut self, count: usize, now: Seconds) {
        for _ in 0..count {
            self.members.push(self.engines.len());
            self.engines.push(match &self.shared {
                Some(cache) => Engine::new(self.stage.constants, Rc::clone(cache)),
                None => Engine::with_own_cache(self.stage.constants),
            });
            self.events.push(Seconds::INFINITY);
            self.dead.push(false);
        }
        self.policy.pool(&self.members, now);
    }

    /// Does the next change.
    pub fn change(&mut self) {
        let Some(Change { at: now, what }) = self.changes.pop() else { return };
        match what {
            What::Add(count) => self.add(count, now),
            What::Remove(number) => {
                self.members.retain(|member| *member != number);
                self.policy.pool(&self.members, now);
            }
            What::Fail(number) => self.fail(number, now),
        }
    }

    fn fail(&mut self, number: usize, now: Seconds) {
        self.dead[number] = true;
        for (request, saw_first_token) in self.engines[number].fail() {
            self.policy.failed(&request, number, false, now);
            self.outcome.failed(request.number, saw_first_token);
        }
        self.look_at(number, now);
        self.share_room(now);
        let gone = Change { at: now + NOTICED, what: What::Remove(number) };
        let place = self.changes.partition_point(|change| change.at > gone.at);
        self.changes.insert(place, gone);
    }
}
