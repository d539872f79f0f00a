//! What headers and members mean that mean the same wherever they are.

use utoipa::openapi::{
    Header, Ref, RefOr,
    response::Response,
    schema::{ObjectBuilder, Schema, Type},
};

/// What each header of an answer says, and as which kind of value; a text, where none is named.
const HEADERS: &[(&str, Option<&str>, &str)] = &[
    ("Cursor", Some("Cursor"), "Where the next page goes on."),
    ("Dot", Some("Dot"), "The write that stands there now."),
    ("Durability", Some("Durability"), "What the acknowledgement has survived."),
    ("ETag", None, "The tag of what stands, for `If-Match` and `If-None-Match`."),
    ("Heartbeat-Interval-Ms", Some("Span"), "How often the player is asked to report."),
    ("Location", None, "Where to ask who has confirmed."),
    ("Preference-Applied", None, "That the answer has waited as `Prefer` says."),
    ("RateLimit", None, "None left, and in how many seconds one more."),
    ("RateLimit-Policy", None, "How many requests in how many seconds."),
    ("Retry-After", Some("Seconds"), "When to send the same again."),
    ("Stale", None, "That this node does not know yet all that the cursor covers."),
    ("Token", Some("Token"), "A token to report under."),
    ("WWW-Authenticate", None, "What is wanted instead."),
];

/// What each member says of which nothing is said where it is declared.
const MEMBERS: &[(&str, &str)] = &[
    ("anchor_ms", "The moment from which `elapsed_ms` counts under the token."),
    ("commands", "Commands, or what became of each, in the order of the request."),
    ("completed", "Past the credits marker or the threshold."),
    ("completed_percent", "From which share of its length on a title counts as completed."),
    ("content", "What is watched."),
    ("contents", "The contents whose places are wanted."),
    ("counter", "Which of the moment's, where there are several."),
    ("credits_ms", "Where the credits begin."),
    ("cursor", "Where to go on."),
    ("deliberate", "The viewer sought or restarted on purpose in the session."),
    ("device", "On what: a name that people know it by."),
    ("dismissed", "Taken out of the row, and not played since."),
    ("dot", "The write that stands there."),
    ("duration_ms", "How long the title is."),
    ("elapsed_ms", "From asking for the token to taking the sample."),
    ("end", "Always true: the export is whole."),
    (
        "engaged",
        "It may win over others: it has played for as long as the threshold wants, or was set on purpose.",
    ),
    ("engaged_ms", "How long a session has played before its place may win over others."),
    ("erased", "Erased, and not played since."),
    ("erasure", "By which its progress is asked for."),
    ("event", "What the player was doing."),
    ("expires_ms", "The last moment whose samples are taken under the token."),
    ("heartbeats", "Reports, each with the `token` and the `elapsed_ms` under which it was taken."),
    ("more", "There are more changes than one answer brings."),
    ("name", "The node's name."),
    ("next", "Where the next page begins; absent where nothing follows."),
    ("opened_ms", "When its session was opened."),
    ("own", "It is the node that answers."),
    ("confirmed", "It has told that it holds the erasure where a power cut cannot take it."),
    ("places", "The places, the latest first."),
    ("played_ms", "How long the session has played in all."),
    ("plays", "How many of its sessions have reached the end."),
    ("position_ms", "The playhead."),
    ("profile", "Who watches."),
    ("rate", "The speed of play."),
    ("recording", "`on`, or `paused`: nothing of what players report is kept."),
    ("region", "Where the node stands."),
    ("registers", "All that is held, as it stands."),
    ("replica", "The replica that the node holds, where it is known."),
    ("replicas", "This node, and each peer that is configured or was met."),
    ("result", "What became of it."),
    ("resume_position_ms", "Where to begin: the position, or 0 where the title is completed."),
    (
        "row",
        "`shown`, or why the title is not in the row: `not-started`, `completed`, `marked-watched`, `dismissed`.",
    ),
    ("seq", "The session's own count of its reports and commands."),
    ("series", "The key of the series that the title belongs to."),
    ("session", "One load of one title on one screen."),
    ("sessions", "Sessions, one by one."),
    ("slot", "What the register is for."),
    ("status", "The status, as the answer's own."),
    ("time_quality", "How the time is known."),
    ("titles", "The titles, or how many there were."),
    ("token", "To report under from here on."),
    ("tokens", "A token for each session, in the order of the request."),
    ("value_base64url", "What this build cannot read, as it stands."),
    ("verdict", "Why the session has won or not."),
    ("watched", "Seen, now or before."),
    ("whole_profile", "Always true: read everything of the profile anew."),
];

/// Says what the headers of an answer mean.
///
/// # Panics
/// Where an answer has a header that is not in the table.
pub(super) fn explain_headers(response: &mut RefOr<Response>) {
    let RefOr::T(response) = response else { return };
    for (name, header) in &mut response.headers {
        let found = HEADERS.iter().find(|(known, ..)| known == name);
        let &(_, kind, said) = found.unwrap_or_else(|| panic!("nothing is said of the header {name}"));
        let schema: RefOr<Schema> = match kind {
            Some(kind) => Ref::from_schema_name(kind).into(),
            None => ObjectBuilder::new().schema_type(Type::String).into(),
        };
        let mut explained = Header::new(schema);
        explained.description = Some(said.into());
        *header = RefOr::T(explained);
    }
}

/// Says what the members of a schema mean where nothing is said of them.
pub(super) fn explain_members(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Object(object) => {
            for (name, member) in &mut object.properties {
                if let (Some(said), Some((_, meaning))) =
                    (saying(member), MEMBERS.iter().find(|it| it.0 == name))
                {
                    said.get_or_insert_with(|| (*meaning).to_owned());
                }
            }
        }
        Schema::OneOf(of) => of.items.iter_mut().for_each(explain_members),
        Schema::AllOf(of) => of.items.iter_mut().for_each(explain_members),
        Schema::AnyOf(of) => of.items.iter_mut().for_each(explain_members),
        Schema::Array(_) | _ => {}
    }
}

/// What is said of a member; `None` of one whose type says it.
fn saying(member: &mut RefOr<Schema>) -> Option<&mut Option<String>> {
    let RefOr::T(schema) = member else { return None };
    match schema {
        Schema::Object(it) => Some(&mut it.description),
        Schema::Array(it) => Some(&mut it.description),
        Schema::OneOf(_) | Schema::AllOf(_) | Schema::AnyOf(_) | _ => None,
    }
}
