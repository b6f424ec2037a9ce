//! What is odd about a trace and no error: counted, and said once with the first line.

use super::OUTPUT_TOKENS;
use super::keys::Keys;
use super::line::from_json;

/// Fewer lines than this with one limit are chance.
const LEAST_LIMITED: u64 = 10;
/// More models than this are not counted.
const MOST_MODELS: usize = 100;
/// More names than this are not remembered.
const MOST_MISSPELT: usize = 20;

/// What a line says beside its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// The model that it names, as a hash.
    pub model: Option<u64>,
    /// How long the answer is.
    pub answer: Answer,
    /// Whether the prompt has no token.
    pub no_input: bool,
    /// How many ids it has and how many its prompt needs, where blocks have ids.
    pub ids: Option<(u64, u64)>,
}

/// What a line says of the length of its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    #[default]
    Unsaid,
    /// It had so many tokens.
    Generated(u64),
    /// It had at most so many.
    Limited(u64),
}

/// Lines that have something in common.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    /// The number of the first.
    first: u64,
    count: u64,
}

/// All that was odd so far.
#[derive(Debug, Default)]
pub struct Oddities {
    lines: u64,
    few_ids: Lines,
    many_ids: Lines,
    no_input: Lines,
    no_output: Lines,
    no_limit: Lines,
    limited: Lines,
    /// The limit of the first line that has one, while all have the same.
    limit: Option<u64>,
    models: Vec<u64>,
    /// Names, those that were meant, and the first line.
    misspelt: Vec<(String, &'static str, u64)>,
}

impl Answer {
    /// Its tokens, as far as the line tells.
    pub fn tokens(self) -> Option<u64> {
        match self {
            Self::Unsaid => None,
            Self::Generated(tokens) | Self::Limited(tokens) => Some(tokens),
        }
    }
}

impl Lines {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    /// Says what it is, where there is one.
    fn say(&self, what: &str) -> Option<String> {
        let Self { first, count } = self;
        match count {
            0 => None,
            1 => Some(format!("line {first}: {what}")),
            _ => Some(format!("{count} lines, of which line {first} is the first: {what}")),
        }
    }
}

impl Oddities {
    /// Looks at the next line that was read.
    pub fn see(&mut self, line: u64, text: &str, aside: &Aside) {
        let Aside { model, answer, no_input, ids } = *aside;
        self.lines += 1;
        match ids {
            Some((given, needed)) if given < needed => self.few_ids.add(line),
            Some((given, needed)) if given > needed => self.many_ids.add(line),
            _ => {}
        }
        if no_input {
            self.no_input.add(line);
        }
        match answer {
            Answer::Unsaid => self.no_limit.add(line),
            Answer::Generated(0) | Answer::Limited(0) => self.no_output.add(line),
            Answer::Generated(_) => {}
            Answer::Limited(limit) => {
                if self.limited.count == 0 {
                    self.limit = Some(limit);
                }
                self.limit = self.limit.filter(|same| *same == limit);
                self.limited.add(line);
            }
        }
        if let Some(model) = model.filter(|model| self.models.len() < MOST_MODELS && !self.models.contains(model)) {
            self.models.push(model);
        }
        if let Ok(keys) = from_json::<Keys>(text) {
            for (name, meant) in keys.misspelt() {
                if self.misspelt.len() < MOST_MISSPELT && !self.misspelt.iter().any(|(known, ..)| known == name) {
                    self.misspelt.push((name.to_owned(), meant, line));
                }
            }
        }
    }

    /// Says it, a sentence each.
    pub fn say(self) -> Vec<String> {
        let all_limited = self.limit.filter(|_| self.limited.count == self.lines && self.lines >= LEAST_LIMITED);
        let names = self.misspelt.iter();
        let misspelt = names.map(|(name, meant, line)| format!("line {line}: `{name}` is not read; is it `{meant}`?"));
        let counted = [
            self.few_ids.say("`hash_ids` has fewer ids than the prompt has blocks of 512 tokens; the rest is nobody else's"),
            self.many_ids.say("`hash_ids` has more ids than the prompt has blocks of 512 tokens; the rest is not read"),
            self.no_input.say("the prompt has no tokens; 1 is taken"),
            self.no_output.say("the answer has no tokens; 1 is taken"),
            self.no_limit.say(&format!("nothing says how long the answer is; {OUTPUT_TOKENS} tokens are taken")),
            all_limited.map(|limit| {
                format!(
                    "all lines have `max_tokens` {limit}, and all answers are taken to be as long; that is a limit, surely: \
                     write `output_tokens`, what was generated"
                )
            }),
            (self.models.len() > 1).then(|| {
                let count = self.models.len();
                format!("the lines name {count} models; all go to the same engines, so keep one model a trace")
            }),
        ];
        misspelt.chain(counted.into_iter().flatten()).collect()
    }
}
