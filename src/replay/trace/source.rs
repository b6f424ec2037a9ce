//! Where a trace comes from, and whether its first bytes look like one.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor};
use std::path::PathBuf;
use std::sync::Arc;

use super::TraceError;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// How files begin that are something else, what they are, and what makes lines of them.
const OTHERS: [(&[u8], &str, &str); 5] = [
    (b"\x1f\x8b", "compressed with gzip", "`gzip -dc FILE > trace.jsonl` unpacks it"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "`zstd -dc FILE > trace.jsonl` unpacks it"),
    (b"\xff\xfe", "UTF-16", "`iconv -f UTF-16 -t UTF-8 FILE > trace.jsonl` converts it"),
    (b"\xfe\xff", "UTF-16", "`iconv -f UTF-16 -t UTF-8 FILE > trace.jsonl` converts it"),
    (b"PAR1", "Parquet", "write it as JSON lines with the tool that made it"),
];

/// Where a trace is.
#[derive(Clone, Debug)]
pub enum Source {
    /// In a file.
    File(PathBuf),
    /// In memory.
    Memory(Arc<[u8]>),
}

impl Source {
    /// How many bytes there are, about.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::File(path) => fs::metadata(path).map_or(0, |file| file.len()),
            Self::Memory(text) => text.len() as u64,
        }
    }

    /// A reader of its lines, behind the mark that some editors put first.
    pub fn open(&self) -> Result<Box<dyn BufRead>, TraceError> {
        let mut reader: Box<dyn BufRead> = match self {
            Self::File(path) => {
                // Before it is opened: a pipe would wait for its writer.
                if path.as_os_str() == "-" || !fs::metadata(path)?.is_file() {
                    return Err(TraceError::NoFile);
                }
                Box::new(BufReader::with_capacity(1 << 18, File::open(path)?))
            }
            Self::Memory(text) => Box::new(Cursor::new(Arc::clone(text))),
        };
        let has_mark = reader.fill_buf()?.starts_with(BYTE_ORDER_MARK);
        if has_mark {
            reader.consume(BYTE_ORDER_MARK.len());
        }
        match other(reader.fill_buf()?) {
            Some((what, fix)) => Err(TraceError::Other { what, fix }),
            None => Ok(reader),
        }
    }
}

/// What a file that begins like this is, if it is no lines of JSON, and what to do.
fn other(beginning: &[u8]) -> Option<(&'static str, &'static str)> {
    if let Some((_, what, fix)) = OTHERS.into_iter().find(|(magic, ..)| beginning.starts_with(magic)) {
        return Some((what, fix));
    }
    let inside = beginning.trim_ascii_start();
    match inside.first()? {
        b'[' => Some(("a JSON array", "`jq -c '.[]' FILE > trace.jsonl` makes lines of it")),
        // An object that is written over many lines.
        b'{' => {
            let line = inside[1..].split(|byte| *byte == b'\n').next()?;
            let is_open = line.len() + 1 < inside.len() && line.trim_ascii().is_empty();
            is_open.then_some(("JSON with line breaks in it", "`jq -c . FILE > trace.jsonl` makes lines of it"))
        }
        _ => {
            let line = inside.split(|byte| *byte == b'\n').next()?;
            let is_table = line.contains(&b',') || line.contains(&b'\t') || line.contains(&b';');
            is_table.then_some(("a table, CSV perhaps", "docs/tuning.md has the fields of a line"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_lines_of_json_is_told_by_its_beginning() {
        for (beginning, what) in [
            (&b"{\"timestamp\": 1}\n"[..], None),
            (b"\n  {\"timestamp\": 1}\n", None),
            (b"{ \"timestamp\": 1}", None),
            (b"{", None),
            (b"", None),
            (b"hello\n", None),
            (b"\x1f\x8b\x08\x00", Some("compressed with gzip")),
            (b"\xff\xfe{\x00", Some("UTF-16")),
            (b" [{\"timestamp\": 1}]", Some("a JSON array")),
            (b"{\n  \"timestamp\": 1\n}", Some("JSON with line breaks in it")),
            (b"timestamp,prompt\n1,hello\n", Some("a table, CSV perhaps")),
        ] {
            assert_eq!(other(beginning).map(|(what, _)| what), what, "{beginning:?}");
        }
    }
}
