//! Three processes in three regions, certified by one authority.

mod erasures;
mod following;
mod strangers;
mod together;
mod trio;
