//! The shape of the house: who may import whom, and how long a file may be.
//!
//! Reads the tokens of every file under `src/`, finds the paths that reach the crate's root by `crate::` or by
//! `super::`, and compares the module that they enter with [`FLOORS`]. ARCHITECTURE.md explains the table.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The modules from the ground up. A module may import what stands on a lower floor, never a neighbour.
const FLOORS: [&[&str]; 8] = [
    &["proto", "model"],
    &["metrics"],
    &["config"],
    &["state", "routing"],
    &["pick"],
    &["serving", "ext_proc", "sources", "simulation"],
    &["replay"],
    &["cli"],
];

/// More than this is more than one idea.
const LONGEST: usize = 400;

/// Files that may be longer than [`LONGEST`], and why.
const LONGER: [(&str, &str); 0] = [];

/// A path in `file` that enters a module which it must not know.
#[derive(Debug, PartialEq)]
struct Violation {
    file: String,
    line: usize,
    rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// A name at the crate's root that a path goes through, and the line where it says so.
struct Entered {
    name: String,
    line: usize,
}

#[test]
fn imports_point_down() {
    let mut violations = Vec::new();
    for (file, source) in sources() {
        violations.extend(check(&file, &source).iter().map(Violation::to_string));
    }
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn every_module_stands_on_a_floor() {
    for (file, _) in sources() {
        assert!(!file.ends_with("/mod.rs"), "{file}: a module is foo.rs with its parts in foo/");
        if let Some(module) = module_path(&file).first() {
            assert!(floor(module).is_some(), "{file}: give {module} a floor in tests/architecture.rs");
        }
    }
}

#[test]
fn files_are_short_or_have_a_reason() {
    for (file, source) in sources() {
        let lines = source.lines().count();
        match LONGER.iter().find(|(longer, _)| *longer == file) {
            None => assert!(lines <= LONGEST, "{file}: {lines} lines, over {LONGEST}; split it, or give a reason"),
            Some((_, reason)) => assert!(lines > LONGEST, "{file}: is short again; drop its reason ({reason})"),
        }
    }
}

#[test]
fn a_planted_upward_import_is_found() {
    let planted = [
        ("src/state/ledger.rs", "use crate::pick::Picker;"),
        ("src/state/ledger.rs", "fn f() { let _ = crate::cli::run; }"),
        ("src/model.rs", "use crate::metrics;"),
        ("src/state/ledger.rs", "use super::super::pick::Picker;"),
        ("src/config.rs", "use super::{model, routing::Scorer};"),
        ("src/metrics/names.rs", "use crate::{model::Reason, config::Config};"),
        ("src/pick.rs", "use crate::*;"),
        ("src/routing/scorers/queue_depth.rs", "#[cfg(test)] mod tests { use super::super::super::super::pick; }"),
    ];
    for (file, source) in planted {
        assert_eq!(check(file, source).len(), 1, "{file}: {source}");
    }
    let found = check("src/state/ledger.rs", "use std::fmt;\n\nuse crate::pick::Picker;");
    let rule = "state must not import pick: state stands below it".to_owned();
    assert_eq!(found, [Violation { file: "src/state/ledger.rs".to_owned(), line: 3, rule }]);
}

#[test]
fn a_planted_sibling_import_is_found() {
    let found = check("src/routing/picker.rs", "\nuse crate::state::Pool;");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].to_string(), "src/routing/picker.rs:2: routing must not import state: neighbours never meet");
}

#[test]
fn downward_imports_comments_and_strings_pass() {
    let fine = [
        ("src/pick.rs", "use crate::{config::Config, metrics, routing::{self, Cost}, state::Pool};"),
        ("src/state/ledger.rs", "use super::pool; use crate::state::sessions; mod tests { use super::*; }"),
        ("src/state/ledger.rs", "//! See crate::pick.\nconst SEEN: &str = \"crate::pick\"; // crate::cli"),
        ("src/model.rs", "pub(crate) mod session; pub(in crate::model) struct Digest;"),
        ("src/lib.rs", "pub mod cli; pub mod model;"),
    ];
    for (file, source) in fine {
        assert_eq!(check(file, source), [], "{file}: {source}");
    }
}

