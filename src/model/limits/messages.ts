// What one message or one file may hold. A receiver checks the size before it parses, so that
// nobody's message can fill this node's memory or keep its only thread busy.

import { KiB, MiB } from './multiples.ts'

export const messageLimits = {
  /**
   * The largest content-addressed object: a revision, a manifest, a metainfo, a small payload. The
   * revision of 10,000 packages fits; an object is held in memory whole, so it cannot be much
   * larger.
   */
  objectMaxBytes: 16 * MiB,
  /** One file of TUF metadata. It grows with key rotations only; more than this is an attack. */
  tufFileMaxBytes: 2 * MiB,
  /** An announce or a handout. `announceSwarmsMax` swarms fit. */
  announceMaxBytes: 2 * MiB,
  /** Swarms in one announce. Each takes memory in the tracker, for each child. */
  announceSwarmsMax: 20_000,
  /**
   * Commas, colons and brackets in an announce or a handout. Each becomes an object or a field, so
   * a message of marks alone costs many times more to parse than its bytes suggest. Room for
   * `announceSwarmsMax` swarms.
   */
  announceMarksMax: 200_000,
  /** The same marks in a batch of reports, around `reportBatchMax` envelopes. */
  reportBatchMarksMax: 20_000,
  /**
   * The same marks in the report inside an envelope. Room for all the lists that a report may hold.
   */
  reportMarksMax: 100_000,
  /**
   * The same marks in a manifest. Its dependency clauses and what it provides need the most of
   * them.
   */
  manifestMarksMax: 10_000,
  /** The same marks in any other message between nodes. Those are small. */
  messageMarksMax: 1_000,
  /**
   * An enrolment request. A certificate request and an envelope fit; strangers with a token send
   * it.
   */
  enrolMaxBytes: 16 * KiB,
  /** A request on the local socket. A person's command fits many times over. */
  localRequestMaxBytes: 1 * MiB,
  /**
   * An answer on the local socket. `banyan nodes --json` of a whole fleet has to fit. The daemon is
   * trusted; this only keeps a broken one from filling the memory of the command.
   */
  localReplyMaxBytes: 256 * MiB,
  /**
   * node.yaml, and a configuration file of a package manager. People write them; more is a mistake.
   */
  settingsMaxBytes: 256 * KiB,
  /**
   * How deep a YAML file nests. People stay below ten; the reader recurses, so some limit is
   * needed.
   */
  yamlDepthMax: 32,
  /**
   * Values in a YAML file, each alias counted as often as it is used: ten short lines can mean
   * billions.
   */
  yamlValuesMax: 500_000,
  /** Labels of one node. They are in every report. */
  labelsMax: 64,
  /** A line of text in a message: a name, a summary, a reason. Longer lines fit no screen. */
  textMaxChars: 512,
  /** One line of an answer that a command shows. A join string is the longest that is meant to be. */
  shownLineMaxChars: 8 * KiB,
  /** The value of one field of a log line. What a program printed may end up in it. */
  logValueMaxChars: 2_048,
}
