// The process itself and what it does with its machine: stopping, programs, disk.

import { day, KiB, MiB, minute, second } from './multiples.ts'

export const machineLimits = {
  /** Log lines of one kind that one node can cause within `linesEveryMs`. The first ones say it. */
  linesOfSenderMax: 5,
  /** Log lines of one kind that all nodes together can cause within `linesEveryMs`. */
  linesOfKindMax: 100,
  /** That time. What goes on for longer is logged again. */
  linesEveryMs: 15 * minute,
  /** Senders whose lines are counted. */
  lineSendersKept: 4_096,
  /**
   * The daemon stops within this time, and its servers within parts of it. systemd kills after 90
   * s.
   */
  stopMs: 5 * second,
  /** One call of systemd-notify. */
  notifyTimeoutMs: 5 * second,
  /** A program that was asked to end (TERM) is killed after this time. */
  killAfterTermMs: 5 * second,
  /**
   * The output of a program is read this long after its end: a process that it left may hold the
   * pipe open.
   */
  outputDrainMs: 500,
  /** The last bytes of a program's output that are kept. The error is at the end. */
  outputKeptBytes: 16 * KiB,
  /**
   * The file that a program prints into starts over beyond this size. The file may be in memory
   * (/dev/shm).
   */
  outputFileMaxBytes: 64 * MiB,
  /** How often the size of that file is looked at. */
  outputFileLookMs: 1 * second,
  /**
   * How often the daemon looks for such files that services hold after their starter has ended. The
   * look reads two links for each process.
   */
  leftOutputLookMs: 30 * second,
  /** The program that collects facts. It asks hardware, which may hang. */
  factsTimeoutMs: 15 * second,
  /**
   * Free bytes that a store which met a full disk needs before it is opened again. Opening writes a
   * new log.
   */
  storeRepairBytes: 4 * MiB,
  /** Repairs of a database that may end the process before it counts as lost. */
  storeRepairsMax: 3,
  /** How often a running daemon rebuilds its database. More often, the disk itself fails. */
  storeRebuildsMax: 3,
  /** A database of at most so many bytes is read as a whole by the doctor: a second or two. */
  storeExaminedBytes: 256 * MiB,
  /** How long a node tells that its database was damaged: over a weekend and a few days. */
  databaseToldMs: 7 * day,
  /** A file of the second copy. Records of 10,000 packages have 4 MiB. */
  keptFileMaxBytes: 64 * MiB,
  /**
   * Written to find out whether a disk takes anything: as much as a report and its counter need. A
   * single byte would fit on a disk where no report does.
   */
  diskProbeBytes: 64 * KiB,
  /** Bytes of the disk that payloads leave free, unless node.yaml has `diskReserve`. */
  diskReserveBytes: 64 * MiB,
  /**
   * Revisions whose payloads are not evicted: the one in force and those before it, for a rollback.
   */
  revisionsKept: 3,
}
