//! The files of a data directory that are not the store's.

use std::{fs, io::Write, path::Path};

use anyhow::{Context, ensure};
use playmark::{
    config::SecretFile,
    playback::{SECRET_BYTES_MIN, TokenKeys},
    transport::certs,
};

/// Reads what signs tokens, and makes it on the first start of a single node.
pub(super) fn token_keys(secret: &SecretFile) -> anyhow::Result<TokenKeys> {
    let path = match secret {
        SecretFile::Given(path) => path,
        SecretFile::Own(path) => {
            if !path.exists() {
                make_secret(path)?;
            }
            path
        }
    };
    let named = || format!("tokens.secret_file: {}", path.display());
    let text = fs::read_to_string(path).with_context(named)?;
    let bytes = from_hex(text.trim()).with_context(named)?;
    TokenKeys::new(&bytes).with_context(named)
}

/// Makes it whole or not at all: a start that is killed meanwhile leaves nothing that the next one refuses.
fn make_secret(path: &Path) -> anyhow::Result<()> {
    let unfinished = path.with_extension("secret.new");
    if unfinished.exists() {
        fs::remove_file(&unfinished).with_context(|| unfinished.display().to_string())?;
    }
    certs::make_secret(&unfinished)?;
    fs::rename(&unfinished, path).with_context(|| path.display().to_string())
}

fn from_hex(text: &str) -> anyhow::Result<Vec<u8>> {
    let wanted = || format!("it must hold at least {SECRET_BYTES_MIN} bytes in hexadecimal digits");
    ensure!(text.len().is_multiple_of(2) && text.is_ascii(), wanted());
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).ok();
    (0..text.len()).step_by(2).map(byte).collect::<Option<_>>().with_context(wanted)
}

/// Writes a small file whole or not at all, so that whoever waits for it never reads half of it.
pub(super) fn publish(path: &Path, text: &str) -> anyhow::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = fs::File::create(&unfinished).with_context(|| unfinished.display().to_string())?;
    file.write_all(text.as_bytes()).with_context(|| unfinished.display().to_string())?;
    fs::rename(&unfinished, path).with_context(|| path.display().to_string())
}
