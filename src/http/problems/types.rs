//! The table of types: everything that is said of one, wherever it is said.

use super::Type;

/// Makes a constant of each row, and the list of all of them.
macro_rules! types {
    ($($constant:ident: $name:literal, $status:literal, $title:literal, [$($member:literal),*], $means:literal, $remedy:literal;)*) => {
        $(pub(in crate::http) const $constant: Type = Type {
            name: $name,
            status: $status,
            title: $title,
            members: &[$($member),*],
            means: $means,
            remedy: $remedy,
        };)*

        /// Every type there is, those of the door first.
        pub(in crate::http) const ALL: &[Type] = &[$($constant),*];
    };
}

types! {
    UNAUTHENTICATED: "unauthenticated", 401, "Who asks?", [],
        "The node asks who comes, and the request does not say.",
        "Send `Authorization: Bearer …` with a key or a token of the operator's issuer.";
    BAD_CREDENTIAL: "bad-credential", 401, "Not a credential for this node", [],
        "The credential is none, or none that this node trusts; `detail` says what is wrong with it.",
        "Get another one. The same will not be taken later.";
    CREDENTIAL_EXPIRED: "credential-expired", 401, "Credential expired", [],
        "The bearer token is beyond its time.",
        "Get a fresh one from whoever issued it, and send the request again.";
    KEYS_UNKNOWN: "keys-unknown", 503, "The issuer's keys are not known yet", [],
        "The node has not got the issuer's keys yet, or not this one. It is no verdict on the token.",
        "Send the same again after `Retry-After`: the keys are being fetched.";
    NO_SCOPE: "no-scope", 403, "Not allowed", ["scopes"],
        "The credential is valid and does not allow this.",
        "Ask whoever issued it for one of the `scopes`.";
    NOT_YOUR_PROFILE: "not-your-profile", 403, "Not for this profile", [],
        "The credential does not speak for the profile, or, where a request is about all of them, for all.",
        "Use a credential that names the profile, or `*`.";
    FOREIGN_ORIGIN: "foreign-origin", 403, "Not for pages of this origin", [],
        "A browser says that the request comes from a page of an origin that may not ask.",
        "Have the operator list the page's origin in `http.cors_origins`.";
    MISDIRECTED: "misdirected", 421, "Not this node's name", [],
        "The request's `Host` is no name of this node, as in an attack by a name that leads here.",
        "Ask by a name of the loopback, or have the operator list yours in `http.allowed_hosts`.";
    TOO_MANY_REQUESTS: "too-many-requests", 429, "Too many requests", ["policy"],
        "There were more requests than a rate allows; `policy` says which rate, `RateLimit-Policy` how high it is.",
        "Wait as long as `Retry-After` says, then send the same again.";
    TOO_MANY_CONTENTS: "too-many-contents", 403, "Too many titles in this profile", ["most"],
        "The profile has as many titles as it may, and the request would begin another.",
        "Erase titles, or have the operator allow more. Titles that the profile has go on as before.";
    NO_SUCH_PATH: "no-such-path", 404, "No such path", [],
        "There is nothing at this path.",
        "Mend the path. Ids in it are percent-encoded.";
    NO_SUCH_METHOD: "no-such-method", 405, "No such method", [],
        "The path takes other methods.",
        "Use one that the header `Allow` names.";
    MEDIA_TYPE: "media-type", 415, "Wrong type of body", [],
        "The body's `Content-Type` is not one that is taken here.",
        "Send one of those that `detail` names.";
    BODY_TOO_LARGE: "body-too-large", 413, "Body too large", [],
        "The body has more bytes than a request may bring.",
        "Send it in parts.";
    TOO_MANY_HEARTBEATS: "too-many-heartbeats", 413, "Too many heartbeats", [],
        "The request has more heartbeats than one may bring. None of them was taken.",
        "Send them in parts.";
    BODY_TOO_SLOW: "body-too-slow", 408, "Body too slow", [],
        "The body did not come in time. Nothing of it was taken.",
        "Send it again, in smaller parts on a slow link.";
    BODY_UNREADABLE: "body-unreadable", 400, "Body unreadable", [],
        "The body ended early, or was not framed as HTTP wants it. Nothing of it was taken.",
        "Send it again.";
    NOT_JSON: "not-json", 400, "Not JSON", [],
        "The body is not JSON, or not a JSON object where one is wanted.",
        "Mend the body; the same will not be taken later.";
    INVALID: "invalid", 422, "Invalid value", ["field"],
        "A member of the body, a part of the path or a value of the query is missing or wrong; `field` names it.",
        "Mend what `field` names, as `detail` says; the same will not be taken later.";
    OUT_OF_ORDER: "out-of-order", 422, "Samples out of order", ["index", "field"],
        "Under one token a sample's `seq` or `elapsed_ms` is below that of the one before it. Nothing was taken.",
        "Send samples in the order in which they were taken; `index` is the first that is not.";
    BAD_TOKEN: "bad-token", 401, "Not a token of this cluster", [],
        "The session's token is not one that this replica set has signed.",
        "Open a session, and report under its token.";
    TOKEN_EXPIRED: "token-expired", 401, "Token expired", [],
        "The sample was taken after the last moment of its session's token.",
        "Open a session, and report under its token.";
    UNKNOWN_EPOCH: "unknown-epoch", 503, "A token from the future", [],
        "The token was signed on a day that has not come at this node: one of the clocks is wrong.",
        "Send the same again later, or to another node.";
    NOT_THE_TOKENS: "not-the-tokens", 422, "Not what the token says", ["field"],
        "A report says another profile, content or session than its token does.",
        "Say what the token says, or leave `field` out.";
    NO_RIGHT: "no-right", 403, "No right to report", [],
        "The token was given to whoever may only read.",
        "Open a session with a credential that has the scope `play`.";
    ERASED: "erased", 410, "Erased", [],
        "What was reported, or the session that reports, is older than an erasure of its title or profile.",
        "Drop it. If the viewer goes on, open a session: it begins afresh.";
    CLOCK_RUNS_WILD: "clock-runs-wild", 409, "The player's clock runs wild", ["token", "anchor_ms"],
        "The player has counted more time than has gone by since its token was signed.",
        "Drop the sample and count anew, from 0, under the `token` that comes with this.";
    COUNTS_WRONGLY: "counts-wrongly", 422, "Counts more than goes by", [],
        "A device that was offline has counted more time than has gone by, and no token makes that right.",
        "Report without a token: such a report is dated by its arrival.";
    BEYOND_2200: "beyond-2200", 422, "Dated beyond 2200", [],
        "The sample's time is beyond the year 2200, which no clock that works says.",
        "Drop it.";
    TOO_OLD: "too-old", 422, "Too old", [],
        "The sample is older than a device may be offline, 90 days.",
        "Drop it.";
    NO_RESUME_POINT: "no-resume-point", 404, "No resume point",
        ["token", "anchor_ms", "watched", "plays", "stale", "explanation"],
        "Nobody has left a place in the title. It may be watched all the same, as `watched` and `plays` say.",
        "Begin at 0, and report under the `token` that comes with this.";
    PRECONDITION_FAILED: "precondition-failed", 412, "Not what was expected", ["etag"],
        "What stands is not what `If-Match` or `If-None-Match` say. Nothing was done.",
        "Read what stands, whose tag is in `etag` where there is anything, and decide again.";
    UNKNOWN_DOT: "unknown-dot", 404, "Unknown write", [],
        "This node has not heard of such a write.",
        "Ask again later, or ask the node that took it.";
    NO_SUCH_PLACE: "no-such-place", 404, "No such place", [],
        "No session of this name has a place in the title, or none any more.",
        "Ask which places there are.";
    NO_BACKUP_DIR: "no-backup-dir", 409, "No directory for backups", [],
        "The operator has not said where this node puts backups.",
        "Set `backup.dir`, and start the node again.";
    BACKUP_RUNNING: "backup-running", 409, "A backup is being made", [],
        "A node makes one backup at a time.",
        "Ask again when it is whole.";
    CURSOR_GONE: "cursor-gone", 410, "Cursor gone", [],
        "What lies behind the cursor cannot be told apart any more.",
        "Begin again without a cursor.";
    FULL: "full", 503, "Too much to do", [],
        "The node has as many writes, or streams, in hand as it may. Nothing was done.",
        "Send the same again after `Retry-After`, here or to another node.";
    NOT_READY: "not-ready", 503, "Not ready", [],
        "The node is starting or leaving, and takes no requests.",
        "Ask another node.";
    CATCHING_UP: "catching-up", 503, "Not caught up yet", ["readiness"],
        "The node does not know yet what its peers know; `readiness` says what it waits for.",
        "Ask another node, or this one after `Retry-After`.";
    CLOCK_UNSYNCED: "clock-unsynced", 503, "Clock wrong", ["off_ms"],
        "The node's clock is not that of its peers, who agree: it is off by `off_ms`. It answers questions, and takes no writes.",
        "Send it to another node. The operator sets the clock.";
    DISK_FULL: "disk-full", 503, "Disk full", [],
        "There is no room on the node's disk but a reserve. It answers questions and takes erasures, and no other writes.",
        "Send it to another node. The operator makes room; nothing has to be started again.";
    UNKNOWN: "unknown", 503, "Unknown whether it stands", [],
        "No answer came in time: what was sent may or may not stand.",
        "Send the same again, to any node. A report that stands already changes nothing.";
    STORE: "store", 503, "The store failed", [],
        "The node cannot read what it has stored.",
        "Ask another node. The operator finds the reason in this node's log.";
    INTERNAL: "internal", 500, "A fault of this node", [],
        "The node has met a state that it holds to be impossible.",
        "Tell us, with the node's log.";
}
