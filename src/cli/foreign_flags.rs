//! Flags of the reference pickers that have no counterpart here: taken with a warning, so that a manifest
//! written for them starts.

use std::ffi::OsString;

/// Name, and whether a value follows in its own word.
const FOREIGN: &[(&str, bool)] = &[
    ("--zap-encoder", true),
    ("--zap-log-level", true),
    ("--zap-devel", false),
    ("--v", true),
    ("-v", true),
    ("--ha-enable-leader-election", false),
    ("--refresh-metrics-interval", true),
    ("--refresh-prometheus-metrics-interval", true),
    ("--metrics-endpoint-auth", false),
    ("--enable-pprof", false),
    ("--tracing", false),
    ("--health-checking", false),
];

/// Takes foreign flags out of `arguments` and returns what is left, and the names of those taken.
///
/// Only `serve` has predecessors: other commands' arguments stay as they are.
pub fn split(arguments: Vec<OsString>) -> (Vec<OsString>, Vec<&'static str>) {
    if arguments.get(1).is_none_or(|command| command != "serve") {
        return (arguments, Vec::new());
    }
    let mut kept = Vec::with_capacity(arguments.len());
    let mut taken = Vec::new();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let (name, inline) = text.split_once('=').map_or((&*text, false), |(name, _)| (name, true));
        match FOREIGN.iter().find(|(foreign, _)| *foreign == name) {
            Some((name, value)) => {
                taken.push(*name);
                if *value && !inline {
                    arguments.next_if(|next| !next.to_string_lossy().starts_with("--"));
                }
            }
            None => kept.push(argument),
        }
    }
    (kept, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_flags_go_with_their_values_and_all_others_stay() {
        let line = "homing serve --zap-encoder json --grpc-port 9002 -v=4 --ha-enable-leader-election --v 4 --bind ::1";
        let (kept, taken) = split(line.split(' ').map(OsString::from).collect());
        assert_eq!(kept, ["homing", "serve", "--grpc-port", "9002", "--bind", "::1"].map(OsString::from));
        assert_eq!(taken, ["--zap-encoder", "-v", "--ha-enable-leader-election", "--v"]);
        let check: Vec<_> = "homing check -v file".split(' ').map(OsString::from).collect();
        assert_eq!(split(check.clone()), (check, Vec::new()));
    }
}
