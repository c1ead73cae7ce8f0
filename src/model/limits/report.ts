// What a node reports, what its ancestors keep of it, and how often it reports.

import { day, hour, KiB, MiB, minute, second } from './multiples.ts'

export const reportLimits = {
  /** Reports of one node that a parent takes at once. Many changes come together in an apply. */
  reportsOfNodeMax: 30,
  /** After them, one more in this time. The node keeps the newest until then. */
  reportOfNodeEveryMs: 2 * second,
  /** Nodes whose reports are counted. Those of which few come need no counting. */
  reportingNodesKept: 20_000,
  /**
   * One report. A parent keeps the newest report of every descendant, 100,000 of them at the root.
   */
  reportMaxBytes: 256 * KiB,
  /**
   * The problems in a report. The attacks and the facts may take as much each, the transfers twice
   * as much. What is left of `reportMaxBytes` is for the outcomes of packages, which matter most.
   */
  reportPartMaxBytes: 32 * KiB,
  /** Transfers in a report. Unfinished ones come first, so only old finished ones are left out. */
  reportTransfersMax: 200,
  /** Problems in a report. A person reads the first few. */
  reportProblemsMax: 50,
  /** Facts in a report. A machine names a few dozen; operators may add their own. */
  reportFactsMax: 500,
  /**
   * One text in a report, such as a problem. A sentence fits, and so does a short stack of causes.
   */
  reportTextMaxChars: 1_024,
  /** The end of what programs printed in an apply that failed. The error is in the last lines. */
  reportOutputMaxChars: 8_192,
  /** Why one package has its outcome. The last lines of a package manager fit. */
  outcomeDetailMaxChars: 4_096,
  /**
   * The same where outcomes would fill half the report: the first line still says what is wrong.
   */
  outcomeDetailShortChars: 200,
  /** A batch of reports on its way up. One report of the largest size always fits. */
  reportsMaxBytes: 8 * MiB,
  /** The answer to a batch: a line for each report, if all are refused. */
  reportsAnswerMaxBytes: 512 * KiB,
  /** Reports in one batch. The receiver verifies a signature for each before it answers. */
  reportBatchMax: 500,
  /**
   * Reports that wait to go up, one for each node. Beyond this the children have to keep theirs.
   */
  outboxMax: 10_000,
  /** Nodes of which the newest report is kept. Twice the largest fleet that banyan is made for. */
  inboxMax: 200_000,
  /**
   * How far a report's time may be ahead of ours. Clocks differ by minutes; a larger lead would win
   * for ever.
   */
  reportFutureMs: 10 * minute,
  /**
   * The part of the time that sending reports may take on a link that is slow at it. Reports that wait
   * meanwhile give way to newer ones of the same node.
   */
  reportsSendingShare: 0.1,
  /** A batch that is answered within this time is followed by the next one at once. */
  reportsQuickMs: 2 * second,
  /** The longest pause after a batch: what the root knows is not older than this. */
  reportsPauseMaxMs: 30 * second,
  /**
   * A node without news reports this often. Shorter: the root of 100,000 nodes would take in more
   * than 110 reports a second for nothing. Longer: it takes longer until a dead machine is seen.
   */
  heartbeatMs: 15 * minute,
  /**
   * How far the bound in the copy of a report counter is above the counter. No counter is below the
   * clock in milliseconds, so the copy is written once a day and not for each report.
   */
  counterAheadKept: 1 * day,
  /**
   * Added to two heartbeats before a node counts as silent: reports pass several nodes on their
   * way.
   */
  silentSlackMs: 1 * minute,
  /**
   * A refused report is made and sent again after this time: it shows soon that a clock was set
   * right, and a parent that goes on refusing is not flooded.
   */
  refusedRetryMs: 5 * minute,
  /**
   * Children whose reports a node refuses, named in its own report. A wrong clock of the node itself
   * refuses all of them; the number says so.
   */
  refusalsKept: 50,
  /** Addresses of its machine that a report has. */
  machineAddressesMax: 4,
  /** Runs of a node's daemon that are told from each other. Two are needed, and each restart is one. */
  sightingsKept: 4,
  /**
   * How long two machines that report as one node count as two after their reports were seen to
   * cross: each reports within a heartbeat, and four reports show it.
   */
  clonesToldMs: 1 * hour,
  /** How often a node looks whether that is over. Reports that would show it may come no more. */
  clonesLookMs: 5 * minute,
  /** A clock that differs this much from the parent's is told. Links and busy machines take less. */
  clockToldMs: 2 * minute,
  /** News waits this long for more news, so that one change of state makes one report. */
  reportDebounceMs: 200,
  /** Nodes that left one child, told to it. More than a child has is not usual; the newest count. */
  movedToldMax: 1_000,
  /** How long a child is told who left it: it may have been off meanwhile. */
  movedKeptMs: 7 * day,
  /** Attacks that a node keeps to report. */
  attacksKept: 20,
  /** An attack that is not seen again for this long is told no more. A weekend lies within it. */
  attackKeptMs: 7 * day,
  /**
   * News reaches a node that is not cut off within this time. A parent without news that is older
   * withholds it.
   */
  newsSpreadMs: 10 * minute,
  /** Attacks of one kind from one node among them. A loud attacker must not push out the others. */
  attacksKeptOfOne: 3,
  /** Attacks of one kind among them. A kind that many nodes report must not push out the others. */
  attacksKeptOfKind: 8,
  /**
   * Nodes that a status lists because they need attention. Behind them it says how many are left
   * out.
   */
  statusNodesMax: 1_000,
  /**
   * A node's newest transfers whose distance from their bound is kept in memory, for each node of
   * the fleet.
   */
  distancesKept: 8,
  /** Distances that a status or the metrics show. */
  distancesShown: 20,
  /** Sites with metrics of their own. Each site is a time series for whoever collects them. */
  metricsSitesMax: 200,
  /**
   * The control port answers with the same metrics for this long: reckoning them reads the whole
   * inbox.
   */
  metricsKeptMs: 5 * second,
}
