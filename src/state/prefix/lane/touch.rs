//! A chain is made the newest, or becomes longer.

use super::runs::{Hashes, MAX_RUN, Mark, NIL, Run, Runs, common};

/// What a run whose end was evicted may keep of its room when it is young again.
const SLACK: usize = 4;

/// What of a chain was held.
struct Held {
    /// So many blocks from its first on.
    blocks: usize,
    /// Of so many from its first on others were told.
    known: usize,
    /// The run that ends with the last of them, or that the chain follows.
    end: u32,
}

impl Runs {
    /// Makes a chain, or the end of one, the newest: touched from tail to head, so that a tail is always older than its
    /// head. All of it gets this `mark`; returns how many from its first on others were told of before in that generation.
    ///
    /// `above` is the run whose last block it follows, and becomes as young with all before it, as far as `renewals`
    /// blocks reach; [`NIL`] for a whole chain. `add` is asked for every block that is not held: one that it refuses
    /// ends the chain, because chained hashes never come twice and somebody wrote nonsense.
    pub fn touch(
        &mut self,
        above: u32,
        chain: &[u64],
        mark: Mark,
        renewals: &mut usize,
        mut add: impl FnMut(u64) -> bool,
    ) -> usize {
        self.keeps_tails |= mark.told != 0;
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        self.renew(above, renewals, &mut path);
        path.iter().for_each(|run| self.runs[*run].mark.credit = mark.credit);
        let renewed = path.len();
        let held = self.walk(above, chain, mark.told, &mut path);
        path[renewed..].iter().for_each(|run| self.runs[*run].mark = mark);
        let rest = &chain[held.blocks..];
        let is_elsewhere = rest.first().is_some_and(|hash| self.heads.get(*hash).is_some());
        let new = if is_elsewhere { 0 } else { rest.iter().take_while(|hash| add(**hash)).count() };
        self.append(held.end, &rest[..new], mark, &mut path);
        for &run in path.iter().rev() {
            self.unlink(run);
            self.link_newest(run);
            self.note_tail(run);
            let hashes = &mut self.runs[run].hashes;
            if hashes.capacity() > hashes.len() + SLACK {
                hashes.shrink_to_fit();
            }
        }
        self.join(&path);
        self.path = path;
        held.known
    }

    /// The run that ends with the block at `place` of `run`, which is cut in two where it goes on.
    pub fn end_at(&mut self, run: u32, place: usize) -> u32 {
        if place + 1 < self.runs[run].hashes.len() { self.split(run, place + 1) } else { run }
    }

    /// Cuts a run in two after `len` of its blocks; returns the first of them. The end keeps its number, and so its
    /// children.
    fn split(&mut self, run: u32, len: usize) -> u32 {
        let end = &mut self.runs[run];
        let rest = Hashes::from_slice(&end.hashes[len..]);
        let (head, second) = (end.hashes[0], rest[0]);
        let mut hashes = std::mem::replace(&mut end.hashes, rest);
        hashes.truncate(len);
        hashes.shrink_to_fit();
        let Run { newer, parent, before, after, mark, .. } = *end;
        let front = self.runs.add(Run { hashes, newer, older: run, parent, child: run, before, after, mark });
        self.heads.set(head, front);
        self.heads.set(second, run);
        if newer == NIL {
            self.newest = front
        } else {
            self.runs[newer].older = front
        }
        self.follow(parent, before, front);
        if after != NIL {
            self.runs[after].before = front;
        }
        let end = &mut self.runs[run];
        (end.newer, end.parent, end.before, end.after) = (front, front, NIL, NIL);
        self.note_tail(front);
        front
    }

    /// Finds the runs that `above` ends, for as many blocks as may become young.
    fn renew(&mut self, above: u32, renewals: &mut usize, path: &mut Vec<u32>) {
        let mut run = above;
        while run != NIL && *renewals > 0 {
            let len = self.runs[run].hashes.len();
            if len > *renewals {
                self.split(run, len - *renewals);
            }
            *renewals = renewals.saturating_sub(len);
            path.push(run);
            run = self.runs[run].parent;
        }
        path.reverse();
    }

    /// Finds the runs that `chain` is made of, and cuts the last of them where the chain leaves it.
    fn walk(&mut self, above: u32, chain: &[u64], generation: u32, path: &mut Vec<u32>) -> Held {
        let mut held = Held { blocks: 0, known: 0, end: above };
        while let Some(run) = chain.get(held.blocks).and_then(|hash| self.heads.get(*hash)) {
            let Run { hashes, parent, mark: Mark { told, .. }, .. } = &self.runs[run];
            if *parent != held.end {
                break;
            }
            let same = common(hashes, &chain[held.blocks..]);
            if held.known == held.blocks && *told == generation {
                held.known += same;
            }
            held.end = self.end_at(run, same - 1);
            held.blocks += same;
            path.push(held.end);
        }
        held
    }

    /// Puts new blocks behind `end`.
    fn append(&mut self, mut end: u32, mut new: &[u64], mark: Mark, path: &mut Vec<u32>) {
        self.blocks += new.len();
        if path.last().is_some_and(|run| *run == end && self.runs[end].child == NIL && self.runs[end].mark == mark) {
            let room = MAX_RUN.saturating_sub(self.runs[end].hashes.len()).min(new.len());
            if room > 0 {
                self.forget_tail(end);
                self.runs[end].hashes.reserve_exact(room);
                self.runs[end].hashes.extend_from_slice(&new[..room]);
                new = &new[room..];
            }
        }
        for few in new.chunks(MAX_RUN) {
            end = self.add(Run { hashes: Hashes::from_slice(few), parent: end, mark, ..Run::default() });
            path.push(end);
        }
    }

    /// Makes one run of those that only follow each other. Each of `path` was just made newer than the one after it.
    fn join(&mut self, path: &[u32]) {
        let Some((&last, fronts)) = path.split_last() else { return };
        let mut end = last;
        for &front in fronts.iter().rev() {
            let [one, other] = [&self.runs[front], &self.runs[end]];
            let is_alone = one.child == end && other.after == NIL;
            if is_alone && one.mark == other.mark && one.hashes.len() + other.hashes.len() <= MAX_RUN {
                self.join_two(front, end);
            } else {
                end = front;
            }
        }
    }

    /// `end` keeps its number, and so its children.
    fn join_two(&mut self, front: u32, end: u32) {
        self.forget_tail(front);
        self.unlink(front);
        let Run { hashes, parent, before, after, .. } = std::mem::take(&mut self.runs[front]);
        self.runs.remove(front);
        self.heads.remove(self.runs[end].hashes[0]);
        self.heads.set(hashes[0], end);
        self.follow(parent, before, end);
        if after != NIL {
            self.runs[after].before = end;
        }
        let joined = &mut self.runs[end];
        let rest = std::mem::replace(&mut joined.hashes, hashes);
        joined.hashes.reserve_exact(rest.len());
        joined.hashes.extend_from_slice(&rest);
        (joined.parent, joined.before, joined.after) = (parent, before, after);
    }

    /// The run ends here.
    pub(super) fn note_tail(&mut self, run: u32) {
        if self.keeps_tails
            && let Some(last) = self.runs[run].last()
        {
            self.tails.set(last, run);
        }
    }
}
