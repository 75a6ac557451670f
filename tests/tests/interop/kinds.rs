//! Every kind of entry, for readers of layers and for unpackers.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A group of entries, in a directory of its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Files,
    Directories,
    Symlinks,
    HardLinks,
    Devices,
    Fifos,
    Owners,
    Times,
    Xattrs,
    LongNames,
    OtherNames,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Files,
        Self::Directories,
        Self::Symlinks,
        Self::HardLinks,
        Self::Devices,
        Self::Fifos,
        Self::Owners,
        Self::Times,
        Self::Xattrs,
        Self::LongNames,
        Self::OtherNames,
    ];

    /// The group's directory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Directories => "directories",
            Self::Symlinks => "symlinks",
            Self::HardLinks => "hard-links",
            Self::Devices => "devices",
            Self::Fifos => "fifos",
            Self::Owners => "owners",
            Self::Times => "times",
            Self::Xattrs => "xattrs",
            Self::LongNames => "long-names",
            Self::OtherNames => "other-names",
        }
    }

    /// Lines of a plan; `@` stands for the group's directory, `%` for a hundred letters.
    fn lines(self) -> &'static str {
        match self {
            Self::Files => {
                r#"
                {"path":"@/plain","text":"plain"}
                {"path":"@/empty","text":""}
                {"path":"@/executable","text":"x","mode":"0755"}
                {"path":"@/setuid","text":"suid","mode":"4755"}
                {"path":"@/setgid","text":"sgid","mode":"2755"}
                {"path":"@/secret","text":"secret","mode":"0000"}
            "#
            }
            Self::Directories => {
                r#"
                {"path":"@/sticky","dir":true,"mode":"1777"}
                {"path":"@/groups","dir":true,"mode":"2775"}
                {"path":"@/closed","dir":true,"mode":"0700"}
            "#
            }
            Self::Symlinks => {
                r#"
                {"path":"@/dangling","symlink":"/no/where"}
                {"path":"@/relative","symlink":"../files/plain"}
                {"path":"@/owned","symlink":"x","uid":15,"gid":16}
            "#
            }
            Self::HardLinks => {
                r#"
                {"path":"@/a","hardlink":"@/b"}
                {"path":"@/b","text":"linked","mode":"4750"}
                {"path":"@/c","hardlink":"@/b"}
                {"path":"@/dir/d","hardlink":"@/b"}
            "#
            }
            Self::Devices => {
                r#"
                {"path":"@/null","char_device":[1,3],"mode":"0666"}
                {"path":"@/disk","block_device":[259,300],"mode":"0640","gid":6}
            "#
            }
            Self::Fifos => r#"{"path":"@/pipe","fifo":true,"mode":"0600"}"#,
            Self::Owners => {
                r#"
                {"path":"@/owned","text":"x","uid":12,"gid":13}
                {"path":"@/far","text":"x","uid":3000000,"gid":3000001}
                {"path":"@/dir","dir":true,"uid":7,"gid":3000000}
            "#
            }
            Self::Times => {
                r#"
                {"path":"@/some","text":"x","mtime":1234567890}
                {"path":"@/far","text":"x","mtime":9000000000}
                {"path":"@/none","text":"x","mtime":0}
            "#
            }
            Self::Xattrs => {
                r#"
                {"path":"@/file","text":"x","xattrs":{"user.a":"AAECAwo=","user.b":"Yg=="}}
                {"path":"@/capable","text":"x","mode":"0755","xattrs":{"security.capability":"AQAAAgAEAAAAAAAAAAAAAAAAAAA="}}
                {"path":"@/dir","dir":true,"xattrs":{"user.d":"ZA=="}}
            "#
            }
            Self::LongNames => {
                r#"
                {"path":"@/%/%/file","text":"far"}
                {"path":"@/%-link","symlink":"%/%/file"}
                {"path":"@/%-hard","hardlink":"@/%/%/file"}
            "#
            }
            // `\xff\xfe-name` and `Zoë`.
            Self::OtherNames => {
                r#"
                {"path":"@/Zoë","text":"not ASCII"}
                {"path":"@/to Zoë","symlink":"Zoë"}
                {"path":"@/a  b","text":"blanks"}
                {"path_b64":"*","text":"no text"}
            "#
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The lines of a plan that put all groups below `directory`.
pub(crate) fn lines(directory: &str) -> String {
    let groups = Kind::ALL.map(|kind| {
        let group = format!("{directory}/{}", kind.name());
        let mut binary = format!("{group}/").into_bytes();
        binary.extend(b"\xff\xfe-name");
        kind.lines()
            .replace('@', &group)
            .replace('%', &"x".repeat(100))
            .replace('*', &STANDARD.encode(&binary))
    });
    groups.concat()
}
