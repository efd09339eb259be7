//! What an integration is doing, whether a person must look at it, and what that person can do. Pure.

use chrono::{DateTime, Utc};

use crate::status::ActorState;

/// What an integration is doing, as far as this process knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting for its time.
    Idle,
    /// A sync is under way.
    Syncing,
    /// Its last sync failed; it tries again by itself.
    BackingOff,
    /// The carrier refuses its credentials.
    NeedsCredentials,
    /// It cannot work as it is.
    Parked,
    /// The service is ending, or the integration has been changed and begins anew.
    Draining,
    /// Its timer is switched off (`sync_enabled`).
    Paused,
    /// It is switched off altogether (`enabled`).
    Disabled,
    /// Another process syncs it, or this one has not taken it up yet.
    Elsewhere,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Idle,
        Self::Syncing,
        Self::BackingOff,
        Self::NeedsCredentials,
        Self::Parked,
        Self::Draining,
        Self::Paused,
        Self::Disabled,
        Self::Elsewhere,
    ];

    /// The word in addresses and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => ActorState::Idle.as_str(),
            Self::Syncing => ActorState::Syncing.as_str(),
            Self::BackingOff => ActorState::BackingOff.as_str(),
            Self::NeedsCredentials => ActorState::NeedsCredentials.as_str(),
            Self::Parked => ActorState::Parked.as_str(),
            Self::Draining => ActorState::Draining.as_str(),
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl From<ActorState> for State {
    fn from(state: ActorState) -> Self {
        match state {
            ActorState::Idle => Self::Idle,
            ActorState::Syncing => Self::Syncing,
            ActorState::BackingOff => Self::BackingOff,
            ActorState::NeedsCredentials => Self::NeedsCredentials,
            ActorState::Parked => Self::Parked,
            ActorState::Draining => Self::Draining,
        }
    }
}

/// How the last sync ended, as stored.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LastOutcome {
    /// None has ended yet.
    Never,
    /// Every linked device was read and written.
    Success,
    /// Some devices were, some were not.
    Partial,
    /// None was, though there was something to do.
    Error,
}

impl LastOutcome {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Never, Self::Success, Self::Partial, Self::Error];

    /// The word in addresses and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Error => "error",
        }
    }

    /// What a stored word means; one that is none means that nothing is known.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == word);
        known.unwrap_or(Self::Never)
    }
}

/// Whether a person must look at it. In the order of the page: what is worst comes first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Nothing will change until a person does something.
    Broken,
    /// Its last sync failed as a whole.
    Failing,
    /// Some of its devices were not read.
    Partial,
    /// It works, but its last success, or the time at which its first one was due, is too long ago for its interval.
    Late,
    /// All is well.
    Well,
    /// It is switched off.
    Off,
}

impl Attention {
    /// Every one, the worst first.
    pub const ALL: [Self; 6] = [
        Self::Broken,
        Self::Failing,
        Self::Partial,
        Self::Late,
        Self::Well,
        Self::Off,
    ];

    /// The word in addresses and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Failing => "failing",
            Self::Partial => "partial",
            Self::Late => "late",
            Self::Well => "well",
            Self::Off => "off",
        }
    }

    /// Whether a person should look.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        matches!(
            self,
            Self::Broken | Self::Failing | Self::Partial | Self::Late
        )
    }

    /// Of an integration in this state whose last sync ended like this, and whose last success must not be
    /// older than `fresh_since`; of one that has had none, the time at which it is due.
    #[must_use]
    pub fn of(
        state: State,
        outcome: LastOutcome,
        last_success_or_due: Option<DateTime<Utc>>,
        fresh_since: DateTime<Utc>,
    ) -> Self {
        match (state, outcome) {
            (State::Paused | State::Disabled, _) => Self::Off,
            (State::NeedsCredentials | State::Parked, _) => Self::Broken,
            (_, LastOutcome::Error) => Self::Failing,
            (_, LastOutcome::Partial) => Self::Partial,
            (State::BackingOff, _) => Self::Failing,
            _ if last_success_or_due.is_some_and(|at| at < fresh_since) => Self::Late,
            _ => Self::Well,
        }
    }

    /// What a person can do about integration `id`, in a sentence or two; `None`: nothing need be done.
    #[must_use]
    pub fn advice(self, state: State, id: &str) -> Option<String> {
        let id = shell_word(id);
        Some(match (self, state) {
            (Self::Broken, State::NeedsCredentials) => format!(
                "Give it new credentials with `carrier-sync integrations set {id} --new-api-key`; it tries \
                 again at once when they change."
            ),
            (Self::Broken, _) => format!(
                "Mend what the reason names with `carrier-sync integrations set {id}`; it tries again at once \
                 when something changes, and with \"Sync now\"."
            ),
            (Self::Failing, _) => format!(
                "It tries again by itself. If it goes on, `carrier-sync integrations test {id}` makes one call \
                 and tells the carrier's answer."
            ),
            (Self::Partial, _) => "The devices that failed are listed with their reasons. One that the carrier \
                 does not know is linked to a wrong name: `carrier-sync devices import` corrects it."
                .to_owned(),
            (Self::Late, _) => "Its syncs take too long or come too late: see its calls against its limits \
                 and its budget, or give it a longer interval."
                .to_owned(),
            (Self::Off, State::Paused) => {
                format!("Resume it here or with `carrier-sync integrations set {id} --resume`.")
            }
            (Self::Off, _) => {
                format!("`carrier-sync integrations set {id} --enable` switches it on.")
            }
            (Self::Well, _) => return None,
        })
    }
}

/// As a shell takes it for one word.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:@/+".contains(c);
    if text.chars().all(is_plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn what_is_worse_is_told_first() {
        let (old, new) = (Some(NOON - chrono::TimeDelta::hours(1)), Some(NOON));
        for (state, outcome, success, attention) in [
            (State::Idle, LastOutcome::Success, new, Attention::Well),
            (State::Idle, LastOutcome::Never, None, Attention::Well),
            (State::Elsewhere, LastOutcome::Success, new, Attention::Well),
            (
                State::Elsewhere,
                LastOutcome::Error,
                new,
                Attention::Failing,
            ),
            (State::Syncing, LastOutcome::Success, old, Attention::Late),
            (State::Idle, LastOutcome::Partial, old, Attention::Partial),
            (
                State::BackingOff,
                LastOutcome::Success,
                new,
                Attention::Failing,
            ),
            (State::Syncing, LastOutcome::Error, new, Attention::Failing),
            (State::Parked, LastOutcome::Success, new, Attention::Broken),
            (
                State::NeedsCredentials,
                LastOutcome::Error,
                new,
                Attention::Broken,
            ),
            (State::Paused, LastOutcome::Error, old, Attention::Off),
            (State::Disabled, LastOutcome::Error, None, Attention::Off),
        ] {
            let told = Attention::of(state, outcome, success, NOON);
            assert_eq!(told, attention, "{state:?} {outcome:?}");
            let has_advice = told.advice(state, "i").is_some();
            assert_eq!(has_advice, told != Attention::Well);
        }
        assert!(Attention::ALL.is_sorted());
    }

    #[test]
    fn an_id_in_a_command_is_one_word() {
        for (id, word) in [
            ("acme-1", "acme-1"),
            ("a b", "'a b'"),
            ("it's", "'it'\\''s'"),
            ("$(rm -r /)", "'$(rm -r /)'"),
            ("--all", "'--all'"),
        ] {
            let advice = Attention::Failing
                .advice(State::Idle, id)
                .unwrap_or_default();
            let command = format!("test {word}`");
            assert!(advice.contains(&command), "{advice}");
        }
    }
}
