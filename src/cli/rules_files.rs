//! Rules from disk: one file or a folder, with what they include. Knows names of files; what stands
//! in them is the business of `rules`.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::rules::{self, Diagnostics, PolicySet};

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// A folder without rules.
    #[error("{} holds no *.yaml file", .0.display())]
    Empty(PathBuf),
    /// What is wrong with them.
    #[error("{0}")]
    Wrong(Diagnostics),
}

/// Reads and builds the rules of one file or folder.
///
/// # Errors
/// What cannot be read, or what is wrong with it.
pub fn load(path: &Path) -> Result<PolicySet, RulesError> {
    rules::load(&read(path)?).map_err(RulesError::Wrong)
}

/// Reads `path`, one file or all `*.yaml` of a folder (`*.test.yaml` left out), and what they
/// include, as names relative to the folder and texts, in order of name.
///
/// # Errors
/// What cannot be read. An included file that does not exist is left for `rules` to report at its
/// place.
pub fn read(path: &Path) -> Result<Vec<(String, String)>, RulesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| RulesError::Unreadable { path, cause }
    };
    let folder = std::fs::metadata(path).map_err(unreadable(path))?.is_dir();
    let (folder, names) = if folder {
        let names = names(path).map_err(unreadable(path))?;
        if names.is_empty() {
            return Err(RulesError::Empty(path.to_owned()));
        }
        (path, names)
    } else {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        (
            path.parent().unwrap_or_else(|| Path::new("")),
            name.into_iter().collect(),
        )
    };
    let mut files: Vec<(String, String)> = Vec::new();
    let mut to_read: VecDeque<(String, bool)> = names.into_iter().map(|name| (name, true)).collect();
    while let Some((name, must_exist)) = to_read.pop_front() {
        if files.iter().any(|(read, _)| *read == name) {
            continue;
        }
        let file = folder.join(&name);
        let there = is_inside(&name) && file.is_file();
        if !must_exist && !there {
            continue;
        }
        let text = std::fs::read(&file).and_then(utf8).map_err(unreadable(&file))?;
        to_read.extend(rules::includes(&name, &text).into_iter().map(|name| (name, false)));
        files.push((name, text));
    }
    files.sort();
    Ok(files)
}

/// How files and folders look from outside, in order. `None`: there is nothing to be seen.
pub type Look = Vec<Option<(u64, i64, i64, u64)>>;

/// Looks at all that [`read`] of `path` may depend on, where it last gave `names`: the files and the folders they lie in,
/// links followed. Whatever is written, replaced, added or removed makes another look, unless its clock and size lie.
pub fn look(path: &Path, names: &[String]) -> Look {
    let folder = if path.is_dir() { path } else { parent(path) };
    let files = names.iter().map(|name| folder.join(name));
    let places = files.flat_map(|file| [parent(&file).to_owned(), file]);
    [folder.to_owned(), path.to_owned()]
        .into_iter()
        .chain(places)
        .map(|place| seen(&place))
        .collect()
}

fn parent(path: &Path) -> &Path {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(Path::new("."))
}

fn seen(path: &Path) -> Option<(u64, i64, i64, u64)> {
    let data = std::fs::metadata(path).ok()?;
    Some((data.ino(), data.mtime(), data.mtime_nsec(), data.size()))
}

fn utf8(bytes: Vec<u8>) -> std::io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let before = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        std::io::Error::other(format!("line {line} is not UTF-8"))
    })
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_rules = name.ends_with(".yaml") && !name.ends_with(".test.yaml") && !name.starts_with('.');
        if is_rules && entry.path().is_file() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Included files are of the rules folder.
fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.ends_with(".test.yaml") && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("pgpurpose-{}", uuid::Uuid::now_v7()));
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    fn names_of(path: &Path) -> Vec<String> {
        read(path).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_folder_is_read_in_order_of_name_with_what_it_includes() {
        let folder = folder(&[
            ("b.yaml", "include: [lib/x.yaml, ./a.yaml]"),
            ("a.yaml", ""),
            ("a.test.yaml", "cases: []"),
            (".hidden.yaml", "no: rules"),
            ("notes.txt", ""),
            ("lib/x.yaml", "include: [lib/y.yaml]"),
            ("lib/y.yaml", ""),
            ("lib/z.yaml", ""),
        ]);
        assert_eq!(names_of(&folder), ["a.yaml", "b.yaml", "lib/x.yaml", "lib/y.yaml"]);
        assert_eq!(
            names_of(&folder.join("b.yaml")),
            ["a.yaml", "b.yaml", "lib/x.yaml", "lib/y.yaml"]
        );
        assert_eq!(names_of(&folder.join("a.yaml")), ["a.yaml"]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_leaves_the_folder_or_is_not_there_is_reported_at_its_place() {
        for include in ["../x.yaml", "/etc/passwd", "nowhere.yaml", "a.test.yaml"] {
            let folder = folder(&[
                ("a.yaml", &format!("version: 1\ninclude: [{include}]")),
                ("a.test.yaml", ""),
            ]);
            let error = load(&folder).unwrap_err();
            let RulesError::Wrong(findings) = error else {
                panic!("{include}: {error}");
            };
            let found: Vec<_> = findings
                .iter()
                .map(|f| (f.code().as_str(), f.place().unwrap().to_string()))
                .collect();
            assert_eq!(found, [("unknown_file", "a.yaml:2".to_owned())], "{include}");
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let folder = folder(&[("readme.md", "")]);
        assert!(matches!(read(&folder), Err(RulesError::Empty(_))));
        assert!(matches!(
            read(&folder.join("x.yaml")),
            Err(RulesError::Unreadable { .. })
        ));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
