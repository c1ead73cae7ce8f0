// Inspecting and changing the machine: packages, trees, hooks, restarts, applies.

import { GiB, hour, KiB, MiB, minute, second } from './multiples.ts'

export const reconcileLimits = {
  /**
   * The machine is inspected at least this often, for drift. Each look runs the package manager.
   */
  checkIntervalMs: 15 * minute,
  /** A whole apply. It has to outlast every wait for a lock and every transaction in it. */
  applyTimeoutMs: 60 * minute,
  /**
   * Applies wait for this long for payloads that are read again, because the last apply found one
   * damaged. A large one takes longer on a slow disk, and the others are not to wait for it.
   */
  recheckMaxMs: 10 * minute,
  /** After an apply, a room or a holding that failed, the next try waits this long. */
  failedRetryMs: 1 * minute,
  /**
   * A package that failed is left alone for this long, twice as long after each further failure.
   */
  quarantineFirstMs: 2 * minute,
  /** The longest quarantine. What was repaired meanwhile is tried again within the day. */
  quarantineCeilingMs: 6 * hour,
  /** A started apply has to hold its lock within this time. */
  applyStartMs: 30 * second,
  /** Finished applies whose folders are kept for people to look at. */
  appliesKept: 3,
  /**
   * The file of a plan or of an apply's outcomes. `policyPackagesMax` packages with details fit.
   */
  planMaxBytes: 32 * MiB,
  /** The journal of an apply. It has a line for each step. */
  journalMaxBytes: 8 * MiB,
  /**
   * Programs that a killed apply left running have this long to end before they are ended. As long
   * as the longest transaction: ending a package manager in its work breaks packages. No apply
   * begins before.
   */
  leftBehindMs: 30 * minute,

  /** One question to a package manager's database. */
  packageQueryTimeoutMs: 1 * minute,
  /** One run of apt or dpkg: the wait for the package lock, unpacking, every maintainer script. */
  debTransactionTimeoutMs: 30 * minute,
  /** `dpkg --configure -a` after an interrupted run. */
  debRepairTimeoutMs: 10 * minute,
  /**
   * How long apt waits for another program that holds the package lock, such as
   * unattended-upgrades.
   */
  debLockWaitMs: 5 * minute,
  /** One run of rpm, dnf or zypper, with every scriptlet. */
  rpmTransactionTimeoutMs: 30 * minute,
  /** How long another program that holds the lock of rpm or zypper is waited for. */
  rpmLockWaitMs: 5 * minute,
  /**
   * The output of a package list or a simulation. A machine with 5,000 packages prints about 1 MiB.
   */
  packageListMaxBytes: 16 * MiB,
  /** dpkg's database. One of 5,000 packages has about 6 MiB. */
  dpkgStatusMaxBytes: 64 * MiB,
  /** What a tree's record takes for each of its files, twice while it is replaced. */
  treeRecordEntryBytes: 512,
  /** Up to this many free inodes, the files of a package are counted before it is installed. */
  freeFilesCountedMax: 200_000,
  /** One line of a tree's record: a path, a mode, a digest or a link's target, as JSON. */
  treeRecordLineMaxBytes: 64 * KiB,
  /** A hook of a tree that nobody gave a time. It runs with the package lock of banyan held. */
  hookTimeoutMs: 1 * minute,
  /** The longest time that a hook can be given, as long as a package manager's transaction has. */
  hookTimeoutMaxMs: 30 * minute,
  /**
   * Files of one package that its own scripts changed or removed. Each look compares them again.
   * Packages have been seen whose scripts remove a few thousand of their files.
   */
  baselineFilesMax: 20_000,
  /** What is remembered of those files: a path, a digest and numbers for each. */
  baselineMaxBytes: 8 * MiB,
  /**
   * Transactions of one package manager whose times are remembered, the newest. What they wrote into
   * files of other packages is no drift; a package whose own transaction comes later needs none.
   */
  transactionSpansMax: 256,
  /**
   * The files that one heal puts aside before it replaces them. A package with larger changed files
   * is left as it is: a copy of a database could fill the disk.
   */
  replacedMaxBytes: 256 * MiB,
  /** Files that one heal puts aside. */
  replacedFilesMax: 10_000,
  /** Heals of one package whose replaced files are kept, the newest. */
  replacedKept: 5,
  /** The replaced files of all packages. The oldest go first. */
  replacedTotalMaxBytes: 1 * GiB,
  /** Paths in one call of dpkg-query. Each may be long, and Linux bounds what a call can hold. */
  ownersOfOneCallMax: 250,
  /** Files that rpm is asked about one by one, for the packages that they belong to. */
  ownersAskedMax: 32,
  /** The text of a finding or of why something failed, before a report shortens it further. */
  detailMaxChars: 4_096,

  /**
   * One `systemctl try-restart`, which waits until the unit runs again. systemd's own limit is 90
   * s.
   */
  restartTimeoutMs: 5 * minute,
  /** Units whose last restart is remembered, and is in the report. */
  restartsKept: 100,
  /** Units in a report that run from files which are gone; and units that one rule restarts. */
  unitsNamedMax: 50,
  /**
   * How long it is believed which processes run from files that are gone. Looking reads all of
   * /proc.
   */
  processLookMs: 10 * minute,
}
