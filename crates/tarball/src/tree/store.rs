//! What a tree is made of: one small record a name, and everything that is shared held once.
//!
//! A layer of a hundred thousand files is ordinary, so an entry must not cost what its parts cost
//! as values of their own: a path and a file's place on the machine, which end alike, attributes
//! that all entries have, an origin that all have. Here an entry is a record of 40 bytes, its name,
//! and its number in its directory; the values are made when asked for.
//! `docs/performance.md` says what that comes to.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use super::interner::Interner;
use super::ordered::{Ordered, Place};
use crate::{Attributes, Content, Entry, Kind, Origin, TreePath};

/// Which record: names that were removed keep theirs.
pub(crate) type Id = u32;

pub(crate) const ROOT: Id = 0;

const NONE: u32 = u32::MAX;

/// The records of a tree.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    nodes: Vec<Node>,
    names: Vec<u8>,
    children: Vec<Ordered>,
    attributes: Interner<Attributes>,
    /// Without their numbers.
    origins: Interner<Origin>,
    /// The numbers of origins, as far as there are any.
    numbers: Vec<Option<NonZeroU32>>,
    /// What stands before the common end of a file's place and its path.
    places: Interner<str>,
    /// What has no shape of its own.
    kinds: Vec<Kind>,
    /// Which of them are not used any more.
    free: Vec<u32>,
    entries: usize,
}

/// A name, and what stands there if anything does.
#[derive(Clone, Copy, Debug)]
struct Node {
    name: u64,
    /// A file's length.
    len: u64,
    parent: Id,
    attributes: u32,
    origin: u32,
    /// A file's [`Store::places`], another's [`Store::kinds`].
    place: u32,
    /// Its [`Store::children`], if it ever had any.
    children: u32,
    name_len: u16,
    /// With how many components of the path a file's place ends.
    shared: u8,
    shape: Shape,
}

/// What stands at a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    /// Nothing, but below it something does.
    Nothing,
    /// The same, and it is marked as opaque.
    Mark,
    Directory,
    /// A directory that is marked as opaque.
    MarkedDirectory,
    Whiteout,
    /// A file whose place on the machine ends as its path does.
    File,
    /// The same, not to be folded.
    SingleFile,
    Other,
}

/// What is known of the place of a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Spot {
    /// There is no such name, and nothing above it that is no directory.
    Free,
    /// There is such a name, with or without an entry.
    At(Id),
    /// Something above it is no directory.
    Below,
}

impl Default for Store {
    fn default() -> Self {
        let root = Node {
            name: 0,
            len: 0,
            parent: ROOT,
            attributes: 0,
            origin: 0,
            place: NONE,
            children: NONE,
            name_len: 0,
            shared: 0,
            shape: Shape::Nothing,
        };
        Self {
            nodes: vec![root],
            names: Vec::new(),
            children: Vec::new(),
            attributes: Interner::default(),
            origins: Interner::default(),
            numbers: Vec::new(),
            places: Interner::default(),
            kinds: Vec::new(),
            free: Vec::new(),
            entries: 0,
        }
    }
}

impl Store {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// How many records there are, those of removed names too: more than every [`Id`].
    pub(crate) fn records(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the numbers may not suffice for one more path.
    pub(super) fn is_full(&self) -> bool {
        let most = NONE as usize - TreePath::MAX_LEN;
        let counts = [
            self.nodes.len(),
            self.attributes.len(),
            self.origins.len(),
            self.places.len(),
            self.kinds.len(),
        ];
        counts.into_iter().any(|count| count >= most)
    }

    pub(crate) fn name(&self, id: Id) -> &[u8] {
        let node = self.node(id);
        let start = node.name as usize;
        &self.names[start..start + usize::from(node.name_len)]
    }

    /// What lies in a directory, ordered by name.
    pub(crate) fn children(&self, id: Id) -> impl Iterator<Item = Id> + use<'_> {
        let children = self.children.get(self.node(id).children as usize);
        children.into_iter().flat_map(Ordered::iter)
    }

