//! What requests bring beside their bodies, where several have it in common.

#![expect(dead_code, reason = "they are shapes, of which nothing is made")]

use utoipa::IntoParams;

use super::kinds;

/// Whom a request is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OfProfile {
    /// Who watches.
    profile: kinds::Profile,
}

/// What a request is about.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::http) struct OfTitle {
    /// Who watches.
    profile: kinds::Profile,
    /// What is watched; a slash in it is written as %2F.
    content: kinds::Content,
}

/// Do it only if what stands is what the request takes it for (RFC 9110, 13).
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct OnlyIf {
    /// Tags, one of which must be that of what stands; `*` is any. Compared strongly.
    #[param(rename = "If-Match")]
    if_match: Option<String>,
    /// Tags, none of which may be that of what stands; `*` is any, so that nothing may stand.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// What the caller has.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct Known {
    /// The tag of the answer that the caller has: the answer is 304 while it stands.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// How long the answer may wait for something new.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct Patience {
    /// `wait=N`: the answer comes when there is something new, or after N seconds, 30 at most (RFC 7240). What cannot
    /// be read is passed over.
    #[param(rename = "Prefer", example = "wait=10")]
    prefer: Option<String>,
}

/// Where a stream goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(in crate::http) struct Resumption {
    /// The `id` of the last event that the caller has heard; a browser's `EventSource` sends it by itself.
    #[param(rename = "Last-Event-ID")]
    last_event_id: Option<kinds::Cursor>,
}
