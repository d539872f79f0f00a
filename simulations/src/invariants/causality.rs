//! What a player has been shown, it beats: its time line begins above every register of the title that
//! stood at the node which opened it, whatever that node's clock says.

use playmark::playback::Claims;

use super::Violation;
use crate::disk::Platter;

/// Checks the token that a node is about to hand out.
pub(crate) fn check(claims: &Claims, platter: &Platter) -> Result<(), Violation> {
    let shown = platter.title(&claims.title).iter().map(|(_, register)| register.stamp).max();
    match shown.filter(|shown| shown.time >= claims.anchor) {
        None => Ok(()),
        Some(shown) => {
            let what = format!("a session begins at {} and was shown {shown:?}", claims.anchor.as_ms());
            Err(Violation::new("causality", what))
        }
    }
}
