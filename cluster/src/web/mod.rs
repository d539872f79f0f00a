//! The console: what a running cluster looks like, drawn once a second, and orders by mouse.

pub mod picture;

pub use self::picture::Picture;
