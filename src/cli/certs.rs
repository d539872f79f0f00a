//! `playmark certs`: files for mutual TLS, made by hand and carried by hand.

use playmark::{
    node::Clock,
    transport::certs::{self, CertsError},
};

use super::{CertsCommand, Failure};

pub(super) fn run(command: CertsCommand) -> Result<(), Failure> {
    match command {
        CertsCommand::Ca { cluster, out } => {
            let made = certs::make_ca(&cluster, &out, Clock::wall()).map_err(failure)?;
            println!("made {}: every node trusts it", made.certificate.display());
            println!("made {}: keep it off every node", made.key.display());
            println!("made {}: every node needs it, and nobody else", made.secret.display());
        }
        CertsCommand::Node { ca, name, region, out } => {
            let made = certs::make_node(&ca, &name, &region, &out, Clock::wall()).map_err(failure)?;
            println!("made {} for {}", made.certificate.display(), made.name);
            println!("made {}: for that node alone", made.key.display());
        }
    }
    Ok(())
}

fn failure(why: CertsError) -> Failure {
    match why {
        CertsError::Name(_) | CertsError::Exists { .. } | CertsError::NotAnAuthority { .. } => {
            Failure::usage(why)
        }
        CertsError::Io { .. } | CertsError::NoRandomness(_) | CertsError::Generate(_) => {
            Failure::running(why)
        }
    }
}
