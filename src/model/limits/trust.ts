// How long signatures and certificates hold, and what is remembered of them.

import { day, hour, KiB, MiB, minute } from './multiples.ts'

export const trustLimits = {
  /**
   * How long a timestamp holds, unless node.yaml has `timestampLifetime`. Longer: somebody in
   * between can keep news from a node for longer. Shorter: a root that is down makes the whole
   * fleet stale sooner.
   */
  timestampLifetimeMs: 1 * day,
  /**
   * The root signs a new timestamp after this time, or after a quarter of the lifetime if that is
   * shorter.
   */
  timestampRenewAfterMs: 6 * hour,
  /** How long a snapshot holds. The timestamp names it, so its own end hardly matters. */
  snapshotLifetimeMs: 365 * day,
  /** How long targets metadata hold. As for the snapshot. */
  targetsLifetimeMs: 365 * day,
  /**
   * How long the root metadata and the fleet's authority hold. A fleet whose root has expired
   * cannot be mended from afar.
   */
  rootLifetimeMs: 3650 * day,
  /**
   * How long a node's certificate holds. It is renewed when a third is left, so a node that is off for
   * 20 days misses nothing. After its end it opens its own renewal, and nothing else.
   */
  certificateLifetimeMs: 60 * day,
  /** A certificate begins this much before it is made, for machines whose clocks are behind. */
  certificateBackdateMs: 5 * minute,
  /**
   * A jump of the root's clock beyond this is not signed before children or a person agree with it.
   * A day is as long as a timestamp lives: less does no harm that the next timestamp does not mend.
   */
  clockJumpMaxMs: 1 * day,
  /** A child's clock agrees with the root's if they are at most this far apart. */
  clockVoiceSlackMs: 1 * hour,
  /**
   * A restored root skips at most this many versions: far more than a fleet signs in its life, and
   * far below the largest number, which a lying child might name.
   */
  recoverJumpMax: 1_000_000,
  /** Children whose clocks a root remembers: enough for a majority that one child cannot sway. */
  clockVoicesMax: 256,
  /** A child that has not called for this long has no voice: each asks for news every minute. */
  clockVoiceMs: 10 * minute,
  /** So many children have to agree with a jump of the root's clock, in a fleet that has them. */
  clockVoicesAimed: 2,
  /** Nodes that may join with one token. */
  tokenUsesMax: 100_000,
  /** A token's text. The certificates in it and `tokenParentsMax` URLs fit; people copy it. */
  tokenMaxChars: 8 * KiB,
  /** Parents that a token names. */
  tokenParentsMax: 16,
  /**
   * A token that has expired is remembered for this long, so that a late machine is told why it is
   * refused.
   */
  tokenRememberedMs: 7 * day,
  /**
   * How far the time in a renewal may be from ours. Clocks of machines without network are far off.
   */
  renewalSkewMs: 1 * day,
  /** A node that renews again within this time gets the same certificate. */
  renewalEveryMs: 1 * hour,
  /**
   * A connection of a node whose certificate has ended. One renewal through a chain of staging
   * servers takes less.
   */
  renewalConnectionMs: 2 * minute,
  /** Connections at once of a node whose certificate has ended: one renewal, and one that hangs. */
  renewalConnectionsMax: 2,
  /**
   * Nodes that a person revoked, of which all nodes know: the newest. A statement has 250 bytes. The root
   * says no to one more as long as the certificate of the oldest may hold.
   */
  revocationsKept: 1_024,
  /**
   * Replaced keys, of which all nodes know: one in fifty machines of a fleet of 100,000 reinstalled
   * within the life of a certificate.
   */
  replacementsKept: 2_048,
  /** How long a key has to be turned away: its certificate may be new, and its reports may come late. */
  revocationNeededMs: 67 * day,
  /** JSON marks in a message of all of them. */
  revocationMarksMax: 65_536,
  /** Statements that a node sends in one message: that of a day with many reinstalled machines. */
  revocationsSentMax: 64,
  /** And for one answer of the parent, about one minute: a parent may forget them on purpose. */
  revocationsPerExchangeMax: 512,
  /** The bytes of one message. */
  revocationsMaxBytes: 32 * KiB,
  /** Buckets of revocations in one answer: a sixteenth of all, some 50 KB and 20 ms of signatures. */
  revocationBucketsPerAskMax: 16,
  /** Such an answer, of keys that are spread unevenly. */
  revocationsAnswerMaxBytes: 512 * KiB,
  /** The digests of all buckets. */
  revocationDigestsMaxBytes: 4 * KiB,
  /** Keys that a name's record keeps until they are turned away: as many tries may fail on a full disk. */
  formerKeysMax: 8,
  /**
   * A restored root enters nobody again before this time: each child asks for news about every minute,
   * so all that are there have said by then what they know of revocations.
   */
  revokedVoicesWaitMs: 3 * minute,
  /** How long `banyan join --again` waits for the daemon to come back with its new identity. */
  identityTakenMs: 1 * minute,
  /** And how often it asks. */
  identityAskMs: 250,
  /** Renewals that the root remembers for that. A fleet of 100,000 makes a hundred in an hour. */
  renewalsKept: 1_024,
  /**
   * A report's signature is accepted for this long after its certificate has ended: the report may
   * have waited in an outbox, and a node with an expired certificate has to be able to report that.
   */
  lateEnvelopeMs: 7 * day,
  /** Root rotations that one refresh follows. A node that was off for years still finds its way. */
  rootRotationsMax: 256,
  /**
   * Versions of each metadata file that a node gives out: a child may be reading an earlier
   * timestamp.
   */
  metadataVersionsKept: 4,
  /** The metadata that a child trusts, in one body: a few versions of four files of some KB. */
  metadataSetMaxBytes: 1 * MiB,
  /** Files in that body: `metadataVersionsKept` of each role, and every root so far. */
  metadataSetFilesMax: 64,
  /** A child is asked for the metadata that it trusts this often at most. */
  metadataAskedEveryMs: 1 * minute,
  /**
   * Certificates whose reading is remembered: those of the children that call, in about half a
   * megabyte.
   */
  identitiesKeptMax: 1_024,
}
