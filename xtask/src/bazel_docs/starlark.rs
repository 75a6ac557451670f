//! As much of Starlark as the public rules are written in: statements that begin in the first column.

use anyhow::{Context as _, Result, bail};

/// An expression, as far as documentation is made of it.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Text(String),
    /// A name, dots and all, or a number.
    Name(String),
    Call {
        function: String,
        positional: Vec<Expr>,
        named: Vec<(String, Expr)>,
    },
    Dict(Vec<(Expr, Expr)>),
    List(Vec<Expr>),
    /// `left | right`, of dictionaries.
    Merge(Box<Expr>, Box<Expr>),
    /// What no documentation is made of.
    Other,
}

/// What stands in the first column.
#[derive(Debug)]
pub(super) enum Statement {
    Assign {
        name: String,
        value: Expr,
    },
    Load {
        file: String,
        /// The name here, and the name there.
        names: Vec<(String, String)>,
    },
    Function {
        name: String,
        parameters: String,
        doc: String,
    },
    /// What documentation is not made of.
    Skipped,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Word,
    Text,
    Mark,
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    text: String,
    line: usize,
    column: usize,
}

/// All statements of a file.
pub(super) fn parse(text: &str) -> Result<Vec<Statement>> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens, at: 0 };
    let mut statements = Vec::new();
    while parser.at < parser.tokens.len() {
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    let mut column = 0;
    while let Some(first) = rest.chars().next() {
        let (kind, length, value) = if first.is_whitespace() {
            (None, first.len_utf8(), String::new())
        } else if first == '#' {
            (None, rest.find('\n').unwrap_or(rest.len()), String::new())
        } else if first == '"' {
            let (length, value) = string(rest).with_context(|| format!("line {line}"))?;
            (Some(Kind::Text), length, value)
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            (Some(Kind::Word), length, rest[..length].to_owned())
        } else {
            (Some(Kind::Mark), first.len_utf8(), first.to_string())
        };
        if let Some(kind) = kind {
            tokens.push(Token {
                kind,
                text: value,
                line,
                column,
            });
        }
        let (taken, left) = rest.split_at(length);
        line += taken.matches('\n').count();
        column = match taken.rfind('\n') {
            Some(end) => taken.len() - end - 1,
            None => column + taken.len(),
        };
        rest = left;
    }
    Ok(tokens)
}

