//! Users and groups: `/etc/passwd`, `/etc/group`, and the homes.

use std::collections::BTreeSet;

/// The name of the user that programs run as by default.
pub const NONROOT: &str = "nonroot";
/// Its number, and its group's.
pub const NONROOT_ID: u32 = 65_532;
/// What a config's `User` says by default: numbers, so that Kubernetes can check `runAsNonRoot`
/// without reading `/etc/passwd`.
pub const USER: &str = "65532:65532";

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// Who it is, in words.
    pub comment: String,
    /// Its home directory, absolute.
    pub home: String,
    /// Its shell.
    pub shell: String,
}

impl User {
    /// A user with a group of its own number, a home under `/home`, and no shell.
    #[must_use]
    pub fn new(name: &str, id: u32) -> Self {
        Self {
            name: name.to_owned(),
            uid: id,
            gid: id,
            comment: name.to_owned(),
            home: format!("/home/{name}"),
            shell: "/sbin/nologin".to_owned(),
        }
    }
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its number.
    pub gid: u32,
    /// The users that are in it besides those whose first group it is.
    pub members: Vec<String>,
}

/// Why users cannot be added.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// A name that tools would not take.
    #[error(
        "`{name}` is no user name: expected letters, digits, `_`, `-` and `.`, \
         beginning with a letter or `_`, at most 32"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A field that would break its line.
    #[error("{field} `{value}` of user `{name}` has a colon or a control character")]
    Field {
        /// The user.
        name: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// A home that is not a path below the root.
    #[error("home `{home}` of user `{name}` is not an absolute path in normal form")]
    Home {
        /// The user.
        name: String,
        /// The path.
        home: String,
    },
    /// The name that means all rights, for somebody who has not.
    #[error("user `root` has the number {uid}: expected 0, or another name")]
    Root {
        /// The number.
        uid: u32,
    },
    /// Two users with one name.
    #[error("user `{name}` is given twice")]
    Twice {
        /// The name.
        name: String,
    },
}

/// The users every image from scratch has: `root`, `nobody` and [`NONROOT`], as in distroless.
#[must_use]
pub fn standard_users() -> Vec<User> {
    let root = User {
        home: "/root".to_owned(),
        ..User::new("root", 0)
    };
    let nobody = User {
        home: "/nonexistent".to_owned(),
        ..User::new("nobody", 65_534)
    };
    vec![root, nobody, User::new(NONROOT, NONROOT_ID)]
}

/// All users: the standard ones, then `more` in their order. One of `more` that has a standard
/// name takes its place; `root` is 0 in any case.
pub(crate) fn all_users(more: &[User]) -> Result<Vec<User>, UserError> {
    let mut names = BTreeSet::new();
    for user in more {
        check(user)?;
        if !names.insert(&user.name) {
            return Err(UserError::Twice {
                name: user.name.clone(),
            });
        }
    }
    let mut users = standard_users();
    users.retain(|user| !names.contains(&user.name));
    users.extend_from_slice(more);
    Ok(users)
}

fn check(user: &User) -> Result<(), UserError> {
    let name = &user.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let first = name
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !first || name.len() > 32 || !name.chars().all(plain) {
        return Err(UserError::Name { name: name.clone() });
    }
    if name == "root" && user.uid != 0 {
        return Err(UserError::Root { uid: user.uid });
    }
    let fields = [
        ("comment", &user.comment),
        ("home", &user.home),
        ("shell", &user.shell),
    ];
    for (field, value) in fields {
        if value.contains(|c: char| c == ':' || c.is_control()) {
            return Err(UserError::Field {
                name: name.clone(),
                field,
                value: value.clone(),
            });
        }
    }
    if user.home != "/" && format!("/{}", crate::files::normal(&user.home)) != user.home {
        return Err(UserError::Home {
            name: name.clone(),
            home: user.home.clone(),
        });
    }
    Ok(())
}

/// `/etc/passwd`, in the order given. No user has a password.
#[must_use]
pub fn passwd(users: &[User]) -> String {
    let line = |user: &User| {
        let User {
            name,
            uid,
            gid,
            comment,
            home,
            shell,
        } = user;
        format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}\n")
    };
    users.iter().map(line).collect()
}

