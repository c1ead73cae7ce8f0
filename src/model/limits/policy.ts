// The policy that people write, what is released from it, and rollouts.

import { MiB, minute, second } from './multiples.ts'

export const policyLimits = {
  /** policy.yaml. 10,000 rules fit with comments. */
  policyMaxBytes: 4 * MiB,
  /** Packages in all rules together, and in one report. The revision has to fit into one object. */
  policyPackagesMax: 10_000,
  /** Groups of nodes, and base lists. Every node matches itself against all groups. */
  policyGroupsMax: 1_000,
  /** Maintenance windows. */
  policyWindowsMax: 100,
  /** Entries under `limits:` (rates and such for groups of nodes). */
  policyLimitsMax: 100,
  /** Rollouts that a policy defines. */
  policyRolloutsMax: 100,
  /** Rules. Every node walks all of them. */
  policyRulesMax: 10_000,
  /** Versions of one package side by side that a rule may keep. Each kernel takes room in /boot. */
  versionsKeptMax: 50,
  /** A pattern of paths. A path is compared with it letter by letter. */
  globMaxChars: 256,
  /** What one pattern of paths stands for, once each `{a,b}` in it is written out. */
  globAlternativesMax: 64,
  /** Waves of one rollout. Each has a soak, so nobody waits for more. */
  wavesMax: 20,
  /** Rollouts under way at once, each of which is in `rollouts.json`. */
  rolloutsMax: 1_000,
  /**
   * Former states of a package that is being rolled out, kept in the revision so that nodes whose
   * wave is closed know what to keep. With fewer, somebody who releases often loses them; each
   * costs bytes.
   */
  earlierMax: 8,
  /** Revisions that `banyan history` lists. */
  historyMax: 100,
  /** One base list: the packages that a distribution brings along, a line each. */
  baseListMaxBytes: 8 * MiB,
  /**
   * From this many nodes on, one failed node does not halt a rollout: it is sooner a broken
   * machine.
   */
  rolloutOneFailureNodes: 10,
  /**
   * The share of a wave's nodes that may still be under way when the wave counts as through.
   * With 0, one machine that hangs would hold up the fleet for ever.
   */
  rolloutUnderwayShare: 0.05,
  /** The root looks at its rollouts at least this often: nodes become silent without an event. */
  rolloutLookMs: 1 * minute,
  /** Reports gather for this long before the root looks at its rollouts again. */
  rolloutDebounceMs: 1 * second,
  /** Failed nodes that `banyan rollout` names. */
  rolloutFailedShown: 20,
  /**
   * The share of all installed packages that a release may remove before it asks for
   * `--allow-removals`.
   */
  removalsShareMax: 0.2,
  /** Missing dependencies that a refused release names. */
  unmetNamedMax: 10,
  /**
   * Examples in one sentence, such as files that differ or nodes that failed. The rest is a number.
   */
  findingsNamedMax: 3,
  /** Patterns of paths that one rule or one package leaves alone. */
  ignoredPathsMax: 64,
}