    pub(crate) fn has_children(&self, id: Id) -> bool {
        let children = self.children.get(self.node(id).children as usize);
        children.is_some_and(|children| !children.is_empty())
    }

    /// The record of a path, if there is an entry, a mark, or either below.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Id> {
        components(path).try_fold(ROOT, |at, name| {
            self.place(at, name).ok().map(|place| self.at(at, place))
        })
    }

    /// What is known of the place of a path, by one way down.
    pub(super) fn spot(&self, path: &[u8]) -> Spot {
        let mut at = ROOT;
        for name in components(path) {
            if self.has_entry(at) && !self.is_directory(at) {
                return Spot::Below;
            }
            match self.place(at, name) {
                Ok(place) => at = self.at(at, place),
                Err(_) => return Spot::Free,
            }
        }
        Spot::At(at)
    }

    /// The records of the directories above a path, nearest to the root first, as far as there are
    /// any.
    pub(super) fn above<'a>(&'a self, path: &'a [u8]) -> impl Iterator<Item = Id> + use<'a> {
        let depth = components(path).count().saturating_sub(1);
        components(path).take(depth).scan(ROOT, |at, name| {
            *at = self
                .place(*at, name)
                .ok()
                .map(|place| self.at(*at, place))?;
            Some(*at)
        })
    }

    /// Appends a path.
    pub(crate) fn write_path(&self, id: Id, out: &mut Vec<u8>) {
        let mut len = 0;
        let mut at = id;
        while at != ROOT {
            len += usize::from(self.node(at).name_len) + usize::from(len > 0);
            at = self.node(at).parent;
        }
        // From its end to its start.
        let mut end = out.len() + len;
        out.resize(end, b'/');
        let mut at = id;
        while at != ROOT {
            let name = self.name(at);
            out[end - name.len()..end].copy_from_slice(name);
            end = (end - name.len()).saturating_sub(1);
            at = self.node(at).parent;
        }
    }

    pub(crate) fn path(&self, id: Id) -> TreePath {
        let mut path = Vec::new();
        self.write_path(id, &mut path);
        TreePath::from_ancestor(&path)
    }

    pub(crate) fn has_entry(&self, id: Id) -> bool {
        !matches!(self.node(id).shape, Shape::Nothing | Shape::Mark)
    }

    pub(crate) fn is_opaque(&self, id: Id) -> bool {
        matches!(self.node(id).shape, Shape::Mark | Shape::MarkedDirectory)
    }

    pub(crate) fn is_whiteout(&self, id: Id) -> bool {
        self.node(id).shape == Shape::Whiteout
    }

    pub(crate) fn is_directory(&self, id: Id) -> bool {
        matches!(
            self.node(id).shape,
            Shape::Directory | Shape::MarkedDirectory
        )
    }

    /// The entry, made anew.
    pub(crate) fn entry(&self, id: Id) -> Option<Entry> {
        Some(Entry {
            kind: self.kind(id)?,
            attributes: self.attributes(id).clone(),
            origin: self.origin(id),
        })
    }

    /// What the entry is.
    pub(crate) fn kind(&self, id: Id) -> Option<Kind> {
        let node = self.node(id);
        Some(match node.shape {
            Shape::Nothing | Shape::Mark => return None,
            Shape::Directory | Shape::MarkedDirectory => Kind::Directory,
            Shape::Whiteout => Kind::Whiteout,
            Shape::File | Shape::SingleFile => Kind::File {
                content: self.content_of(id, node),
                fold: node.shape == Shape::File,
            },
            Shape::Other => self.kinds[node.place as usize].clone(),
        })
    }

    /// The bytes of a file.
    pub(crate) fn content(&self, id: Id) -> Option<Content> {
        let node = self.node(id);
        match node.shape {
            Shape::File | Shape::SingleFile => Some(self.content_of(id, node)),
            _ => match self.other(id) {
                Some(Kind::File { content, .. }) => Some(content.clone()),
                _ => None,
            },
        }
    }

    /// The length of a file, and whether it may be folded.
    pub(crate) fn file(&self, id: Id) -> Option<(u64, bool)> {
        let node = self.node(id);
        match node.shape {
            Shape::File => Some((node.len, true)),
            Shape::SingleFile => Some((node.len, false)),
            _ => match self.other(id) {
                Some(Kind::File { content, fold }) => Some((content.len(), *fold)),
                _ => None,
            },
        }
    }

    /// What the entry is, if it is neither a directory, a whiteout, nor a file of the usual kind.
    pub(crate) fn other(&self, id: Id) -> Option<&Kind> {
        let node = self.node(id);
        (node.shape == Shape::Other).then(|| &self.kinds[node.place as usize])
    }

    /// The attributes of an entry.
    pub(crate) fn attributes(&self, id: Id) -> &Attributes {
        self.attributes.get(self.node(id).attributes)
    }

    /// A number that entries of the same attributes share.
    pub(crate) fn attributes_id(&self, id: Id) -> u32 {
        self.node(id).attributes
    }

    /// Where an entry came from.
    pub(crate) fn origin(&self, id: Id) -> Origin {
        let number = self.numbers.get(id as usize).copied().flatten();
        Origin::clone(self.origins.get(self.node(id).origin)).with_number(number)
    }

    fn set_number(&mut self, id: Id, number: Option<NonZeroU32>) {
        let at = id as usize;
        if number.is_some() && self.numbers.len() <= at {
            self.numbers.resize(self.nodes.len(), None);
        }
        if let Some(place) = self.numbers.get_mut(at) {
            *place = number;
        }
    }

    /// Puts an entry where none is. [`Self::is_full`] must have been asked.
    pub(super) fn insert(&mut self, path: &TreePath, entry: &Entry) {
        let id = self.make(path.as_bytes());
        let attributes = |found: &Attributes| Arc::new(found.clone());
        let attributes = self.attributes.intern(&entry.attributes, attributes);
        let (origin, number) = entry.origin.split();
        let origin = self
            .origins
            .intern(&origin, |found| Arc::new(found.clone()));
        self.set_number(id, number);
        let mut node = *self.node(id);
        (node.attributes, node.origin) = (attributes, origin);
        match &entry.kind {
            Kind::Directory if node.shape == Shape::Mark => node.shape = Shape::MarkedDirectory,
            Kind::Directory => node.shape = Shape::Directory,
            Kind::Whiteout => node.shape = Shape::Whiteout,
            other => {
                if let Some((before, shared, len, fold)) = usual(other, path.as_bytes()) {
                    node.shape = if fold { Shape::File } else { Shape::SingleFile };
                    node.place = self.places.intern(before, |found| found.into());
                    (node.len, node.shared) = (len, shared);
                } else {
                    node.shape = Shape::Other;
                    node.place = self.keep(other.clone());
                }
            }
        }
        self.entries += 1;
        self.nodes[id as usize] = node;
    }

    /// Gives an entry other attributes.
    pub(super) fn set_attributes(&mut self, id: Id, attributes: &Attributes) {
        let new = |found: &Attributes| Arc::new(found.clone());
        self.nodes[id as usize].attributes = self.attributes.intern(attributes, new);
    }

    /// Marks a directory, or the place of one, as opaque. [`Self::is_full`] must have been asked.
    pub(super) fn mark(&mut self, path: &TreePath) {
        let id = self.make(path.as_bytes());
        let node = &mut self.nodes[id as usize];
        node.shape = match node.shape {
            Shape::Directory | Shape::MarkedDirectory => Shape::MarkedDirectory,
            _ => Shape::Mark,
        };
    }

    /// Takes an entry out; a mark stays.
    pub(super) fn remove(&mut self, id: Id) -> Option<Entry> {
        let entry = self.entry(id)?;
        let node = &mut self.nodes[id as usize];
        if node.shape == Shape::Other {
            self.kinds[node.place as usize] = Kind::Whiteout;
            self.free.push(node.place);
        }
        node.shape = match node.shape {
            Shape::MarkedDirectory => Shape::Mark,
            _ => Shape::Nothing,
        };
        self.entries -= 1;
        self.prune(id);
        Some(entry)
    }

    /// Takes out all at and below a record, marks too.
    pub(super) fn remove_all(&mut self, id: Id) {
        let mut all = vec![id];
        let mut at = 0;
        while let Some(parent) = all.get(at) {
            all.extend(self.children(*parent).collect::<Vec<_>>());
            at += 1;
        }
        for id in all.into_iter().rev() {
            self.remove(id);
            self.nodes[id as usize].shape = Shape::Nothing;
            self.prune(id);
        }
    }

    /// Unlinks a record with nothing at and below it, and those above that were there for its sake.
    fn prune(&mut self, mut id: Id) {
        while id != ROOT && self.node(id).shape == Shape::Nothing && !self.has_children(id) {
            let parent = self.node(id).parent;
            let children = self.node(parent).children as usize;
            if let Ok(place) = self.place(parent, self.name(id))
                && self.at(parent, place) == id
            {
                self.children[children].remove(place);
            }
            id = parent;
        }
    }

    fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    fn content_of(&self, id: Id, node: &Node) -> Content {
        let (mut at, mut len) = (id, 0);
        for count in 0..node.shared {
            len += usize::from(self.node(at).name_len) + usize::from(count > 0);
            at = self.node(at).parent;
        }
        let mut path = Vec::new();
        self.write_path(id, &mut path);
        // It is text: it was found at the end of one.
        let end = String::from_utf8_lossy(&path[path.len() - len..]);
        let place = self.places.get(node.place);
        Content::File {
            path: PathBuf::from(format!("{place}{end}")),
            len: node.len,
        }
    }

    fn keep(&mut self, kind: Kind) -> u32 {
        if let Some(at) = self.free.pop() {
            self.kinds[at as usize] = kind;
            return at;
        }
        self.kinds.push(kind);
        (self.kinds.len() - 1) as u32
    }

    /// Where in a directory a name is, or would be.
    fn place(&self, directory: Id, name: &[u8]) -> Result<Place, Place> {
        match self.children.get(self.node(directory).children as usize) {
            Some(children) => children.find(|id| self.name(id).cmp(name)),
            None => Err((0, 0)),
        }
    }

    fn at(&self, directory: Id, place: Place) -> Id {
        self.children[self.node(directory).children as usize].get(place)
    }

    /// The record of a path, made with all above if need be.
    fn make(&mut self, path: &[u8]) -> Id {
        let mut at = ROOT;
        for name in components(path) {
            at = match self.place(at, name) {
                Ok(place) => self.at(at, place),
                Err(place) => self.add(at, place, name),
            };
        }
        at
    }

    fn add(&mut self, parent: Id, place: Place, name: &[u8]) -> Id {
        let id = self.nodes.len() as Id;
        self.nodes.push(Node {
            name: self.names.len() as u64,
            name_len: name.len() as u16,
            parent,
            children: NONE,
            ..self.nodes[ROOT as usize]
        });
        let node = &mut self.nodes[id as usize];
        (node.shape, node.place) = (Shape::Nothing, NONE);
        self.names.extend_from_slice(name);
        let directory = &mut self.nodes[parent as usize];
        if directory.children == NONE {
            directory.children = self.children.len() as u32;
            self.children.push(Ordered::default());
        }
        self.children[directory.children as usize].insert(place, id);
        id
    }
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty())
}

/// Of a file that lies on the machine under the same last name as in the tree: its place up to where
/// that ends in the same components as the path, the number of these, its length, and whether it
/// may be folded.
fn usual<'a>(kind: &'a Kind, path: &[u8]) -> Option<(&'a str, u8, u64, bool)> {
    let Kind::File {
        content: Content::File { path: place, len },
        fold,
    } = kind
    else {
        return None;
    };
    let place = place.to_str()?;
    let mut ends = place.rsplit('/').zip(path.rsplit(|byte| *byte == b'/'));
    let (mut shared, mut end) = (0_u8, 0);
    while shared < u8::MAX
        && let Some((one, other)) = ends.next()
        && one.as_bytes() == other
        && !one.is_empty()
    {
        end += one.len() + usize::from(shared > 0);
        shared += 1;
    }
    (shared > 0).then(|| (&place[..place.len() - end], shared, *len, *fold))
}
