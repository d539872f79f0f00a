//! Three processes in three regions, certified by one authority.

mod strangers;
mod together;
mod trio;
