//! `carrier-sync simulate --carrier 1nce|emnify|cisco`: what such a simulator is made of, and what a user needs
//! to know to use it. Knows nothing of the service.

use std::fmt;
use std::net::TcpListener;

use super::simulate::{SimulateArgs, SimulateError};
use crate::simulator::dialects::{Dialect, DialectAccount, DialectConfig, DialectSimulator};

/// Whose API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CarrierChoice {
    /// Hologram
    Hologram,
    /// 1NCE, version 2 of its API
    #[value(name = "1nce")]
    OneNce,
    /// emnify
    Emnify,
    /// Cisco IoT Control Center
    Cisco,
}

impl CarrierChoice {
    /// The dialect; `None` for Hologram, whose simulator is one of its own.
    #[must_use]
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::Hologram => None,
            Self::OneNce => Some(Dialect::OneNce),
            Self::Emnify => Some(Dialect::Emnify),
            Self::Cisco => Some(Dialect::Cisco),
        }
    }
}

/// The simulator that the arguments describe. Flags that only Hologram's simulator has mean nothing here.
///
/// # Errors
/// [`SimulateError`] says what to do instead.
pub fn start(args: &SimulateArgs, dialect: Dialect) -> Result<DialectSimulator, SimulateError> {
    let listener = args.listener()?;
    Ok(DialectSimulator::start(config(args, dialect), listener)?)
}

fn config(args: &SimulateArgs, dialect: Dialect) -> DialectConfig {
    let usual = DialectConfig::of(dialect, 0);
    let devices = usize::try_from(args.devices).unwrap_or(usize::MAX);
    let accounts = usize::try_from(args.accounts).unwrap_or(usize::MAX);
    DialectConfig {
        accounts: (1..=accounts)
            .map(|number| DialectAccount::numbered(dialect, number, devices))
            .collect(),
        seed: args.seed,
        now: args.now,
        latency: args.latency,
        token_lifetime: args.token_lifetime.unwrap_or(usual.token_lifetime),
        ..usual
    }
}

/// What a user needs to know, and the commands to type next.
pub struct Introduction<'a>(pub &'a DialectSimulator);

impl fmt::Display for Introduction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (simulator, config) = (self.0, self.0.config());
        let (name, code) = match config.dialect {
            Dialect::OneNce => ("1NCE", "1nce"),
            Dialect::Emnify => ("emnify", "emnify"),
            Dialect::Cisco => ("Cisco IoT Control Center", "cisco"),
        };
        let base_url = simulator.base_url();
        writeln!(f, "Simulated carrier ({name}'s API), seed {}", config.seed)?;
        writeln!(f, "  API    {base_url}")?;
        writeln!(
            f,
            "\n  {:<32} {:<26} {:>8}",
            "api_key", "api_secret", "devices"
        )?;
        for account in &config.accounts {
            let secret = account.secret.as_deref().unwrap_or("-");
            writeln!(
                f,
                "  {:<32} {secret:<26} {:>8}",
                account.key, account.devices
            )?;
        }
        let Some(first) = config.accounts.first() else {
            return Ok(());
        };
        let secret = first.secret.as_ref();
        let secret = secret
            .map(|secret| format!("CARRIER_SYNC_API_SECRET={secret} "))
            .unwrap_or_default();
        let address = simulator.address();
        writeln!(
            f,
            "\nNext, in another terminal:\n  \
             export CARRIER_SYNC__HTTP__ALLOW_PRIVATE_HOSTS=true\n  \
             carrier-sync migrate\n  \
             CARRIER_SYNC_API_KEY={} {secret}carrier-sync integrations add --id sim-{code} \
             --tenant demo --carrier {code} --base-url {base_url}\n  \
             carrier-sync integrations test sim-{code}\n  \
             curl -s 'http://{address}/sim/devices.csv?account=1' > devices.csv\n  \
             carrier-sync devices import devices.csv --integration sim-{code}\n  \
             carrier-sync once --integration sim-{code}\n\nCtrl-C ends the simulator.",
            first.key
        )
    }
}

impl SimulateArgs {
    /// The socket to serve on.
    ///
    /// # Errors
    /// [`SimulateError`] for an address that others can reach, and for one that is taken.
    pub(super) fn listener(&self) -> Result<TcpListener, SimulateError> {
        let address = self.listen;
        if !address.ip().is_loopback() {
            return Err(SimulateError::NotLoopback(address));
        }
        TcpListener::bind(address).map_err(|source| SimulateError::Listen { address, source })
    }
}
