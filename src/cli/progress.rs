//! How far a long command is.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on the terminal, if there is one.
pub(super) fn bar(length: u64, what: &'static str) -> ProgressBar {
    let target =
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(length), target).with_message(what);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} {msg}, {eta} left");
    bar.set_style(style.expect("a template of known keys"));
    bar
}

/// Waits before a node is asked again: how far it is, it says only when it is asked.
pub(super) fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "nobody calls a command back")]
    std::thread::sleep(time);
}
