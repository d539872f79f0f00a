//! Takes values by key, and gathers what is wrong with them.

use std::{fmt, net::SocketAddr, ops::RangeInclusive, path::PathBuf};

use figment::{Figment, value::Value};

use crate::config::{KEYS, spelling::nearest};

/// Takes values by key, and gathers what is wrong with them.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
    pub(super) problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(figment: &'a Figment) -> Self {
        Self { figment, problems: Vec::new() }
    }

    /// Finds every key that is none. What cannot be read at all is the error.
    pub(super) fn refuse_unknown(&mut self) -> Result<(), String> {
        let root = self.figment.find_value("").map_err(|why| why.to_string())?;
        let mut unknown = Vec::new();
        find_unknown(&root, "", &mut unknown);
        for key in unknown {
            let nearest = nearest(&key, &KEYS);
            self.problem(&key, &format!("is no key; did you mean {nearest}?"));
        }
        Ok(())
    }

    pub(super) fn problem(&mut self, key: &str, fix: &str) {
        let given = self.figment.find_metadata(key).map(|metadata| match &metadata.source {
            Some(figment::Source::File(path)) => format!(" (in {})", path.display()),
            Some(figment::Source::Code(_)) => " (on the command line)".to_owned(),
            _ if metadata.name.contains("environment") => " (in the environment)".to_owned(),
            _ => String::new(),
        });
        self.problems.push(format!("{key}{}: {fix}", given.unwrap_or_default()));
    }

    pub(super) fn has_section(&self, section: &str) -> bool {
        self.figment.find_value(section).is_ok()
    }

    pub(super) fn value(&self, key: &str) -> Option<Value> {
        self.figment.find_value(key).ok()
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let value = self.value(key)?;
        let text = text_of(&value);
        if text.is_none() {
            self.problem(key, "must be a text");
        }
        text
    }

    /// A list of texts, or a single one.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let value = self.value(key)?;
        let values = value.clone().into_array().unwrap_or_else(|| vec![value]);
        let texts: Option<Vec<_>> = values.iter().map(text_of).collect();
        if texts.is_none() {
            self.problem(key, "must be a list of texts");
        }
        texts
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = self.value(key)?.to_bool();
        if flag.is_none() {
            self.problem(key, "must be true or false");
        }
        flag
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A file that must be given and there.
    pub(super) fn file(&mut self, key: &str) -> Option<PathBuf> {
        let Some(path) = self.path(key) else {
            self.problem(key, "is required with replication: give a file that `playmark certs` made");
            return None;
        };
        self.opened(key, path)
    }

    /// A file that must be there.
    pub(super) fn opened(&mut self, key: &str, path: PathBuf) -> Option<PathBuf> {
        match std::fs::File::open(&path) {
            Ok(_) => Some(path),
            Err(why) => {
                self.problem(key, &format!("{}: {why}", path.display()));
                None
            }
        }
    }

    pub(super) fn address(&mut self, key: &str, default: SocketAddr) -> Option<SocketAddr> {
        match self.text(key) {
            Some(text) => self.parsed_or(key, &text, "must be an address and a port, such as 127.0.0.1:7080"),
            None => Some(default),
        }
    }

    pub(super) fn parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
        text: &str,
    ) -> Option<T> {
        text.parse().map_err(|why| self.problem(key, &format!("\"{text}\": {why}"))).ok()
    }

    pub(super) fn parsed_or<T: std::str::FromStr>(&mut self, key: &str, text: &str, fix: &str) -> Option<T> {
        text.parse().map_err(|_| self.problem(key, &format!("\"{text}\" {fix}"))).ok()
    }

    pub(super) fn whole(&mut self, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?;
        let number = whole_of(&value).and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.problem(key, &format!("must be a whole number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// A number of milliseconds before or after, up to a year.
    pub(super) fn offset(&mut self, key: &str) -> Option<i64> {
        const YEAR_MS: i64 = 366 * 86_400_000;
        let value = self.value(key)?;
        let number = value.to_i128().and_then(|number| i64::try_from(number).ok());
        let number = number.or_else(|| text_of(&value)?.parse().ok());
        let number = number.filter(|number| (-YEAR_MS..=YEAR_MS).contains(number));
        if number.is_none() {
            self.problem(
                key,
                &format!("must be a whole number of milliseconds from -{YEAR_MS} to {YEAR_MS}"),
            );
        }
        number
    }
}

/// A text, or a number or flag that the environment has made of one.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, letter) => Some(letter.to_string()),
        Value::Bool(_, flag) => Some(flag.to_string()),
        Value::Num(..) => whole_of(value).map(|number| number.to_string()),
        Value::Empty(..) | Value::Dict(..) | Value::Array(..) => None,
    }
}

/// A number without fraction or sign. A file's numbers are signed, and those of the environment are not.
fn whole_of(value: &Value) -> Option<u128> {
    value.to_num()?.to_u128_lossy()
}

fn find_unknown(value: &Value, path: &str, unknown: &mut Vec<String>) {
    if KEYS.contains(&path) {
        return;
    }
    let is_section = path.is_empty() || KEYS.iter().any(|key| key.starts_with(&format!("{path}.")));
    match value.as_dict().filter(|_| is_section) {
        Some(dict) => {
            for (name, value) in dict {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                find_unknown(value, &path, unknown);
            }
        }
        None => unknown.push(path.to_owned()),
    }
}
