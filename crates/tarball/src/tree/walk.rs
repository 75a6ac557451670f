//! A tree from its first name to its last.

use std::iter::Peekable;

use super::store::{Id, ROOT, Store};

/// One step of a walk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// At a name, whether an entry stands there or only below it.
    At(Id),
    /// Into a directory, before all that lies in it.
    Inside(Id),
}

/// Visits names in the order of their paths' bytes.
///
/// That is not the order of a walk from directory to directory: `a.b` comes before `a/b`, since `.`
/// comes before `/`. A directory whose name was visited waits until the next name of its own
/// directory is behind its name with a `/`. Those that wait each begin with the one before, so the
/// last of them is the first to be entered.
pub(crate) struct Walk<'a> {
    store: &'a Store,
    first: Option<Id>,
    frames: Vec<Frame<'a>>,
}

struct Frame<'a> {
    children: Peekable<Box<dyn Iterator<Item = Id> + 'a>>,
    waiting: Vec<Id>,
}

impl<'a> Walk<'a> {
    /// Everything, beginning at the root.
    pub(crate) fn new(store: &'a Store) -> Self {
        let root = Frame {
            children: (Box::new(std::iter::empty()) as Box<dyn Iterator<Item = Id>>).peekable(),
            waiting: vec![ROOT],
        };
        Self {
            store,
            first: Some(ROOT),
            frames: vec![root],
        }
    }

    /// What lies below a name.
    pub(crate) fn below(store: &'a Store, id: Id) -> Self {
        let mut walk = Self {
            store,
            first: None,
            frames: Vec::new(),
        };
        walk.enter(id);
        walk
    }

    fn enter(&mut self, id: Id) {
        let children: Box<dyn Iterator<Item = Id>> = Box::new(self.store.children(id));
        self.frames.push(Frame {
            children: children.peekable(),
            waiting: Vec::new(),
        });
    }
}

impl Iterator for Walk<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if let Some(first) = self.first.take() {
            return Some(Step::At(first));
        }
        let store = self.store;
        loop {
            let frame = self.frames.last_mut()?;
            let next = frame.children.peek().copied();
            let is_due = |waiting: &Id| {
                let inside = store.name(*waiting).iter().chain(b"/");
                next.is_none_or(|next| inside.lt(store.name(next)))
            };
            if frame.waiting.last().is_some_and(is_due) {
                let id = frame.waiting.pop()?;
                self.enter(id);
                return Some(Step::Inside(id));
            }
            let Some(id) = next else {
                self.frames.pop();
                continue;
            };
            frame.children.next();
            if store.has_children(id) || store.is_opaque(id) {
                frame.waiting.push(id);
            }
            return Some(Step::At(id));
        }
    }
}
