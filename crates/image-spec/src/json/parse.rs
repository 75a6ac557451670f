//! Bytes to values: recursive descent with a depth limit, in linear time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use super::{Json, MAX_DEPTH, MAX_VALUES, shorten};
use crate::MAX_DOCUMENT_SIZE;

/// A place in a JSON text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// Bytes before it.
    pub offset: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why bytes are not a JSON document.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// More than [`MAX_DOCUMENT_SIZE`] bytes.
    #[error("the document has {size} bytes: at most {MAX_DOCUMENT_SIZE} are read")]
    TooLarge {
        /// Its length in bytes.
        size: usize,
    },
    /// Arrays and objects nested deeper than [`MAX_DEPTH`].
    #[error("{at}: nested deeper than {MAX_DEPTH} levels")]
    TooDeep {
        /// Where the first level too many begins.
        at: Position,
    },
    /// More than [`MAX_VALUES`] values.
    #[error("{at}: more than {MAX_VALUES} values")]
    TooManyValues {
        /// Where the first value too many begins.
        at: Position,
    },
    /// A key stands twice in one object: readers differ in which of the two counts.
    #[error("{at}: the key `{key}` is there twice")]
    DuplicateKey {
        /// Where the second one begins.
        at: Position,
        /// The key.
        key: String,
    },
    /// Not UTF-8.
    #[error("{at}: not UTF-8")]
    NotUtf8 {
        /// The first byte that is wrong.
        at: Position,
    },
    /// Something else was expected.
    #[error("{at}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        at: Position,
        /// What could have stood there.
        expected: &'static str,
        /// What stood there.
        found: String,
    },
}

impl Json {
    /// Parses a JSON text.
    ///
    /// # Errors
    ///
    /// Anything that is not RFC 8259 in UTF-8 without a byte order mark; a key that stands twice
    /// in one object; an escaped surrogate without its other half; more than
    /// [`MAX_DOCUMENT_SIZE`] bytes, [`MAX_DEPTH`] levels or [`MAX_VALUES`] values.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() as u64 > MAX_DOCUMENT_SIZE {
            return Err(ParseError::TooLarge { size: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| ParseError::NotUtf8 {
            at: position(bytes, error.valid_up_to()),
        })?;
        let mut parser = Parser {
            text,
            offset: 0,
            values: 0,
        };
        let value = parser.value(0)?;
        parser.space();
        if parser.offset < text.len() {
            return Err(parser.expected("the end of the document"));
        }
        Ok(value)
    }
}

/// Counts lines and columns; only done for an error.
fn position(bytes: &[u8], offset: usize) -> Position {
    let before = &bytes[..offset];
    let line_start = before
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |newline| newline + 1);
    // Bytes that do not continue a character.
    let characters = before[line_start..]
        .iter()
        .filter(|&&b| b & 0xc0 != 0x80)
        .count();
    let line = before[..line_start].split(|&b| b == b'\n').count();
    Position {
        line,
        column: characters + 1,
        offset,
    }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    values: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.offset).copied()
    }

    fn at(&self, offset: usize) -> Position {
        position(self.text.as_bytes(), offset)
    }

    fn expected(&self, expected: &'static str) -> ParseError {
        let found = match self.text[self.offset..].chars().next() {
            Some(c) if c.is_ascii_graphic() => format!("`{c}`"),
            Some(c) => format!("`{}`", c.escape_debug()),
            None => "the end of the document".into(),
        };
        ParseError::Syntax {
            at: self.at(self.offset),
            expected,
            found,
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.offset += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.offset += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.space();
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(ParseError::TooManyValues {
                at: self.at(self.offset),
            });
        }
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Json) -> Result<Json, ParseError> {
        if !self.text[self.offset..].starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.offset += word.len();
        Ok(value)
    }

    fn descend(&mut self, depth: usize) -> Result<(), ParseError> {
        if depth > MAX_DEPTH {
            return Err(ParseError::TooDeep {
                at: self.at(self.offset),
            });
        }
        self.offset += 1;
        self.space();
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.descend(depth)?;
        let mut values = Vec::new();
        if self.eat(b']') {
            return Ok(Json::Array(values));
        }
        loop {
            values.push(self.value(depth)?);
            self.space();
            if self.eat(b']') {
                return Ok(Json::Array(values));
            }
            if !self.eat(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, ParseError> {
        self.descend(depth)?;
        let mut members = BTreeMap::new();
        if self.eat(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let start = self.offset;
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key"));
            }
            let key = self.string()?;
            self.space();
            if !self.eat(b':') {
                return Err(self.expected("`:`"));
            }
            match members.entry(key) {
                Entry::Occupied(entry) => {
                    let key = shorten(entry.key());
                    return Err(ParseError::DuplicateKey {
                        at: self.at(start),
                        key,
                    });
                }
                Entry::Vacant(entry) => _ = entry.insert(self.value(depth)?),
            }
            self.space();
            if self.eat(b'}') {
                return Ok(Json::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.offset += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Json, ParseError> {
        let start = self.offset;
        self.eat(b'-');
        // A leading zero stands alone; what follows it is then found to be no `,`.
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(Json::Number(self.text[start..self.offset].into()))
    }

    fn string(&mut self) -> Result<String, ParseError> {
        self.offset += 1;
        let mut string = String::new();
        loop {
            let start = self.offset;
            while self
                .peek()
                .is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20)
            {
                self.offset += 1;
            }
            string.push_str(&self.text[start..self.offset]);
            match self.peek() {
                Some(b'"') => {
                    self.offset += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                Some(_) => return Err(self.expected("a string without bare control characters")),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.offset;
        self.offset += 1;
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(start),
            _ => return Err(self.expected("one of `\"\\/bfnrtu`")),
        };
        self.offset += 1;
        Ok(c)
    }

    fn unicode(&mut self, start: usize) -> Result<char, ParseError> {
        let first = self.unit()?;
        let c = if (0xd800..0xdc00).contains(&first) {
            let second = if self.text[self.offset..].starts_with("\\u") {
                self.offset += 1;
                self.unit()?
            } else {
                0
            };
            // Only a low surrogate makes a character above U+FFFF of the two.
            (0xdc00..0xe000)
                .contains(&second)
                .then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
                .and_then(char::from_u32)
        } else {
            char::from_u32(first)
        };
        c.ok_or_else(|| ParseError::Syntax {
            at: self.at(start),
            expected: "a whole surrogate pair",
            found: format!("`{}`", &self.text[start..self.offset]),
        })
    }

    /// Four hex digits behind a `u`.
    fn unit(&mut self) -> Result<u32, ParseError> {
        self.offset += 1;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|b| char::from(b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.expected("four hex digits"));
            };
            unit = unit << 4 | digit;
            self.offset += 1;
        }
        Ok(unit)
    }
}
