//! The parameters of a question, read strictly: a filter that is misspelt must not find everything.

use actix_web::HttpRequest;

use super::problem::Problem;

/// What was asked with, and what could have been.
#[derive(Debug)]
pub(super) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl Params {
    /// Those of a request.
    ///
    /// # Errors
    /// [`Problem`] naming one that is given twice.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Self::parse(request.query_string())
    }

    fn parse(query: &str) -> Result<Self, Problem> {
        let given: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        for (number, (name, value)) in given.iter().enumerate() {
            if given[..number].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::parameter(name, value, "to give it once"));
            }
        }
        Ok(Self {
            given,
            known: Vec::new(),
        })
    }

    /// A text; an empty one is none, as a form sends it.
    ///
    /// # Errors
    /// [`Problem`] where it holds what no name does, and no database takes.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, Problem> {
        self.known.push(name);
        let Some(given) = self.given.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        let (_, value) = self.given.remove(given);
        if value.chars().any(char::is_control) {
            let allowed = "a text without control characters";
            return Err(Problem::parameter(
                name,
                &value.escape_debug().to_string(),
                allowed,
            ));
        }
        Ok((!value.is_empty()).then_some(value))
    }

    /// One of a few words.
    ///
    /// # Errors
    /// [`Problem`] naming them.
    pub(super) fn word<T: Copy>(
        &mut self,
        name: &'static str,
        words: &[T],
        as_str: impl Fn(T) -> &'static str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let found = words.iter().copied().find(|word| as_str(*word) == text);
        match found {
            Some(word) => Ok(Some(word)),
            None => {
                let words: Vec<_> = words.iter().copied().map(as_str).collect();
                Err(Problem::parameter(name, &text, &words.join(", ")))
            }
        }
    }

    /// How many a page holds.
    ///
    /// # Errors
    /// [`Problem`] naming the bounds.
    pub(super) fn limit(&mut self, default: u32, most: u32) -> Result<u32, Problem> {
        let Some(text) = self.text("limit")? else {
            return Ok(default);
        };
        match text.parse() {
            Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
            _ => {
                let allowed = format!("a whole number from 1 to {most}");
                Err(Problem::parameter("limit", &text, &allowed))
            }
        }
    }

    /// Where a page begins.
    ///
    /// # Errors
    /// [`Problem`] where `decode` cannot read it.
    pub(super) fn cursor<T>(
        &mut self,
        decode: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text("cursor")? else {
            return Ok(None);
        };
        let allowed = "what \"next\" of the page before was, for the same question";
        match decode(&text) {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(Problem::parameter("cursor", &text, allowed)),
        }
    }

    /// Sees that nothing else was asked with.
    ///
    /// # Errors
    /// [`Problem`] naming what is allowed.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.given.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::unknown_parameter(name, &self.known)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_not_understood_is_named_with_what_is() {
        let words = [true, false];
        let as_str = |word| if word { "on" } else { "off" };
        for (query, parts) in [
            ("a=1&a=2", &["a=2", "once"][..]),
            ("sate=on", &["no parameter sate", "state, limit, cursor"]),
            ("state=On", &["state=On", "on, off"]),
            ("limit=0", &["limit=0", "from 1 to 9"]),
            ("limit=1e1", &["limit=1e1", "from 1 to 9"]),
            ("cursor=x", &["cursor=x", "next"]),
            ("cursor=%00", &["cursor=\\0", "without control characters"]),
        ] {
            let read = || {
                let mut params = Params::parse(query)?;
                params.word("state", &words, as_str)?;
                params.limit(5, 9)?;
                params.cursor(|text| (text == "good").then_some(()))?;
                params.finish()
            };
            let told = read().unwrap_err().error;
            for part in parts {
                assert!(told.contains(part), "{part:?} is not in {told:?}");
            }
        }
        let mut params = Params::parse("state=&limit=9&cursor=good&q=a+b%2F").unwrap();
        assert_eq!(params.word("state", &words, as_str).unwrap(), None);
        assert_eq!(params.limit(5, 9).unwrap(), 9);
        assert!(
            params
                .cursor(|text| (text == "good").then_some(()))
                .unwrap()
                .is_some()
        );
        assert_eq!(params.text("q").unwrap().as_deref(), Some("a b/"));
        params.finish().unwrap();
    }
}
