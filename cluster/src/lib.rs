//! A multi-region Playmark on one machine.
