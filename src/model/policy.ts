// The policy as operators write it (`policy.yaml`). src/repository/policy.ts compiles it into a
// revision.

import * as v from 'valibot'
import { ignoredPathsSchema } from './ignored-paths.ts'
import { limits } from './limits.ts'
import { hookTimeoutSchema } from './manifest.ts'
import { lineSchema, packageNameSchema, packageVersionSchema, wordSchema } from './names.ts'
import { nodeLimitsEntries } from './node-limits.ts'
import { unitNameSchema } from './restarts.ts'
import { selectorSchema } from './revision.ts'
import { policyRolloutSchema } from './rollouts.ts'
import { policyWindowSchema } from './units/windows.ts'

/** `>= VERSION`, with or without the blank. */
const leastSchema = v.pipe(v.string(), v.regex(/^>= ?[A-Za-z0-9][A-Za-z0-9.+:~^_-]{0,127}$/, "expected '>= VERSION'"))

/** `latest`, `absent`, one version, or `>= VERSION`. */
const wantedVersionSchema = v.pipe(
  v.union(
    [v.literal('latest'), v.literal('absent'), packageVersionSchema, leastSchema],
    "expected latest, absent, a version, or '>= VERSION'",
  ),
  v.description(
    "latest, absent, one published version, or '>= VERSION'; latest and >= keep what is newer on a machine",
  ),
)

/** Policies are read as text, so this is the text `true`; an editor sees a boolean. */
const yesSchema = v.union([v.picklist(['true', 'false']), v.boolean()], 'expected true or false')

/** The text `3`; an editor sees a number. */
const versionsKeptSchema = v.pipe(
  v.union(
    [v.pipe(v.string(), v.regex(/^[1-9]\d?$/)), v.pipe(v.number(), v.integer(), v.minValue(1))],
    'expected a number of versions, e.g. 3',
  ),
  v.check((count) => Number(count) <= limits.versionsKeptMax, `more than ${limits.versionsKeptMax} versions`),
)

const groupNamesSchema = v.array(wordSchema, 'expected a list of groups, e.g. [web, db]')

const policyRuleSchema = v.strictObject(
  {
    nodes: v.pipe(
      v.union(
        [
          v.literal('all'),
          v.pipe(groupNamesSchema, v.minLength(1, 'an empty list is for no node; expected all, or groups')),
        ],
        'expected all, or a list of groups, e.g. [web, db]',
      ),
      v.description('all, or the groups that the rule is for: a node in any of them'),
    ),
    except: v.exactOptional(v.pipe(groupNamesSchema, v.description('groups that the rule leaves out'))),
    packages: v.pipe(
      v.record(packageNameSchema, wantedVersionSchema, 'expected packages and their versions, e.g. { shop: latest }'),
      v.description('package by package: latest, absent, one published version, or >= VERSION'),
    ),
    window: v.exactOptional(
      v.pipe(
        wordSchema,
        v.description('one of windows: nothing is changed outside of it; payloads are fetched at once'),
      ),
    ),
    rollout: v.exactOptional(v.pipe(wordSchema, v.description('one of rollouts: it reaches the nodes in waves'))),
    urgent: v.exactOptional(v.pipe(yesSchema, v.description('waits for no window and no wave: for security fixes'))),
    background: v.exactOptional(
      v.pipe(
        yesSchema,
        v.description('its payloads yield to all others on the way, where no other rule wants them too'),
      ),
    ),
    restart: v.exactOptional(
      v.pipe(
        v.array(unitNameSchema, 'expected a list of units, e.g. [nginx.service]'),
        v.minLength(1, 'an empty list restarts nothing; leave it out'),
        v.maxLength(limits.unitsNamedMax, `over ${limits.unitsNamedMax} units`),
        v.description('units of systemd that are restarted, if they run, once a package of the rule has changed'),
      ),
    ),
    mode: v.exactOptional(
      v.pipe(
        v.picklist(['correct', 'audit'], 'expected correct or audit'),
        v.description('audit: differences are reported, and nothing is changed'),
      ),
    ),
    ignore: v.exactOptional(
      v.pipe(
        ignoredPathsSchema,
        v.minLength(1, 'an empty list leaves nothing alone; leave it out'),
        v.description(
          'patterns of absolute paths that are left as they are, whoever changed them, e.g. /var/lib/shop/**',
        ),
      ),
    ),
    timeout: v.exactOptional(
      v.pipe(
        hookTimeoutSchema,
        v.description('how long each hook of a tree may take, e.g. 10m; wins over the time in its banyan.yaml'),
      ),
    ),
    keep: v.exactOptional(
      v.pipe(
        versionsKeptSchema,
        v.description(
          'how many versions stay of a package that is installed side by side, such as a kernel; the running kernel always stays',
        ),
      ),
    ),
    downgrade: v.exactOptional(
      v.pipe(
        v.picklist(['allow'], 'expected allow'),
        v.description('allow: what is newer on a machine than latest or >= give is replaced by it'),
      ),
    ),
    note: v.exactOptional(v.pipe(lineSchema, v.description('why the rule is there, for people'))),
  },
  'expected a rule: nodes and packages',
)
export type PolicyRule = v.InferOutput<typeof policyRuleSchema>

