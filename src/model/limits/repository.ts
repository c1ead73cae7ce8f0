// What can be published, and how payloads are cut into pieces.

import { GiB, hour, KiB, MiB, minute, second } from './multiples.ts'

export const repositoryLimits = {
  /**
   * From this size on a payload travels in a swarm; a smaller one travels as an object from parent
   * to child. Smaller payloads gain nothing from siblings: a swarm costs a metainfo, announces and
   * connections.
   */
  swarmThresholdBytes: 1 * MiB,
  /**
   * One payload. With the largest pieces its metainfo is 8,192 digests, which every node loads
   * whole.
   */
  payloadMaxBytes: 64 * GiB,
  /**
   * Files and folders of one tree. They are listed in memory, by the publisher and by every node.
   */
  treeFilesMax: 200_000,
  /**
   * A path inside a tree. Linux refuses more than 4,096 bytes, and the tree hangs below some
   * folder.
   */
  treePathMaxBytes: 2_048,
  /** A tree's description file. People write it. */
  descriptionMaxBytes: 64 * KiB,
  /** Facts that say which machines a build is for. */
  targetFactsMax: 4,
  /** Patterns of one tree's `exclude`. Every file and folder is compared with each. */
  excludeMax: 100,
  /**
   * The control part of a .deb, unpacked. It holds scripts and a checksum for each file of the
   * package.
   */
  debControlMaxBytes: 8 * MiB,
  /**
   * A package whose files have so many times the bytes that it says it takes is refused, if the
   * difference is also over `sizeLieBytes`. Builders round, and count links and folders in their
   * own ways.
   */
  sizeLieFactor: 16,
  /** What a package may always say too little. */
  sizeLieBytes: 64 * MiB,
  /** The header of an .rpm. It lists every file, so a large package has some megabytes of it. */
  rpmHeaderMaxBytes: 32 * MiB,
  /** Texts or numbers of one entry of an .rpm's header. The largest kernels provide some 20,000. */
  rpmListMax: 100_000,
  /**
   * Dependency clauses of one package. Together with what it provides they have to fit
   * `manifestMarksMax`.
   */
  dependsMax: 4_000,
  /**
   * Names that one package provides. More are left out: they matter for the check of dependencies
   * only.
   */
  providesMax: 2_000,
  /**
   * Packages that one package conflicts with, and that it replaces: so many of each. More are left
   * out. The package manager knows them all, and decides.
   */
  exclusionsMax: 500,
  /**
   * Publications that wait for their turn. They run one at a time; a full queue refuses, to be
   * tried later.
   */
  publishQueueMax: 64,
  /**
   * Resident memory of the process that reads a package. It holds headers and lists, never a
   * payload; the largest header takes some hundred megabytes.
   */
  preparingMemoryMaxBytes: 1 * GiB,
  /** How often its memory is looked at. */
  preparingLookMs: 200,
  /**
   * Reading one package, with all its copying, decompressing and hashing. The largest payload takes
   * an hour on a slow disk.
   */
  preparingTimeoutMs: 2 * hour,
  /** A process that is asked to stop is killed after this time: a read may never return. */
  preparingStopMs: 1 * second,
  /** Address space of `dpkg-deb`: the builder of a package chooses how much xz takes. */
  dpkgMemoryMaxBytes: 4 * GiB,
  /**
   * One run of `dpkg-deb`, which decompresses the whole package: large ones take minutes on a slow
   * disk.
   */
  payloadCheckTimeoutMs: 30 * minute,
  /**
   * A piece's least size. Each piece costs a digest, an fsync and a message to every peer.
   */
  pieceMinBytes: 256 * KiB,
  /**
   * A piece's largest size. A node passes a piece on only once it has the whole, and one bad block
   * costs the whole piece.
   */
  pieceMaxBytes: 8 * MiB,
  /**
   * Pieces of one payload, about. More cost messages; fewer leave peers with nothing to trade early
   * on.
   */
  piecesAimed: 1_000,
  /**
   * Metainfo of one payload. It travels as an object; `payloadMaxBytes` in pieces stays far below.
   */
  metainfoMaxBytes: 8 * MiB,
}
