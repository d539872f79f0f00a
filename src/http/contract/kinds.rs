//! Values that come up again and again, each with the bounds that the code holds it to.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat,
        schema::{SchemaType, Type},
    },
};

use crate::{
    crdt::{CONTENT_BYTES_MAX, PROFILE_BYTES_MAX},
    http::{CHANGES_MAX, auth::Scope},
    node::{Assurance, CURSOR_CHARS_MAX},
    playback::{
        DEVICE_CHARS_MAX, ENGAGED, Event as PlayerEvent, PAGE_DEFAULT, PAGE_MAX, RATE_MAX, SERIES_BYTES_MAX,
        SPAN_MS_MAX, TIME_MS_MAX, TOKEN_CHARS_MAX, TimeQuality as Quality, slot::SESSION_BYTES_MAX,
    },
};

/// Makes a type of each row that stands for its schema.
macro_rules! kinds {
    ($($name:ident: $schema:expr, $description:literal;)*) => {
        $(
            #[doc = $description]
            pub(in crate::http) struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    $schema.description(Some($description)).into()
                }
            }

            impl ToSchema for $name {}
        )*

        /// All of them, by name.
        pub(super) fn all() -> Vec<(String, RefOr<Schema>)> {
            vec![$((stringify!($name).to_owned(), $name::schema())),*]
        }
    };
}

kinds! {
    Profile: name(PROFILE_BYTES_MAX), "Who watches: a viewer inside an account. The bound counts bytes of UTF-8.";
    Content: name(CONTENT_BYTES_MAX), "What is watched: a film, an episode, a recording. The bound counts bytes of UTF-8.";
    Session: name(SESSION_BYTES_MAX), "One load of one title on one screen: a UUID, or a text that stands for one.";
    Device: name(DEVICE_CHARS_MAX), "On what: a name that people know it by.";
    Series: name(SERIES_BYTES_MAX), "The key of the series that the title belongs to. The bound counts bytes of UTF-8.";
    Token: text(0, TOKEN_CHARS_MAX), "A session's token, as it was given. By itself it is the right to report for that session.";
    Dot: text(0, 53).pattern(Some(DOT)), "A write's identity: the life of the node that took it, and its version there.";
    Cursor: text(0, CURSOR_CHARS_MAX), "Where to go on, at any node; opaque.";
    Span: whole(0, SPAN_MS_MAX), "Milliseconds; a year at most.";
    Moment: whole(0, TIME_MS_MAX), "Milliseconds since 1970.";
    Count: whole(0, u64::from(u32::MAX)), "The session's own count of its reports and commands; it rises.";
    Rate: rate(), "The speed of play.";
    Event: one_of(numbered::<PlayerEvent>().map(PlayerEvent::as_str)), "What the player was doing.";
    TimeQuality: one_of(numbered::<Quality>().map(Quality::as_str)), "How the time of a place is known.";
    Durability: one_of(ASSURANCES.map(Assurance::as_str)), "What an acknowledgement has survived: the end of the process, a power cut, the loss of the node.";
    Scopes: one_of(Scope::ALL.map(Scope::as_str)), "What a credential allows.";
    Clock: one_of(["boot", "active"]), "By what a device counts: `boot` if it goes on while the device sleeps.";
    Recording: one_of(["on", "paused"]), "Whether what players report is kept.";
    Percent: whole(1, 100), "A share of a title's length.";
    EngagedMs: whole(u64::try_from(ENGAGED.as_millis()).unwrap_or(u64::MAX), SPAN_MS_MAX), "How long a session has played before its place may win over others.";
    Limit: whole(1, PAGE_MAX as u64).default(Some(PAGE_DEFAULT.into())), "How many titles a page has at most.";
    ChangesLimit: whole(1, CHANGES_MAX as u64).default(Some(CHANGES_MAX.into())), "How many lines a page has at most.";
    Seconds: ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)), "Whole seconds.";
    Flag: one_of(["1", "0"]), "Yes or no.";
}

/// A dot as it is written: an origin and a version.
const DOT: &str = "^[0-9a-fA-F]{32}:[0-9]{1,20}$";

/// No control characters.
const NAME: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

const ASSURANCES: [Assurance; 3] = [Assurance::Process, Assurance::Synced, Assurance::Replicated];

fn text(min: usize, max: usize) -> ObjectBuilder {
    let min = (min > 0).then_some(min);
    ObjectBuilder::new().schema_type(Type::String).min_length(min).max_length(Some(max))
}

fn name(max: usize) -> ObjectBuilder {
    text(1, max).pattern(Some(NAME))
}

fn whole(min: u64, max: u64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(exact(min)))
        .maximum(Some(exact(max)))
}

/// A bound as JSON has it; all of them are far below where that is not exact.
fn exact(bound: u64) -> i64 {
    i64::try_from(bound).expect("a bound is far below 2^53")
}

fn rate() -> ObjectBuilder {
    let number = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Number));
    number.minimum(Some(-RATE_MAX)).maximum(Some(RATE_MAX))
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names))
}

/// Everything that has a number, in their order.
fn numbered<T: TryFrom<u8>>() -> impl Iterator<Item = T> {
    (0..=u8::MAX).map_while(|number| T::try_from(number).ok())
}
