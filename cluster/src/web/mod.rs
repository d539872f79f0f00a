//! The console: what a running cluster looks like, drawn once a second, and orders by mouse.
//!
//! The problem: that a replica set converges is seen best by who cuts a line, goes on watching on one side of it, and
//! looks at the other. The mechanism: every node is asked how it stands (`look`), two looks tell what passed between
//! them (`painter`), and the [`Picture`] is drawn once for all who watch it (`stream`). The page comes from the nodes, which
//! serve it too (`page`); so this crate goes on to know nothing of them but their HTTP. Orders are those of the
//! second terminal (`orders`).
//!
//! Whoever can give orders can kill nodes. So only this machine is listened to, and no page is but the console's own (`guard`):
//! a browser takes any page's requests to this machine's ports.

mod apart;
mod guard;
mod look;
mod orders;
mod page;
mod painter;
pub mod picture;
mod said;
mod server;
mod stream;

pub use self::{
    picture::{NodeState, Picture},
    said::Said,
    server::{Scene, Web},
};

#[cfg(test)]
mod tests;