/// A string that the text begins with: its length with the quotes, and what it says.
fn string(text: &str) -> Result<(usize, String)> {
    let quotes = if text.starts_with("\"\"\"") {
        "\"\"\""
    } else {
        "\""
    };
    let mut value = String::new();
    let mut at = quotes.len();
    loop {
        let rest = &text[at..];
        if rest.starts_with(quotes) {
            return Ok((at + quotes.len(), value));
        }
        let mut characters = rest.chars();
        match (characters.next(), characters.next()) {
            (Some('\\'), Some(escaped)) => {
                match escaped {
                    'n' => value.push('\n'),
                    '\n' => {}
                    '"' | '\\' => value.push(escaped),
                    other => value.extend(['\\', other]),
                }
                at += 1 + escaped.len_utf8();
            }
            (Some(character), _) => {
                value.push(character);
                at += character.len_utf8();
            }
            (None, _) => bail!("a string without an end"),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn next(&mut self) -> Result<Token> {
        let token = self.tokens.get(self.at).context("the file ends too soon")?;
        self.at += 1;
        Ok(token.clone())
    }

    fn is(&self, mark: &str) -> bool {
        self.tokens
            .get(self.at)
            .is_some_and(|token| token.kind != Kind::Text && token.text == mark)
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = self.is(mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<()> {
        let token = self.next()?;
        if token.kind == Kind::Text || token.text != mark {
            bail!(
                "line {}: expected `{mark}`, found `{}`",
                token.line,
                token.text
            );
        }
        Ok(())
    }

    fn statement(&mut self) -> Result<Statement> {
        let first = self.next()?;
        if first.column != 0 {
            bail!(
                "line {}: `{}` does not begin a statement",
                first.line,
                first.text
            );
        }
        if first.kind == Kind::Text {
            return Ok(Statement::Skipped);
        }
        if first.text == "def" {
            return self.function();
        }
        if self.is("(") {
            let call = self.call(first.text)?;
            return Ok(load(call));
        }
        self.expect("=")?;
        Ok(Statement::Assign {
            name: first.text,
            value: self.expression()?,
        })
    }

    /// A function: its name, its parameters as they stand there, its documentation.
    fn function(&mut self) -> Result<Statement> {
        let name = self.next()?.text;
        self.expect("(")?;
        let mut parameters = String::new();
        while !self.take(")") {
            let token = self.next()?;
            match token.text.as_str() {
                "," => parameters.push_str(", "),
                "=" => parameters.push_str(" = "),
                text => parameters.push_str(text),
            }
        }
        self.expect(":")?;
        let doc = match self.next()? {
            token if token.kind == Kind::Text => token.text,
            _ => String::new(),
        };
        while self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.column > 0)
        {
            self.at += 1;
        }
        Ok(Statement::Function {
            name,
            parameters,
            doc,
        })
    }

    fn expression(&mut self) -> Result<Expr> {
        let mut left = self.operand()?;
        loop {
            if self.take("|") {
                let right = self.operand()?;
                left = Expr::Merge(Box::new(left), Box::new(right));
            } else if ["<", ">", "+", "*", "-"].iter().any(|mark| self.take(mark)) {
                while ["<", ">"].iter().any(|mark| self.take(mark)) {}
                self.operand()?;
                left = Expr::Other;
            } else {
                return Ok(left);
            }
        }
    }

    fn operand(&mut self) -> Result<Expr> {
        let token = self.next()?;
        match (&token.kind, token.text.as_str()) {
            (Kind::Text, _) => Ok(Expr::Text(token.text)),
            (Kind::Mark, "-") => Ok(match self.operand()? {
                Expr::Name(number) => Expr::Name(format!("-{number}")),
                _ => Expr::Other,
            }),
            (Kind::Mark, "{") => self.dict(),
            (Kind::Mark, "[") => Ok(Expr::List(self.list("]")?)),
            (Kind::Mark, "(") => {
                self.list(")")?;
                Ok(Expr::Other)
            }
            (Kind::Word, _) => {
                let mut name = token.text;
                while self.take(".") {
                    name = format!("{name}.{}", self.next()?.text);
                }
                if self.is("(") {
                    return self.call(name);
                }
                Ok(Expr::Name(name))
            }
            (Kind::Mark, mark) => bail!("line {}: expected a value, found `{mark}`", token.line),
        }
    }

    fn list(&mut self, end: &str) -> Result<Vec<Expr>> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.expression()?);
            if !self.take(",") && !self.is(end) {
                let token = self.next()?;
                bail!(
                    "line {}: expected `,` or `{end}`, found `{}`",
                    token.line,
                    token.text
                );
            }
        }
        Ok(items)
    }

    fn dict(&mut self) -> Result<Expr> {
        let mut items = Vec::new();
        while !self.take("}") {
            let key = self.expression()?;
            self.expect(":")?;
            items.push((key, self.expression()?));
            if !self.is("}") {
                self.expect(",")?;
            }
        }
        Ok(Expr::Dict(items))
    }

    fn call(&mut self, function: String) -> Result<Expr> {
        self.expect("(")?;
        let (mut positional, mut named) = (Vec::new(), Vec::new());
        while !self.take(")") {
            match self.expression()? {
                Expr::Name(name) if self.take("=") => named.push((name, self.expression()?)),
                value => positional.push(value),
            }
            if !self.is(")") {
                self.expect(",")?;
            }
        }
        Ok(Expr::Call {
            function,
            positional,
            named,
        })
    }
}

/// A call in the first column: `load` is of interest, `visibility` is not.
fn load(call: Expr) -> Statement {
    let Expr::Call {
        function,
        positional,
        named,
    } = call
    else {
        return Statement::Skipped;
    };
    let mut texts = positional.into_iter().filter_map(|item| match item {
        Expr::Text(text) => Some(text),
        _ => None,
    });
    match texts.next() {
        Some(file) if function == "load" => Statement::Load {
            file,
            names: texts
                .map(|name| (name.clone(), name))
                .chain(named.into_iter().filter_map(|(here, there)| match there {
                    Expr::Text(there) => Some((here, there)),
                    _ => None,
                }))
                .collect(),
        },
        _ => Statement::Skipped,
    }
}
