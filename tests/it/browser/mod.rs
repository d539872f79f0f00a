//! A real browser that plays a real film, with the module that nodes serve.
//!
//! A [`Browser`] is a headless Chromium with a profile of its own, remote-controlled over `WebDriver`; a [`Cinema`]
//! serves the page and the film, and stands between the page and a node where a test wants the network to be bad.

mod chromium;
mod cinema;
mod credentials;
mod nodes;
mod offline;
mod outages;
mod returning;
mod television;
mod tokens;
mod watching;

use chromium::{Browser, Network};
use cinema::Cinema;
use television::Television;
