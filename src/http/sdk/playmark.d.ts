/** A place in a title, as a node answers with it. */
export interface ResumePoint {
  profile: string;
  content: string;
  position_ms: number;
  /** Where to begin: the place, or 0 where the title is completed. */
  resume_position_ms: number;
  completed: boolean;
  watched: boolean;
  session: string;
  device?: string;
  [member: string]: unknown;
}

/** Why a place is offered. */
export type Cause = "start" | "wake" | "shown" | "unpaused" | "online" | "renewed";

export interface Options {
  profile: string;
  /** Base URLs of nodes; the one that served the module where there are none. */
  servers?: string[];
  /** A bearer token or key, or what gets a fresh one. */
  credential?: string | (() => string | Promise<string>);
  device?: string;
  /** Whether to be told what changed elsewhere while the page was away: false. */
  changes?: boolean;
  /** The name of the IndexedDB database in which unsent samples are kept: "playmark". */
  store?: string;
}

export interface AttachOptions {
  series?: string;
  incognito?: boolean;
  /** Whether to go to the place that is offered: true. */
  resume?: boolean;
}

/** What goes wrong, and what a node said to it. */
export interface Problem {
  kind: string;
  status?: number;
  detail?: string;
  [member: string]: unknown;
}

/**
 * Tells `problem` (detail: a `Problem`), `sent` (detail: `taken`) and, where it is wanted, `changed` (detail: a title as
 * it stands).
 */
export class Playmark extends EventTarget {
  constructor(options: Options);
  /** How many samples and orders no node has taken yet. */
  readonly waiting: number;
  /** The base URL of the node that is asked first. */
  readonly nearest: string;
  attach(media: HTMLMediaElement, content: string, options?: AttachOptions): Session;
  /** Marks a title as watched, or as not; offline too, and then as of when it was ordered. */
  watched(content: string, watched?: boolean): void;
  /** Takes a title out of the row until it is played again; offline too. */
  dismiss(content: string): void;
  /** Sends what waits, at once. */
  send(): Promise<void>;
}

/**
 * One load of one title. Tells `opened` (detail: `session`, `resume`) and `resume` (detail: a resume point and its
 * `cause`); the player goes to the place of a `resume` unless that is prevented.
 */
export interface Session extends EventTarget {
  /** Its id; `null` until a node has opened it, or it has begun without one. */
  readonly id: string | null;
  /** Goes to a place without taking it for the viewer's own doing. */
  goTo(position_ms: number): void;
  detach(): void;
}
