//! Keys from a file, the environment or a prompt, and the check that they can be sent in a header.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    cli::{CliError, prompt},
    secrets::is_sealed,
};

/// Beyond this a file is not a key.
const MAX_KEY_BYTES: u64 = 16 * 1024;

/// One half of an integration's credentials: what to call it and where it may come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half {
    /// In messages and prompts.
    pub(super) name: &'static str,
    /// The environment variable.
    pub(super) variable: &'static str,
    /// The flag that names a file.
    pub(super) flag: &'static str,
}

/// Key, token, user name or client id.
pub(super) const API_KEY: Half = Half {
    name: "API key",
    variable: "CARRIER_SYNC_API_KEY",
    flag: "--api-key-file",
};

/// The second half, where the carrier has one.
pub(super) const API_SECRET: Half = Half {
    name: "API secret",
    variable: "CARRIER_SYNC_API_SECRET",
    flag: "--api-secret-file",
};

impl Half {
    /// From the file (`-`: stdin) or the environment; `None` when neither has it.
    pub(super) fn given(self, file: Option<&Path>) -> Result<Option<SecretString>, CliError> {
        if let Some(file) = file {
            return self.read_file(file).map(Some);
        }
        match std::env::var(self.variable) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => self.checked(&text, self.variable).map(Some),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(self.refused(self.variable, "is not ASCII text"))
            }
        }
    }

    /// As [`given`](Self::given), and asked for at the terminal when neither has it.
    pub(super) fn given_or_asked(self, file: Option<&Path>) -> Result<SecretString, CliError> {
        if let Some(secret) = self.given(file)? {
            return Ok(secret);
        }
        if !prompt::can_ask() {
            return Err(CliError::new(format!("no {}", self.name)).hint(format!(
                "give it with {} FILE (- for stdin) or in {}",
                self.flag, self.variable
            )));
        }
        let asked = prompt::secret(&format!("{} (not shown): ", self.name))?;
        self.checked(asked.expose_secret(), "the prompt")
    }

    fn read_file(self, path: &Path) -> Result<SecretString, CliError> {
        let (place, read) = if path == Path::new("-") {
            ("stdin".to_owned(), read_capped(io::stdin().lock()))
        } else {
            (
                path.display().to_string(),
                File::open(path).and_then(read_capped),
            )
        };
        let bytes = read.map_err(|error| {
            CliError::new(format!("cannot read the {} from {place}", self.name)).because(error)
        })?;
        let text = String::from_utf8(bytes).map_err(|_| self.refused(&place, "is not text"))?;
        self.checked(&text, &place)
    }

    /// A key is one line of visible ASCII: anything else could not be sent, or would forge a header.
    fn checked(self, text: &str, place: &str) -> Result<SecretString, CliError> {
        let key = text.trim_end_matches(['\r', '\n']);
        let problem = if key.is_empty() {
            "is empty"
        } else if key.len() as u64 > MAX_KEY_BYTES {
            "is too long to be one"
        } else if key.contains(['\r', '\n']) {
            "has more than one line"
        } else if !key.is_ascii() {
            "holds a character that is not ASCII"
        } else if key.chars().any(|c| c.is_ascii_control()) {
            "holds a control character"
        } else if is_sealed(key) {
            "is a sealed text of the database, not a key"
        } else if key.trim() != key {
            "begins or ends with a space"
        } else {
            return Ok(key.into());
        };
        Err(self.refused(place, problem))
    }

    fn refused(self, place: &str, problem: &str) -> CliError {
        CliError::new(format!("the {} from {place} {problem}", self.name))
            .hint("copy it again, exactly as the carrier shows it, on one line")
    }
}

/// Stdin can be read once.
pub(super) fn at_most_one_from_stdin(
    key: Option<&Path>,
    secret: Option<&Path>,
) -> Result<(), CliError> {
    let is_stdin = |file: Option<&Path>| file == Some(Path::new("-"));
    if is_stdin(key) && is_stdin(secret) {
        return Err(
            CliError::usage("key and secret cannot both come from stdin")
                .hint("give one of them in a file or in the environment"),
        );
    }
    Ok(())
}

fn read_capped(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Room for a line end; a longer file is cut here and refused by its length.
    source.take(MAX_KEY_BYTES + 3).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_is_not_part_of_the_key() {
        for text in ["key", "key\n", "key\r\n", "key\n\n"] {
            assert_eq!(API_KEY.checked(text, "x").unwrap().expose_secret(), "key");
        }
    }

    #[test]
    fn a_key_that_could_not_be_sent_is_refused_and_not_repeated() {
        let long = "canary".repeat(4000);
        for bad in [
            "",
            "\n",
            "can\nary",
            "canary\tx",
            "canäry",
            " canary",
            "canary ",
            "enc:v1:00112233:canary",
            "enc:v9:canary",
            &long,
        ] {
            let error = API_KEY.checked(bad, "a file").unwrap_err().to_string();
            assert!(error.starts_with("the API key from a file "), "{error}");
            assert!(!error.contains("can"), "{error}");
        }
    }
}
