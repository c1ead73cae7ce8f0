// Calls between nodes over HTTPS: waits, retries, connections, and the bytes that are under way.

import { hour, KiB, MiB, minute, second } from './multiples.ts'

export const controlLimits = {
  /**
   * The parent answers a watch without news after this time. Longer: routers on the way forget a
   * silent connection, many of them after a minute. Shorter: more calls for nothing.
   */
  watchHangMs: 55 * second,
  /** After a fall back to another parent, the first one is tried again after this time. */
  parentReturnMs: 10 * minute,
  /**
   * A node looks at the age of its certificate at least this often; its clock may have been wrong.
   */
  renewalLookMs: 24 * hour,
  /** A load that failed (revision, manifest, object) is tried again after this time. */
  loadRetryMs: 5 * second,
  /**
   * After its parent gave it something forged, a node looks at the next parent after this time.
   * Shorter: where all parents lie, it asks without end. Longer: one liar delays every child.
   */
  turnedAwayLookMs: 5 * second,
  /**
   * A call's answer has to begin within this time, and then to go on: there is no limit on the whole
   * of an answer that makes progress, as a megabyte takes an hour over a link that many share.
   */
  requestTimeoutMs: 30 * second,
  /** Answers 1xx before the answer. Nodes send none; a program between them may send one or two. */
  informationMax: 8,
  /**
   * The least that has to come within `requestTimeoutMs`. 32 kbit/s that 20 nodes share are 6 KiB for
   * each of them; less is a caller that takes its answer in drops.
   */
  progressBytes: 1 * KiB,
  /**
   * A request larger than `httpFreeAnswerBytes` gets longer, down to this speed: it lies in the
   * buffers of the operating system, where its progress cannot be seen.
   */
  slowestBytesPerSecond: 8 * KiB,
  /** The longest of that time, whatever the size. */
  sendingMaxMs: 3 * minute,
  /**
   * A caller has to take `httpFreeAnswerBytes` of its answer, which the operating system takes at
   * once, within this time: 32 kbit/s that 20 nodes share need nearly as long.
   */
  takingMaxMs: 6 * minute,
  /** Unfinished answers that are kept, to be gone on with where they were cut off. */
  unfinishedObjectsMax: 16,
  /** Their bytes together: one object of the largest size, and some small ones. */
  unfinishedObjectsBytes: 24 * MiB,
  /**
   * A node that itself waits for an object tells the asking one so after this time, well within
   * `requestTimeoutMs`, and is asked again: that is its sign of life.
   */
  objectComingMs: 15 * second,
  /**
   * A connection, with its TLS handshake, has to stand within this time. Two lost packets cost
   * three seconds.
   */
  connectTimeoutMs: 10 * second,
  /**
   * An idle connection is closed after this time. It outlasts `watchHangMs`, so a watching child
   * keeps its connection and spares both ends a TLS handshake.
   */
  keepAliveMs: 75 * second,
  /** After this much silence TCP asks the other end whether it is still there. */
  keepAliveProbeMs: 15 * second,
  /**
   * After a body was refused, the connection stays open for this long, so that the caller can read
   * the refusal: closing at once would reset the connection and lose the answer.
   */
  refusedBodyLingerMs: 1 * second,
  /** The first wait of a back-off. Each further failure doubles the wait. */
  retryFirstMs: 500,
  /**
   * The longest wait of a back-off. When the other end returns, its callers are back within this
   * time.
   */
  retryCeilingMs: 1 * minute,
  /**
   * A busy parent asks its callers to return after one to this many seconds, so that they do not
   * return together.
   */
  retryAfterMaxS: 8,
  /**
   * A caller's handshake has to be through within this time. A thin link needs a second; a caller
   * who says nothing holds a place for as long.
   */
  handshakeMs: 5 * second,
  /** Callers whose handshake is under way. Each takes a file descriptor, and nobody knows them yet. */
  handshakesMax: 1_024,
  /** The part of them for addresses from which nodes have called. */
  handshakesOfKnownKept: 512,
  /** Such callers of one address. The children of a site behind one address return together. */
  handshakesOfAddressMax: 256,
  /** Such callers of one /24 or /64. */
  handshakesOfNetworkMax: 256,
  /** Addresses of which it is known that a node has called from there. */
  addressesKnownMax: 8_192,
  /** Connections of nodes at one port. Each takes a file descriptor of the process. */
  connectionsMax: 4_096,
  /**
   * Connections of machines that join, beside those of nodes. A whole site may join at once, each by
   * one short request.
   */
  joiningConnectionsMax: 512,
  /** The same of nodes whose certificates have ended. Each is for one renewal. */
  endedConnectionsMax: 64,
  /** Calls of guests that are passed on at once. Other connections to the parent stay free for nodes. */
  guestCallsAtOnceMax: 4,
  /** Calls of one guest that wait for that. A token is used by many machines behind one address. */
  guestCallsWaitingOfOneMax: 128,
  /** Connections from one address. A whole site may be behind one address. */
  connectionsPerAddressMax: 1_024,
  /**
   * Connections of one node, whatever its certificates. More than `connectionsToOneMax`: after a
   * break in the network the old connections still count for a while.
   */
  connectionsPerNodeMax: 16,
  /** Calls of one kind of one node that wait for their turn. A node makes one at a time. */
  callsWaitingOfOneMax: 8,
  /**
   * The part of this node's time that one child's announces may take in the long run. A child with
   * `announcedUnfinishedMax` swarms, which announces every two seconds, needs a twentieth.
   */
  announceShare: 0.1,
  /** What they may take at once: some announces of the largest size. */
  announceBurstMs: 1 * second,
  /** The same for report batches. A staging server of thousands has that many after a release. */
  reportsShare: 0.5,
  /** What they may take at once: those of 10,000 nodes. */
  reportsBurstMs: 10 * second,
  /** Report batches at a time, each of another node. They mostly wait for the disk. */
  reportBatchesAtOnceMax: 4,
  /** Nodes of which it is known what they have used. Twice a parent's children. */
  fairNamesKept: 8_192,
  /**
   * Requests under way on one connection. Our client sends one at a time; more is an attempt to
   * pile up work.
   */
  requestsOnConnectionMax: 2,
  /**
   * Bodies being read, and answers not yet taken, at a control port. They are in memory, and the
   * daemon has to stay small; with less, large objects go out one after the other.
   */
  httpBytesUnderwayMax: 64 * MiB,
  /** The part of them that one node may use: one object of the largest size. */
  httpBytesUnderwayOfOneMax: 16 * MiB,
  /**
   * Bodies of one node at once. As many as its connections to one parent: a staging server passes
   * on what several machines that join have sent.
   */
  bodiesOfOneMax: 8,
  /** How often `banyan join` asks a parent that is busy: a hundred machines may join at once. */
  joinTriesMax: 10,
  /** A body counts in steps of this size, as it arrives. */
  bodyStepBytes: 256 * KiB,
  /** An answer up to this size does not count: it fits into the buffers of the operating system. */
  httpFreeAnswerBytes: 64 * KiB,
  /**
   * Paths whose last answer's size a control port remembers, to wait for room before it makes the
   * answer. A forgotten path costs one more request to the handler.
   */
  httpAnswerSizesMax: 1_024,
  /**
   * The longest path among them. A list of objects as path differs each time and teaches nothing.
   */
  httpAnswerPathMaxChars: 200,
  /** Connections of one node to another. One is always taken by the watch. */
  connectionsToOneMax: 8,
  /**
   * Idle connections kept to another node. Two spare most handshakes; more would cost the parent
   * memory.
   */
  idleConnectionsToOneMax: 2,
  /**
   * TLS identities that have a pool of connections. A node has one; renewals and joining add a few.
   */
  identitiesPooledMax: 16,
  /**
   * Calls that wait for the same thing, one after the other. More are refused, to be tried later.
   */
  turnsMax: 1_000,
}