/// `/etc/group`: a group for each user's first group, in the users' order, of the name of the
/// first user that has it.
#[must_use]
pub fn group(users: &[User]) -> String {
    let mut seen = BTreeSet::new();
    let mut text = String::new();
    for user in users.iter().filter(|user| seen.insert(user.gid)) {
        text.push_str(&user.name);
        text.push_str(":x:");
        text.push_str(&user.gid.to_string());
        text.push_str(":\n");
    }
    text
}

/// Reads `/etc/passwd`. Lines that are no users (comments, NIS) are passed over.
#[must_use]
pub fn parse_passwd(bytes: &[u8]) -> Vec<User> {
    let user = |line: &str| {
        let mut fields = line.split(':');
        let mut next = || fields.next();
        let name = next().filter(|name| !name.is_empty() && !name.starts_with(['#', '+', '-']))?;
        next()?;
        let (uid, gid) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let mut text = || next().unwrap_or_default().to_owned();
        let (comment, home, shell) = (text(), text(), text());
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
            comment,
            home,
            shell,
        })
    };
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(user)
        .collect()
}

/// Reads `/etc/group`. Lines that are no groups (comments, NIS) are passed over.
#[must_use]
pub fn parse_group(bytes: &[u8]) -> Vec<Group> {
    let group = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        if name.is_empty() || name.starts_with(['#', '+', '-']) {
            return None;
        }
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default().split(',').map(str::trim);
        let members = members
            .filter(|member| !member.is_empty())
            .map(str::to_owned)
            .collect();
        Some(Group {
            name: name.to_owned(),
            gid,
            members,
        })
    };
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(group)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_files() {
        let users = all_users(&[User::new("app", 1000)]).expect("good names");
        assert_eq!(
            passwd(&users),
            "root:x:0:0:root:/root:/sbin/nologin\n\
             nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n\
             nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n\
             app:x:1000:1000:app:/home/app:/sbin/nologin\n"
        );
        assert_eq!(
            group(&users),
            "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\napp:x:1000:\n"
        );
        assert_eq!(parse_passwd(passwd(&users).as_bytes()), users);
        assert_eq!(USER, format!("{NONROOT_ID}:{NONROOT_ID}"));
    }

    #[test]
    fn foreign_files_are_read() {
        let text = b"# c\n+::::::\nroot::0:0\n\nbad:x:no:0:::\nbin:x:1:2:b\xff:/bin:/bin/sh:more\n";
        let users = parse_passwd(text);
        assert_eq!(
            users.iter().map(|user| user.uid).collect::<Vec<_>>(),
            [0, 1]
        );
        assert_eq!(users[1].shell, "/bin/sh");
        let groups = parse_group(b"a:x:5:x, y,\n-b\nc:x:-1:\nd:x:6\n");
        assert_eq!(groups[0].members, ["x", "y"]);
        assert_eq!(
            groups.iter().map(|group| group.gid).collect::<Vec<_>>(),
            [5, 6]
        );
    }

    #[test]
    fn what_would_break_a_line_is_refused() {
        for name in ["", "a:b", "1a", "a b", "-a", &"a".repeat(33)] {
            assert!(
                matches!(check(&User::new(name, 1)), Err(UserError::Name { .. })),
                "{name}"
            );
        }
        let user = User {
            shell: "/bin/sh\nroot2:x:0:0".into(),
            ..User::new("a", 1)
        };
        assert!(matches!(
            check(&user),
            Err(UserError::Field { field: "shell", .. })
        ));
        for home in ["home", "/home/../etc", "/home/", "//home", ""] {
            let user = User {
                home: home.into(),
                ..User::new("a", 1)
            };
            assert!(
                matches!(check(&user), Err(UserError::Home { .. })),
                "{home}"
            );
        }
        let twice = all_users(&[User::new("a", 1), User::new("a", 2)]);
        assert_eq!(twice, Err(UserError::Twice { name: "a".into() }));
        let root = all_users(&[User::new("root", 5)]);
        assert_eq!(root, Err(UserError::Root { uid: 5 }));
        let other = all_users(&[User::new("nonroot", 7)]).expect("it replaces");
        assert_eq!(
            other.iter().filter(|user| user.name == "nonroot").count(),
            1
        );
    }
}
