//! The blocks of commands of one page.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use super::shell::Shell;

/// What is left to run of a page.
pub struct Page {
    name: String,
    blocks: VecDeque<Block>,
    /// Blocks of the whole page after its mark.
    pub count: usize,
}

/// One block of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    /// The heading of level 2 above it.
    section: String,
    text: String,
}

impl Page {
    /// The blocks of `docs/NAME` below the line `from`.
    pub fn load(name: &str, from: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let blocks = blocks(&text, from);
        Self { name: name.to_owned(), count: blocks.len(), blocks: blocks.into() }
    }

    /// Runs the next block, which must be of this section; what it prints.
    pub async fn next(&mut self, section: &str, shell: &mut Shell) -> String {
        let front = self.blocks.front().unwrap_or_else(|| panic!("{} has no more blocks", self.name));
        assert_eq!(front.section, section, "{}: {}", self.name, front.text);
        self.ahead(section, shell).await
    }

    /// The same before its turn: for a section that people read when something is wrong.
    pub async fn ahead(&mut self, section: &str, shell: &mut Shell) -> String {
        let at = self.blocks.iter().position(|block| block.section == section);
        let block = at.and_then(|at| self.blocks.remove(at));
        let block = block.unwrap_or_else(|| panic!("{} has no more blocks of {section}", self.name));
        println!("--- {}: {section} ---\n{}", self.name, block.text);
        let printed = shell.run(&block.text).await;
        println!("--- prints ---\n{printed}");
        printed
    }

    /// Nothing is left.
    pub fn ends(self) {
        assert_eq!(self.blocks, [], "{} has blocks that nobody ran", self.name);
    }
}

/// All blocks that are indented by four spaces, or fenced and said to be of a shell.
fn blocks(text: &str, from: &str) -> Vec<Block> {
    let mut lines = text.lines().skip_while(|line| *line != from).peekable();
    assert!(lines.peek().is_some(), "no line is {from:?}");
    let (mut blocks, mut section, mut before) = (Vec::<Block>::new(), String::new(), "");
    for line in text.lines().take_while(|line| *line != from).chain([from]) {
        section = line.strip_prefix("## ").map_or(section, str::to_owned);
    }
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        } else if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let body = lines.by_ref().take_while(|line| line.trim() != "```");
            let text: String = body.map(|line| line.get(indent..).unwrap_or_default().to_owned() + "\n").collect();
            assert!(["bash", "text", "yaml"].contains(&language), "{language:?} is none of our languages: {text}");
            if language == "bash" {
                blocks.push(Block { section: section.clone(), text });
            }
        } else if let Some(first) = line.strip_prefix("    ").filter(|_| before.is_empty()) {
            let mut text = first.to_owned() + "\n";
            while let Some(line) = lines.next_if(|line| line.starts_with("    ") || line.is_empty()) {
                text += line.strip_prefix("    ").unwrap_or_default();
                text += "\n";
            }
            blocks.push(Block { section: section.clone(), text: text.trim_end().to_owned() + "\n" });
        }
        before = line;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_blocks_of_commands_below_the_mark_are_found_and_no_other() {
        let page = "\
# Page

    not yet

## Before

    nor this

### Mark

    a
      b

    c

text that goes on
    with an indent

- a list
  ```bash
  d <<'E'
    e
  E
  ```

## After

```text
printed
```

```bash
f
```
";
        let block = |section: &str, text: &str| Block { section: section.to_owned(), text: text.to_owned() };
        let expected = [block("Before", "a\n  b\n\nc\n"), block("Before", "d <<'E'\n  e\nE\n"), block("After", "f\n")];
        assert_eq!(blocks(page, "### Mark"), expected);
    }
}
