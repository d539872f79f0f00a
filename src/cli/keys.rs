//! `playmark keys new`: a static key, shown once.

use playmark::{
    crdt::ProfileId,
    http::auth::{NewKey, Profiles, Scope},
    node::identity,
};

use super::{Failure, KeysCommand};

pub(super) fn run(command: KeysCommand) -> Result<(), Failure> {
    let KeysCommand::New { name, scope, profile } = command;
    let profiles = Profiles::parse(profile.iter().map(String::as_str))
        .map_err(|why| Failure::usage(anyhow::anyhow!("--profile: {why}")))?;
    let profiles = match &profiles {
        Profiles::All => vec!["*"],
        Profiles::Only(ids) => ids.iter().map(ProfileId::as_str).collect(),
    };
    let (first, second) = (identity::random().to_be_bytes(), identity::random().to_be_bytes());
    let mut bits = [0; 32];
    bits[..16].copy_from_slice(&first);
    bits[16..].copy_from_slice(&second);
    let NewKey { key, sha256 } = NewKey::from_random(bits);
    let scopes: Vec<_> = scope.iter().map(|scope| scope.as_str()).collect();
    eprintln!("The key, which is shown this once:");
    println!("{key}");
    eprintln!("The lines to add to the file that auth.keys_file names; a node that runs reads it again:\n");
    println!("[[key]]");
    println!("name = {}", toml::Value::from(name));
    println!("sha256 = {}", toml::Value::from(sha256));
    println!("scopes = {}", toml::Value::from(scopes));
    println!("profiles = {}", toml::Value::from(profiles));
    Ok(())
}

/// Reads a scope as a command line names it.
pub(super) fn scope(name: &str) -> Result<Scope, String> {
    let all = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::parse(name).ok_or_else(|| format!("there are {all}"))
}
