//! The command line as its users meet it: real processes, real files, a database of the test's own.

mod config;
mod devices;
mod integrations;
mod manifest;
mod migrate;
mod output;
mod postgres;
mod runs;
mod secrets;
mod usage;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

/// A user with a home and an environment of nothing but what the test sets.
pub(crate) struct User {
    home: TempDir,
    variables: Vec<(String, String)>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl User {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carrier-sync"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home())
            .env("XDG_DATA_HOME", self.home())
            // Many run at once; who wants it says where.
            .env("CARRIER_SYNC__STATUS__LISTEN", "off")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn runs(&self, arguments: &[&str]) -> Said {
        Said::from(self.command(arguments).output().unwrap())
    }

    pub(crate) fn runs_with_stdin(&self, arguments: &[&str], stdin: &str) -> Said {
        let mut child: Child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        // A command that refuses its arguments does not read: a closed pipe is its answer.
        let _ = pipe.write_all(stdin.as_bytes());
        drop(pipe);
        Said::from(child.wait_with_output().unwrap())
    }

    /// An integration `main` of tenant `acme`.
    pub(crate) fn with_integration(self) -> Self {
        let add = [
            "integrations",
            "add",
            "--tenant",
            "acme",
            "--carrier",
            "hologram",
        ];
        let add = [&add[..], &["--id", "main", "--api-key-file", "-"]].concat();
        self.runs_with_stdin(&add, "key").succeeds();
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            code: output.status.code().expect("ended by itself"),
        }
    }
}

impl Said {
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// Ends with this code and tells all of these on stderr.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, parts: &[&str]) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        for part in parts {
            assert!(
                self.stderr.contains(part),
                "{part:?} is not in:\n{}",
                self.stderr
            );
        }
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(
                self.stdout.contains(part),
                "{part:?} is not in:\n{}",
                self.stdout
            );
        }
        self
    }

    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
