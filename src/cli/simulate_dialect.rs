//! `carrier-sync simulate --carrier 1nce|emnify|cisco`: what such a simulator is made of, and what a user needs
//! to know to use it. Knows nothing of the service.

use std::fmt;
use std::net::TcpListener;

use clap::ValueEnum as _;

use super::simulate::{BillingChoice, SimulateArgs, SimulateError};
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

/// Refuses flags that mean nothing to the carrier. One that was given its usual value is not told from none.
///
/// # Errors
/// [`SimulateError::Foreign`] names the first.
pub(super) fn refuse_foreign(args: &SimulateArgs) -> Result<(), SimulateError> {
    let sells_tokens = matches!(args.carrier, CarrierChoice::OneNce | CarrierChoice::Emnify);
    let is_hologram = args.carrier == CarrierChoice::Hologram;
    let foreign = [
        (
            "--token-lifetime",
            !sells_tokens && args.token_lifetime.is_some(),
        ),
        ("--rate", !is_hologram && args.rate.is_some()),
        ("--burst", !is_hologram && args.burst != 5),
        ("--retry-after", !is_hologram && args.retry_after != 5),
        (
            "--latency-jitter",
            !is_hologram && !args.latency_jitter.is_zero(),
        ),
        (
            "--billing",
            !is_hologram && args.billing != BillingChoice::Prepaid,
        ),
        (
            "--multi-link-percent",
            !is_hologram && args.multi_link_percent != 5.0,
        ),
        (
            "--max-device-page",
            !is_hologram && args.max_device_page != 1_000,
        ),
        ("--growth", !is_hologram && args.growth != 0),
        ("--faults", !is_hologram && !args.faults.0.is_empty()),
    ];
    match foreign.into_iter().find(|(_, is_given)| *is_given) {
        None => Ok(()),
        Some((flag, _)) => Err(SimulateError::Foreign {
            flag,
            carrier: args
                .carrier
                .to_possible_value()
                .map(|value| value.get_name().to_owned())
                .unwrap_or_default(),
        }),
    }
}

/// The simulator that the arguments describe.
///
/// # Errors
/// [`SimulateError`] says what to do instead.
pub fn start(args: &SimulateArgs, dialect: Dialect) -> Result<DialectSimulator, SimulateError> {
    refuse_foreign(args)?;
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::simulate;

    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(arguments: &str) -> SimulateArgs {
        let words = format!("simulate --listen 127.0.0.1:0 --devices 3 {arguments}");
        Command::try_parse_from(words.split_whitespace())
            .unwrap()
            .args
    }

    const CARRIERS: [(&str, Dialect); 3] = [
        ("1nce", Dialect::OneNce),
        ("emnify", Dialect::Emnify),
        ("cisco", Dialect::Cisco),
    ];

    #[test]
    fn the_commands_that_it_tells_are_commands_and_hold_the_account() {
        for (name, dialect) in CARRIERS {
            let args = parse(&format!("--carrier {name}"));
            assert_eq!(args.carrier.dialect(), Some(dialect));
            let simulator = start(&args, dialect).unwrap();
            let text = Introduction(&simulator).to_string();
            let told = text.lines().filter(|line| line.contains("carrier-sync "));
            let mut commands = 0;
            for line in told {
                let (_, arguments) = line.split_once("carrier-sync ").unwrap();
                let words = std::iter::once("carrier-sync").chain(arguments.split(' '));
                let parsed = crate::cli::Cli::try_parse_from(words);
                assert!(parsed.is_ok(), "{arguments}: {}", parsed.unwrap_err());
                commands += 1;
            }
            assert_eq!(commands, 5, "{text}");
            let account = &simulator.config().accounts[0];
            let secret = account.secret.as_deref();
            for word in secret
                .into_iter()
                .chain([&*account.key, &simulator.base_url()])
            {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }

    #[test]
    fn a_flag_that_would_change_nothing_is_refused_by_name() {
        for (arguments, flag) in [
            ("--carrier 1nce --rate 5", "--rate"),
            ("--carrier emnify --faults 0.3", "--faults"),
            ("--carrier cisco --growth 1", "--growth"),
            ("--carrier cisco --billing invoiced", "--billing"),
            ("--carrier cisco --token-lifetime 5m", "--token-lifetime"),
            ("--token-lifetime 5m", "--token-lifetime"),
        ] {
            let args = parse(arguments);
            let refused = match args.carrier.dialect() {
                Some(dialect) => start(&args, dialect).map(drop),
                None => simulate::start(&args).map(drop),
            };
            let error = refused.unwrap_err();
            assert!(
                matches!(error, SimulateError::Foreign { flag: named, .. } if named == flag),
                "{arguments}: {error}"
            );
        }
    }

    #[test]
    fn flags_that_mean_something_are_heeded() {
        let args =
            parse("--carrier emnify --token-lifetime 5m --accounts 2 --seed 9 --latency 7ms");
        let simulator = start(&args, Dialect::Emnify).unwrap();
        let config = simulator.config();
        assert_eq!(config.token_lifetime.as_secs(), 300);
        assert_eq!((config.accounts.len(), config.seed), (2, 9));
        assert_eq!(config.latency.as_millis(), 7);
        assert_eq!(simulator.truth(1).len(), 3);
    }

    #[test]
    fn an_impossible_fleet_is_refused_with_the_reason() {
        let args = parse("--carrier 1nce --accounts 20000");
        let error = start(&args, Dialect::OneNce).unwrap_err();
        assert!(error.to_string().contains("at most 10000"), "{error}");
    }
}
