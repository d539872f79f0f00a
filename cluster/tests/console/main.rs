//! The console of a running cluster in a real browser: watched, cut, healed, and looked at by a checker of accessibility.
//!
//! Pictures are kept in the target directory's `tmp/console`, for people to look at; those of the tour are put into its page with `UPDATE=1`.
#![expect(clippy::disallowed_methods, reason = "a test may ask the environment where its tools are")]

#[path = "../../../tests/it/browser/chromium.rs"]
mod chromium;
mod story;
mod tour;
mod world;