const policyLimitsSchema = v.strictObject(
  {
    nodes: policyRuleSchema.entries.nodes,
    except: policyRuleSchema.entries.except,
    ...nodeLimitsEntries,
  },
  'expected nodes and limits',
)

const { site, labels, facts, names } = selectorSchema.entries

const groupSchema = v.pipe(
  v.strictObject(
    {
      site: v.exactOptional(
        v.pipe(site.wrapped, v.description('the site in the settings of the node, or several of them')),
      ),
      labels: v.exactOptional(v.pipe(labels.wrapped, v.description('labels that the node was joined with'))),
      facts: v.exactOptional(v.pipe(facts.wrapped, v.description('what the node finds out about its machine'))),
      names: v.exactOptional(v.pipe(names.wrapped, v.description('nodes one by one'))),
    },
    'expected site, labels, facts or names to select by',
  ),
  v.check(
    (selector) => Object.keys(selector).length > 0 && ![selector.site, selector.names].some(isEmptyList),
    'expected site, labels, facts or names to select by; a rule for every node says nodes: all',
  ),
  v.description('which nodes: those for which everything that is named here holds'),
)

export const policySchema = v.strictObject(
  {
    groups: v.pipe(
      v.optional(v.record(wordSchema, groupSchema, 'expected groups by name, e.g. web: { labels: { role: web } }'), {}),
      v.check(
        (groups) => Object.keys(groups).length <= limits.policyGroupsMax,
        `over ${limits.policyGroupsMax} groups`,
      ),
      v.description('names for sets of nodes'),
    ),
    rules: v.pipe(
      v.optional(v.array(policyRuleSchema, 'expected a list of rules'), []),
      v.maxLength(limits.policyRulesMax, `over ${limits.policyRulesMax} rules`),
      v.description('later rules win, package by package'),
    ),
    limits: v.pipe(
      v.optional(v.array(policyLimitsSchema, 'expected a list of limits'), []),
      v.maxLength(limits.policyLimitsMax, `over ${limits.policyLimitsMax} limits`),
      v.description('what nodes may use of their links, disks and machines; later ones win, key by key'),
    ),
    rollouts: v.pipe(
      v.optional(
        v.record(
          wordSchema,
          policyRolloutSchema,
          'expected rollouts by name, e.g. careful: { waves: [1%, 10%, 100%] }',
        ),
        {},
      ),
      v.check(
        (rollouts) => Object.keys(rollouts).length <= limits.policyRolloutsMax,
        `over ${limits.policyRolloutsMax} rollouts`,
      ),
      v.description('how carefully changes reach the nodes'),
    ),
    base: v.pipe(
      v.optional(
        v.record(wordSchema, lineSchema, 'expected files by group, e.g. base: { trixie: trixie-packages.txt }'),
        {},
      ),
      v.check((base) => Object.keys(base).length <= limits.policyGroupsMax, `over ${limits.policyGroupsMax} lists`),
      v.description(
        'what the distribution brings along on nodes of a group, or of all: a list of packages in a file beside the policy',
      ),
    ),
    windows: v.pipe(
      v.optional(
        v.record(
          wordSchema,
          policyWindowSchema,
          "expected windows by name, e.g. nights: { from: '22:00', until: '05:00' }",
        ),
        {},
      ),
      v.check(
        (windows) => Object.keys(windows).length <= limits.policyWindowsMax,
        `over ${limits.policyWindowsMax} windows`,
      ),
      v.description('when nodes may change'),
    ),
  },
  'expected groups: and rules:',
)

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
