//! From any JSON text to the canonical one.

use super::{JSON_BYTES_MAX, JSON_DEPTH_MAX, JsonError, JsonProblem, number, string};

/// The canonical text of the value that `text` is.
pub(super) fn parse(text: &str) -> Result<String, JsonError> {
    let mut parser = Parser { text, at: 0 };
    let mut out = String::new();
    parser.skip_space();
    parser.value(0, &mut out)?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(JsonProblem::Syntax.at(parser.at));
    }
    if out.len() > JSON_BYTES_MAX {
        return Err(JsonProblem::Length.at(text.len()));
    }
    Ok(out)
}

/// Appends an object of members whose values are canonical; sorts them. `at` is where errors are.
pub(super) fn put_object(
    members: &mut [(String, String)],
    at: usize,
    out: &mut String,
) -> Result<(), JsonError> {
    members.sort_by(|(left, _), (right, _)| string::compare(left, right));
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(JsonProblem::Duplicate.at(at));
    }
    out.push('{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        string::put(name, out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    Ok(())
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn error(&self, problem: JsonProblem) -> JsonError {
        problem.at(self.at)
    }

    fn skip_space(&mut self) {
        let is_space = |byte: &&u8| matches!(**byte, b' ' | b'\t' | b'\n' | b'\r');
        self.at += self.rest().iter().take_while(is_space).count();
    }

    /// Steps over a byte and the space behind it, if it is there.
    fn eat(&mut self, byte: u8) -> bool {
        if self.rest().first() != Some(&byte) {
            return false;
        }
        self.at += 1;
        self.skip_space();
        true
    }

    /// Appends the value that the rest begins with. `depth` is the count of arrays and objects around it.
    fn value(&mut self, depth: usize, out: &mut String) -> Result<(), JsonError> {
        let rest = self.rest();
        match rest.first() {
            Some(b'{' | b'[') if depth == JSON_DEPTH_MAX => Err(self.error(JsonProblem::Depth)),
            Some(b'{') => self.object(depth + 1, out),
            Some(b'[') => self.array(depth + 1, out),
            Some(b'"') => {
                let text = self.string()?;
                string::put(&text, out);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(out),
            _ => {
                let words = ["null", "true", "false"];
                let word = words.iter().find(|word| rest.starts_with(word.as_bytes()));
                let word = word.ok_or_else(|| self.error(JsonProblem::Syntax))?;
                out.push_str(word);
                self.at += word.len();
                Ok(())
            }
        }
    }

    fn number(&mut self, out: &mut String) -> Result<(), JsonError> {
        let len = number::scan(self.rest()).ok_or_else(|| self.error(JsonProblem::Syntax))?;
        let text = &self.text[self.at..self.at + len];
        let number = number::parse(text).ok_or_else(|| self.error(JsonProblem::Number))?;
        out.push_str(number::Written::of(number).as_str());
        self.at += len;
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let end = string::end(self.rest());
        // The text ended first, or in an escape.
        if end < 2 || self.rest().get(end - 1) != Some(&b'"') {
            return Err(self.error(JsonProblem::Syntax));
        }
        let inside = &self.text[self.at + 1..self.at + end - 1];
        let text = string::Chars { rest: inside }.collect::<Result<String, _>>();
        let text = text.map_err(|problem| self.error(problem))?;
        self.at += end;
        Ok(text)
    }

    fn array(&mut self, depth: usize, out: &mut String) -> Result<(), JsonError> {
        self.eat(b'[');
        out.push('[');
        if !self.eat(b']') {
            loop {
                self.value(depth, out)?;
                self.skip_space();
                if self.eat(b',') {
                    out.push(',');
                } else {
                    break;
                }
            }
            if self.rest().first() != Some(&b']') {
                return Err(self.error(JsonProblem::Syntax));
            }
            self.at += 1;
        }
        out.push(']');
        Ok(())
    }

    fn object(&mut self, depth: usize, out: &mut String) -> Result<(), JsonError> {
        let at = self.at;
        self.eat(b'{');
        let mut members = Vec::new();
        if !self.eat(b'}') {
            loop {
                if self.rest().first() != Some(&b'"') {
                    return Err(self.error(JsonProblem::Syntax));
                }
                let name = self.string()?;
                self.skip_space();
                if !self.eat(b':') {
                    return Err(self.error(JsonProblem::Syntax));
                }
                let mut value = String::new();
                self.value(depth, &mut value)?;
                members.push((name, value));
                self.skip_space();
                if !self.eat(b',') {
                    break;
                }
            }
            if self.rest().first() != Some(&b'}') {
                return Err(self.error(JsonProblem::Syntax));
            }
            self.at += 1;
        }
        put_object(&mut members, at, out)
    }
}