/// Every file under `src/`, by its path from the package's root.
fn sources() -> Vec<(String, String)> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("src/ can be listed") {
            let path = entry.expect("src/ can be listed").path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    visit(&root.join("src"), &mut paths);
    paths.sort();
    let name = |path: &Path| path.strip_prefix(root).expect("it is under the root").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("a source file is text"))).collect()
}

/// The violations in one file.
fn check(file: &str, source: &str) -> Vec<Violation> {
    let module = module_path(file);
    let Some(own) = module.first() else { return Vec::new() };
    let tokens = TokenStream::from_str(source).unwrap_or_else(|error| panic!("{file} does not lex: {error}"));
    let mut entered = Vec::new();
    walk(tokens, module.len(), &mut entered);
    entered
        .into_iter()
        .filter_map(|Entered { name, line }| {
            let rule = broken_rule(own, &name)?;
            Some(Violation { file: file.to_owned(), line, rule })
        })
        .collect()
}

/// The rule that an import of `other` by `own` breaks. Names that are not modules of the table break none.
fn broken_rule(own: &str, other: &str) -> Option<String> {
    if other == "*" {
        return Some(format!("{own} must name the modules that it imports"));
    }
    let (own_floor, other_floor) = (floor(own)?, floor(other)?);
    if own == other || own_floor > other_floor {
        return None;
    }
    let why = if own_floor == other_floor { "neighbours never meet".into() } else { format!("{own} stands below it") };
    Some(format!("{own} must not import {other}: {why}"))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

/// `src/state/ledger.rs` is `state::ledger`; the roots, `lib.rs` and `main.rs`, are empty.
fn module_path(file: &str) -> Vec<&str> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    if matches!(path, "lib" | "main") { Vec::new() } else { path.split('/').collect() }
}

/// Collects what paths in `tokens` enter at the crate's root; `depth` is how far below the root the tokens stand.
fn walk(tokens: TokenStream, depth: usize, entered: &mut Vec<Entered>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        at += match rest {
            [TokenTree::Ident(word), TokenTree::Ident(_), TokenTree::Group(body), ..] if word == "mod" => {
                walk(body.stream(), depth + 1, entered);
                3
            }
            [TokenTree::Group(body), ..] => {
                walk(body.stream(), depth, entered);
                1
            }
            _ => {
                let (above, length) = prefix(rest, depth);
                if length > 0 && above == depth {
                    enter(&rest[length..], entered);
                }
                length.max(1)
            }
        };
    }
}

/// How many modules `crate::` or a chain of `super::` goes up from `depth`, and how many tokens it takes.
fn prefix(tokens: &[TokenTree], depth: usize) -> (usize, usize) {
    let (mut above, mut length) = (0, 0);
    while let [TokenTree::Ident(word), TokenTree::Punct(first), TokenTree::Punct(second), ..] = &tokens[length..] {
        let goes_up = match word.to_string().as_str() {
            "crate" => depth,
            "super" => 1,
            "self" if length == 0 => 0,
            _ => break,
        };
        if first.as_char() != ':' || second.as_char() != ':' {
            break;
        }
        above += goes_up;
        length += 3;
    }
    (above, length)
}

/// The names with which a path goes on at the root: one, or those of a `{group}`.
fn enter(tail: &[TokenTree], entered: &mut Vec<Entered>) {
    match tail.first() {
        Some(TokenTree::Ident(name)) => {
            entered.push(Entered { name: name.to_string(), line: name.span().start().line });
        }
        Some(TokenTree::Punct(glob)) if glob.as_char() == '*' => {
            entered.push(Entered { name: "*".to_owned(), line: glob.span().start().line });
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
            let items: Vec<_> = group.stream().into_iter().collect();
            let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
            for item in items.split(is_comma) {
                enter(item, entered);
            }
        }
        _ => {}
    }
}
