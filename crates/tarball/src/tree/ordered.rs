//! Numbers in an order that others define.

use std::cmp::Ordering;

use super::store::Id;

/// A run is parted when it is longer.
const RUN: usize = 512;

/// Numbers in order, in runs of limited length: putting one in takes little time wherever it goes,
/// and at the end, where it mostly goes, least.
#[derive(Clone, Debug, Default)]
pub(super) struct Ordered(Vec<Vec<Id>>);

/// A run, and a place in it.
pub(super) type Place = (usize, usize);

impl Ordered {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Id> + use<'_> {
        self.0.iter().flatten().copied()
    }

    /// Where the number is that `compare` finds equal, or where it would be.
    pub(super) fn find(&self, compare: impl Fn(Id) -> Ordering) -> Result<Place, Place> {
        // Mostly it is the last, or behind it.
        if let Some((run, last)) = self.0.iter().enumerate().next_back() {
            let at = last.len() - 1;
            match compare(last[at]) {
                Ordering::Less => return Err((run, at + 1)),
                Ordering::Equal => return Ok((run, at)),
                Ordering::Greater => {}
            }
        }
        let starts_behind = |run: &Vec<Id>| compare(run[0]) != Ordering::Greater;
        let run = self.0.partition_point(starts_behind).saturating_sub(1);
        let Some(ids) = self.0.get(run) else {
            return Err((0, 0));
        };
        match ids.binary_search_by(|id| compare(*id)) {
            Ok(at) => Ok((run, at)),
            Err(at) => Err((run, at)),
        }
    }

    /// The number at a place that [`Self::find`] found.
    pub(super) fn get(&self, (run, at): Place) -> Id {
        self.0[run][at]
    }

    /// Puts a number in where [`Self::find`] said that it would be.
    pub(super) fn insert(&mut self, (run, at): Place, id: Id) {
        let Some(ids) = self.0.get_mut(run) else {
            self.0.push(vec![id]);
            return;
        };
        if at == ids.len() && at == RUN {
            self.0.insert(run + 1, vec![id]);
            return;
        }
        ids.insert(at, id);
        if ids.len() > RUN {
            let rest = ids.split_off(RUN / 2);
            self.0.insert(run + 1, rest);
        }
    }

    pub(super) fn remove(&mut self, (run, at): Place) {
        self.0[run].remove(at);
        if self.0[run].is_empty() {
            self.0.remove(run);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_order_of_insertion_gives_the_same() {
        let count: Id = 5_000;
        let check = |step: Id| {
            let mut ordered = Ordered::default();
            for number in (0..count).map(|at| at * step % count) {
                let place = ordered.find(|id| id.cmp(&number)).unwrap_err();
                ordered.insert(place, number);
            }
            assert!(ordered.iter().eq(0..count), "{step}");
            for number in (0..count).rev() {
                let place = ordered.find(|id| id.cmp(&number)).unwrap();
                ordered.remove(place);
            }
            assert!(ordered.is_empty());
        };
        // Forwards, backwards, and here and there.
        for step in [1, count - 1, 1_237] {
            check(step);
        }
    }
}
