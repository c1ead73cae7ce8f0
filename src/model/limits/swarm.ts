// The engine process: connections ("wires") between peers, pieces, rates, bans.

import { day, hour, KiB, MiB, minute, second } from './multiples.ts'

export const swarmLimits = {
  /**
   * One request for a part of a piece. Larger blocks cost less work each; a wire takes up to 128
   * KiB.
   */
  blockBytes: 64 * KiB,
  /** What a wire is asked for ahead before its speed is known. */
  pipelineFirstBytes: 512 * KiB,
  /**
   * The least that a wire is asked for ahead. Less leaves the wire idle for a round trip after each
   * block.
   */
  pipelineMinBytes: 256 * KiB,
  /**
   * The most that a wire is asked for ahead; between the two it is what it delivers in a second.
   * More would be bound to one slow peer, and nobody else would be asked for it.
   */
  pipelineMaxBytes: 4 * MiB,
  /**
   * Answers on one wire that its other end has not taken yet. They are in memory, for each of many
   * wires.
   */
  wireBufferedBytes: 128 * KiB,
  /**
   * Payload that the engine keeps in memory after it was written or read. Several peers ask for the
   * same pieces.
   */
  pieceMemoryBytes: 24 * MiB,
  /** What is read from disk at once. One long read is cheaper than many; pieces may be shorter. */
  pieceSpanBytes: 1 * MiB,
  /** Requests of one peer that wait. A peer with more breaks the rules and is hung up on. */
  wireRequestsMax: 1_024,
  /** The first new piece is announced to peers at once, the next ones together after this time. */
  newsGatheredMs: 50,
  /**
   * Blocks asked of one peer that may still come although they were cancelled. Many pipelines' worth.
   */
  wireAskedKept: 8_192,
  /**
   * Messages on one wire that bring nobody anything: keep-alives, chokes without end, answers to what
   * was not asked. After more at once, the peer is hung up on. A client that ends a transfer cancels
   * hundreds of requests, which count as a few.
   */
  wireIdleMessagesMax: 256,
  /** So many more in each minute. Our own sign of life comes twelve times in a minute. */
  wireIdleMessagesPerMinute: 60,
  /**
   * One more for so many bytes of blocks, either way. One of the ordinary clients says with each
   * block that it chokes us and wants nothing.
   */
  wireIdleMessageEarnedBytes: 4 * KiB,
  /**
   * A node that takes nothing of a payload that is whole here is hung up on after this time; at the
   * latest after twice as long. It costs the engine's memory, and a new call costs a handshake.
   */
  wireIdleMs: 2 * minute,
  /**
   * An engine that takes more memory than this ends, and the next one starts. A transfer of a
   * gigabyte takes a fifth of it (docs/benchmarks.md); the machine has its own work.
   */
  engineMemoryMaxBytes: 1024 * MiB,
  /** A program that only looks whether the engine could run as another user has this long. */
  confinementTryMs: 10 * second,
  /** The list of this machine's accounts. */
  accountsMaxBytes: 4 * MiB,
  /** How often the engine looks at its memory. */
  engineMemoryLookMs: 2 * second,
  /** Requests that a peer may refuse although it has the piece. After more, it is hung up on. */
  wireRejectsMax: 64,
  /**
   * One BitTorrent message. A block is the largest one; the bit field of `payloadMaxBytes` is
   * smaller.
   */
  wireMessageMaxBytes: 256 * KiB,
  /** All that waits to be sent on one wire. A peer that does not take it is hung up on. */
  wireQueuedMaxBytes: 512 * KiB,
  /** The extended handshake (BEP 10) of a peer. */
  wireHandshakeMaxBytes: 4 * KiB,
  /** The site's name in it. */
  wireSiteMaxBytes: 256,
  /**
   * Callers of one holding. Peers that this node dials have room beside them: a parent full of
   * callers still has to take from its own parent.
   */
  callersPerHoldingMax: 512,
  /** Wires of the whole engine. Each takes a file descriptor and some tens of kilobytes. */
  wiresMax: 4_096,
  /** The part of them that callers never get, so that this node can always dial. */
  wiresKeptForDials: 256,
  /** A TLS and a BitTorrent handshake have to be through within this time. */
  swarmHandshakeMs: 10 * second,
  /** Callers of one address in the engine. A whole site may be behind one address. */
  wiresPerAddressMax: 1_024,
  /** Callers of one address whose handshake is under way. Nothing is known of them yet. */
  handshakesPerAddressMax: 256,
  /** Connections that wait to be passed to the engine. */
  pendingSocketsMax: 256,
  /** Connections of one address among them. */
  pendingPerAddressMax: 128,
  /**
   * After this many strangers in a row, an address has no engine started or kept for it for a
   * while.
   */
  strangersInARowMax: 3,
  /** That while. A node behind the same address ends it sooner, by calling. */
  strangerDoubtedMs: 1 * minute,
  /**
   * Addresses of which it is known who called last. Anybody can call, so there has to be an end.
   */
  callersKnownMax: 1_024,
  /**
   * The machine of a sibling at the same site has to take the connection within this time. It is near,
   * and others wait for what becomes of the dial; a lost packet is sent again after one second.
   */
  siblingConnectMs: 2 * second,
  /** The next address of a peer is dialled this long after the one before, unless that has failed. */
  nextPlaceMs: 250,
  /** Dials under way in the whole engine. More handshakes at once make each of them slower. */
  dialsMax: 16,
  /**
   * After this many failures in a row nothing is kept open for a peer, and a sibling is dialled
   * seldom.
   */
  dialsInVainMax: 12,
  /**
   * The longest wait between dials of such a sibling. A parent is always dialled within
   * `retryCeilingMs`.
   */
  siblingRetryCeilingMs: 10 * minute,
  /** A caller that names a holding which is not open yet waits this long for it. */
  callerWaitMs: 5 * second,
  /**
   * A caller that names a payload which is unknown here waits this long: the manifest may be on its
   * way.
   */
  unknownCallerWaitMs: 1 * second,
  /** Callers of one node that wait. A node has few transfers that begin at the same moment. */
  waitingPerNodeMax: 32,

  /**
   * The engine ends after this time without anything to do. Keeping it costs memory, starting it a
   * second of CPU.
   */
  engineIdleMs: 30 * second,
  /**
   * The engine has to be ready within this time. A slow machine loads its code from a slow disk.
   */
  engineStartMs: 20 * second,
  /**
   * An engine that was asked to stop is killed after this time. Far below `stopMs`, which the
   * daemon has in all.
   */
  engineStopMs: 1_500,
  /** The last reports of an engine may arrive this long after its process has ended. */
  engineFarewellMs: 1 * second,
  /**
   * Lines of an engine's output that are logged in a minute. One that fails in a loop must not fill
   * the log.
   */
  engineLinesPerMinuteMax: 20,
  /** A complete holding without wires stays open this long: the next caller often follows soon. */
  holdingIdleMs: 2 * second,
  /**
   * How often written pieces are synced to disk and their bits recorded. A power cut costs what was
   * not yet recorded. More often costs the disk; what a killed engine wrote is found again by its
   * digests.
   */
  pieceDurableEveryMs: 250,
  /** How often the engine reports the bytes that came and went. */
  countersEveryMs: 500,
  /** Payloads of which it is known who sent their bytes. The engine has fewer open at once. */
  receiptsKept: 1_000,
  /** Senders of one payload that are known. Twice what a handout names. */
  receiptsSendersKept: 100,
  /**
   * How often the choice of pieces is looked at without an event, for peers that have become slow.
   */
  pickAgainEveryMs: 250,
  /** A transfer counts as waiting after this time without a peer that has what is missing. */
  nobodyHasMs: 15 * second,

  /**
   * How long a rate that was not used up lasts: what may then pass at once. Longer bursts fill a
   * link's queues.
   */
  burstS: 0.25,
  /**
   * Of a rate, or of foreground's speed, what background gets in any case. With 0 it could starve.
   */
  backgroundShare: 0.05,
  /** The least that background gets. */
  backgroundMinBytesPerSecond: 16 * KiB,
  /** Where no rate is set, background passes freely once foreground has rested for this long. */
  foregroundQuietMs: 1 * second,
  /** How often foreground's speed is measured. */
  meterLookMs: 1 * second,
  /**
   * How often the machine is asked for its load and its power supply, by which giving is allowed.
   */
  uploadFactsLookMs: 30 * second,
  /**
   * Peers at the own site have this long to give what would otherwise cross a link. Shorter: bytes
   * cross the link twice. Longer: a site with a stuck peer waits.
   */
  nearPatienceMs: 5 * second,
  /**
   * A wire is not judged by its speed before it was at work for this long: the first bytes come
   * late.
   */
  slowAfterMs: 1 * second,
  /** A peer that was asked and sends nothing at all for this long is hung up on. */
  wireSilentMs: 20 * second,
  /** A sibling that was hung up on for its silence is left alone for this long. */
  silentRestMs: 1 * minute,
  /**
   * A peer that keeps others waiting sends a sign of life this often. Well below `wireSilentMs`.
   */
  stillHereMs: 5 * second,
  /**
   * A payload's digest that was begun longer ago than this is taken anew before the payload gets its
   * name. Shorter: a large payload is read twice. Longer: more time for the disk to change below it.
   */
  digestFreshMs: 10 * minute,
  /** How often each whole payload is read from the disk, where nobody says otherwise. */
  scrubEveryMs: 30 * day,
  /** When a node looks for payloads to read for the first time, with the start behind it. */
  scrubFirstMs: 10 * minute,
  /** How often it looks again while none is due. */
  scrubLookMs: 1 * hour,
  /** How fast a payload is read in the background. 100 GB take two hours. */
  scrubBytesPerSecond: 16 * MiB,
  /** The programs that give a check its place behind all others have to be through within this time. */
  checkHelpMs: 10 * second,
  /** Damage of the disk is told for this long after the last of it. */
  damageToldMs: 7 * day,
  /** Pieces of one holding that are checked at once because peers got them wrong. */
  doubtsMax: 16,
  /**
   * Words of one node about wrong pieces that are heard at once, over all its wires and of all
   * payloads. Less than `doubtsMax`: a liar leaves room for others. A disk with more wrong pieces is
   * found by the check of the whole payload that follows the first.
   */
  doubtsPerNodeMax: 8,
  /** One more word of the node is heard after each such time. */
  doubtsPerNodeEveryMs: 10 * second,
  /** A piece that was found right is not checked again for a peer within this time. */
  doubtAgainMs: 10 * second,
  /**
   * Wrong pieces of one peer, each told and conceded. A disk with more of them is found by the check
   * of the whole payload that follows the first; a peer with more breaks the rules.
   */
  wrongPiecesMax: 16,
  /**
   * A peer that gave a wrong piece is kept out of the swarm for this long, twice as long each
   * further time.
   */
  banFirstMs: 5 * minute,
  /** The longest such ban. A machine with broken memory gets repaired some day. */
  banCeilingMs: 6 * hour,
  /** Banned peers that each swarm remembers. */
  bannedKnownMax: 1_024,
  /** Strangers' addresses that are logged within `strangerToldEveryMs`. */
  strangersToldMax: 64,
  /** A stranger's address is logged again after this time at the earliest. */
  strangerToldEveryMs: 1 * minute,
  /** The longest wait until a holding that failed is opened again. It starts at `failedRetryMs`. */
  failedRetryCeilingMs: 60 * minute,

  /** Wires to ordinary clients. Each takes from what the fleet's own peers could get. */
  plainWiresMax: 64,
  /** Wires to ordinary clients of one address. */
  plainWiresPerAddressMax: 16,
  /**
   * Ordinary clients whose connection waits for the engine, beside the fleet's own
   * (`pendingSocketsMax`).
   */
  plainPendingMax: 64,
  /** Ordinary clients of one address among them. */
  plainPendingPerAddressMax: 16,
  /**
   * An ordinary client that asks for nothing for this long is hung up on. BitTorrent's own
   * keep-alive is two minutes.
   */
  plainIdleMs: 2 * minute,
  /** One that rests for this long loses its place where there are no more places. */
  plainRestMs: 5 * second,
}
