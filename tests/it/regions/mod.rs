//! Three processes in three regions, certified by one authority.

mod erasures;
mod strangers;
mod together;
mod trio;
