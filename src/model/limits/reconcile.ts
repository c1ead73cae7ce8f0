// Inspecting and changing the machine: packages, trees, hooks, restarts, applies.

import { hour, KiB, MiB, minute, second } from './multiples.ts'

export const reconcileLimits = {
  /**
   * The machine is inspected at least this often, for drift. Each look runs the package manager.
   */
  checkIntervalMs: 15 * minute,
  /** A whole apply. It has to outlast every wait for a lock and every transaction in it. */
  applyTimeoutMs: 60 * minute,
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
  /** One line of a tree's record: a path, a mode, a digest or a link's target, as JSON. */
  treeRecordLineMaxBytes: 64 * KiB,
  /** A hook of a tree. It runs with the package lock of banyan held. */
  hookTimeoutMs: 1 * minute,
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
