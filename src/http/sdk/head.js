// Makes a page remember where its viewer stopped.
//
//   import { Playmark } from "https://eu.example/sdk/playmark.js";
//   const playmark = new Playmark({ profile: "ada" });
//   playmark.attach(document.querySelector("video"), "metropolis");
//
// A session is one load of one title: it is opened at the nearest node, goes to where the profile last
// stopped, and takes a sample a second while the place moves, and at once on a pause, a seek and at the end.
// A sample keeps the line that it was taken on, a token and the time elapsed since that was asked for, however
// late it is sent and whatever token comes later: that is what makes all nodes agree. Where no token can be
// had the line has none, and is dated by what the device's clocks say once a node is there again. What no
// node has taken yet is kept in IndexedDB, so that neither an outage nor a reload loses it.
//
// Nothing here throws into the player: whatever goes wrong is an event, `problem`.

const TICK_MS = 1_000; // between samples while the place moves
const ANSWER_MS = 4_000; // for a node to answer before the next one is asked
const RETRY_MS = 1_000; // before the first retry; each later one waits twice as long
const RETRY_MAX_MS = 60_000; // and at most so long
const REST_MS = 5_000; // in which a node that failed is asked last; after each later failure twice as long
const REST_MAX_MS = 300_000; // and at most so long
const RETRY_AFTER_MAX_MS = 600_000; // for which a node can ask to be left alone
const QUEUE_MAX = 4_096; // samples kept while no node answers: more than an hour of them
const BATCH_MAX = 64; // samples a request, or orders: as many of those as a node takes
const BATCH_BYTES_MAX = 56 * 1_024; // and at most so much, within a node's 64 KiB
const SAMPLE_BYTES = 320; // what a sample takes of it beside its token
const LINES_MAX = 32; // lines that one request asks to date; with the longest names within a node's 64 KiB
const PAGES_MAX = 8; // of what has changed, heard in one go; the rest comes the next time
const BEACON_MAX = 16; // samples in the last words of a page
const DISK_MS = 1_000; // for the browser to open its database before the page goes on without
const START_OVER_MS = 1_000; // places before this are not worth a seek
const GLIMPSE_MS = 3_000; // played for less, and nothing done on purpose, a session says nothing
const SLEPT_MS = 5_000; // by which wall and monotonic clock part when the device has slept
const LONG_PAUSE_MS = 300_000; // after which somebody may have watched on elsewhere
const NEAR_S = 0.5; // how near a seek ends to where it was meant to

