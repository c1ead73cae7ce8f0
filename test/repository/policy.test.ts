// A policy compiled into a revision: what operators wrote becomes exact versions.

import t, { type Test } from 'tap'
import { desiredFor } from '../../src/model/desired.ts'
import { limits } from '../../src/model/limits.ts'
import { parseRevision, type Revision } from '../../src/model/revision.ts'
import { policySchemaFileName, policyTemplate } from '../../src/repository/policy-template.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { benchOf, buildDeb, failureOf, greeter, needs, snapshotOf, writeTree } from './workbench.ts'

const options = { file: 'policy.yaml', number: 7, released: 1_000, message: 'the first' }

async function withPackages(t: Test, versions: Record<string, string[]>): Promise<Repository> {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  for (const [name, list] of Object.entries(versions)) {
    for (const version of list) await repository.publish(folder, { name, version })
  }
  return repository
}

async function revisionOf(repository: Repository, text: string | Uint8Array): Promise<Revision> {
  return (await repository.compile(text, options)).revision
}

const versionsIn = (revision: Pick<Revision, 'rules'>, name: string) =>
  revision.rules.map(({ packages }) => {
    const wanted = packages[name]
    return wanted?.state === 'present' ? Object.values(wanted.builds).map(({ version }) => version) : wanted?.state
  })

t.test('groups, rules and versions come out as they went in, with manifests and lines', async (t) => {
  const repository = await withPackages(t, { shop: ['4.1.0', '4.2.0'], openssl: ['3.0'] })
  const [newest, older] = await repository.package('shop')
  const { revision, warnings } = await repository.compile(
    `groups:
  web:    { labels: { role: web } }
  berlin: { site: [berlin, potsdam] }
  trixie: { facts: { os.codename: trixie, os.version: 12.10 } }
  canary: { names: [web-1] }
rules:                                  # later rules win
  - nodes: all
    packages: { openssl: latest, telnetd: absent }

  - nodes: [web, trixie]
    except: [berlin]
    packages:
      shop: 4.1.0
    note: slowly
  - nodes: [canary]
    packages: { shop: latest }
`,
    options,
  )
  t.same(parseRevision(JSON.parse(JSON.stringify(revision)), 'revision'), revision)
  t.match(revision, { schema: 1, ...{ number: 7, released: 1_000, message: 'the first' } })
  t.same(revision.groups, {
    web: { labels: { role: 'web' } },
    berlin: { site: ['berlin', 'potsdam'] },
    trixie: { facts: { 'os.codename': 'trixie', 'os.version': '12.10' } },
    canary: { names: ['web-1'] },
  })
  t.same(
    revision.rules.map(({ line, nodes, except }) => ({ line, nodes, except })),
    [
      { line: 7, nodes: 'all', except: [] },
      { line: 10, nodes: ['web', 'trixie'], except: ['berlin'] },
      { line: 15, nodes: ['canary'], except: [] },
    ],
  )
  t.same(revision.rules[0]?.packages['telnetd'], { state: 'absent' })
  t.same(revision.rules[1]?.packages, {
    shop: { state: 'present', builds: { all: { version: '4.1.0', manifest: older?.manifest } } },
  })
  t.same(revision.rules[2]?.packages, {
    shop: { state: 'present', builds: { all: { version: '4.2.0', manifest: newest?.manifest } }, orNewer: true },
  })
  t.same(warnings, [])
  const traits = {
    name: 'web-9',
    site: 'rome',
    arch: 'amd64' as const,
    labels: { role: 'web' },
    facts: { 'os.version': 12.1 },
  }
  t.match(desiredFor(revision, traits), [
    { name: 'openssl' },
    { name: 'shop', version: '4.1.0', line: 10 },
    { name: 'telnetd' },
  ])
})

t.test('windows and the terms of rules come out as minutes and weekdays', async (t) => {
  const repository = await withPackages(t, {})
  const { revision, warnings } = await repository.compile(
    `windows:
  nights: { days: mon-fri, from: '22:00', until: 05:00 }
  around: { days: [sat-mon, wed], from: '00:00', until: '24:00', drift: wait }
  always: { from: '09:30', until: '09:00' }
rollouts:
  careful: { waves: [0.5%, 10%, 100%], soak: 2h, halt: { failed: 0% } }
  usual: { waves: [100%] }
rules:
  - { nodes: all, packages: { one: absent }, window: nights }
  - { nodes: all, packages: { two: absent }, window: around, urgent: true }
  - { nodes: all, packages: { three: absent }, mode: audit, urgent: false, background: true, restart: [a.service, b@1.timer, a.service], keep: 3 }
  - { nodes: all, packages: { four: absent }, mode: correct, rollout: careful }
`,
    options,
  )
  t.same(revision.windows, {
    nights: { days: [1, 2, 3, 4, 5], from: 1320, until: 300 },
    around: { days: [1, 3, 6, 7], from: 0, until: 1440, drift: 'wait' },
    always: { days: [1, 2, 3, 4, 5, 6, 7], from: 570, until: 540 },
  })
  t.same(
    revision.rules.map(({ terms }) => terms),
    [
      { window: 'nights' },
      { window: 'around', urgent: true },
      { background: true, restart: ['a.service', 'b@1.timer'], mode: 'audit', keep: 3 },
      { rollout: 'careful' },
    ],
  )
  t.same(revision.rollouts, {
    careful: { waves: [0.5, 10, 100], soakMs: 2 * 3600_000, haltFailed: 0 },
    usual: { waves: [100], soakMs: 30 * 60_000, haltFailed: 2 },
  })
  t.same(warnings, ['policy.yaml: no rule uses the window always', 'policy.yaml: no rule uses the rollout usual'])
  t.same(parseRevision(JSON.parse(JSON.stringify(revision)), 'revision'), revision)
  const { windows: _, rollouts: __, ...older } = revision
  t.same(parseRevision(older, 'a revision from before there were windows'), older)
})

t.test('paths to be left alone and the time of hooks come out of a rule, and bad ones are refused', async (t) => {
  const repository = await withPackages(t, {})
  const compiled = async (term: string) =>
    (await revisionOf(repository, `rules: [{ nodes: all, packages: { one: absent }, ${term} }]`)).rules[0]?.terms
  t.same(await compiled('ignore: [/var/lib/shop/**, /etc/shop/*.d, /etc/shop/*.d], timeout: 10m'), {
    ignore: ['/var/lib/shop/**', '/etc/shop/*.d'],
    hookTimeoutMs: 600_000,
  })
  for (const [term, message] of Object.entries({
    'ignore: [var/lib/shop]': /expected a pattern of absolute paths/,
    'ignore: [/**]': /expected a pattern of absolute paths/,
    'ignore: [/a/../b]': /expected a pattern of absolute paths/,
    'ignore: []': /leaves nothing alone/,
    'timeout: 10': /expected/,
    'timeout: 31m': /expected 1s to 30m/,
    'timeout: 0s': /expected 1s to 30m/,
  })) {
    t.match(await failureOf(compiled(term)), { code: 'bad-input', message }, term)
  }
})

t.test('a version is what is written, not the number that YAML would make of it', async (t) => {
  const repository = await withPackages(t, { shop: ['4.1', '4.10', '010', '1e3', '0x10', '2026-01-01', 'true'] })
  for (const version of ['4.10', '4.1', '010', '1e3', '0x10', '2026-01-01', 'true', '"4.10"', "'4.1'"]) {
    const revision = await revisionOf(repository, `rules: [{ nodes: all, packages: { shop: ${version} } }]`)
    t.same(versionsIn(revision, 'shop'), [[version.replaceAll(/["']/g, '')]])
  }
})

t.test('latest is the newest by the rules of the kind, not the last published', async (t) => {
  const repository = await withPackages(t, { shop: ['4.9.0', '4.10.0', '4.10.0~rc1', '4.2.0'] })
  t.same(versionsIn(await revisionOf(repository, 'rules: [{ nodes: all, packages: { shop: latest } }]'), 'shop'), [
    ['4.10.0'],
  ])
})

t.test('latest is resolved for each architecture, and says when they differ', needs('dpkg-deb'), async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  for (const [Architecture, Version] of [
    ['amd64', '1.0'],
    ['amd64', '2.0'],
    ['arm64', '1.0'],
  ] as const) {
    await repository.publish(
      buildDeb(`${bench.dir}/${Version}-${Architecture}.deb`, { control: { Architecture, Version } }),
    )
  }
  const text = 'rules:\n  - nodes: all\n    packages: { signpost: latest }\n'
  const { revision, warnings } = await repository.compile(text, options)
  t.match(revision.rules[0]?.packages['signpost'], { builds: { amd64: { version: '2.0' }, arm64: { version: '1.0' } } })
  t.same(warnings, ['policy.yaml:2: the newest signpost is not the same everywhere: 2.0 for amd64, 1.0 for arm64'])
  const exact = await revisionOf(repository, text.replace('latest', '1.0'))
  t.match(exact.rules[0]?.packages['signpost'], { builds: { amd64: { version: '1.0' }, arm64: { version: '1.0' } } })

  // A build for all that is newer replaces those of single architectures, or amd64 would never get
  // it.
  await repository.publish(buildDeb(`${bench.dir}/3.deb`, { control: { Version: '3.0' } }))
  const [rule] = (await revisionOf(repository, text)).rules
  t.match(rule?.packages['signpost'], { builds: { all: { version: '3.0' } } })
  t.same(rule === undefined ? [] : versionsIn({ rules: [rule] }, 'signpost'), [['3.0']])

  await repository.publish(buildDeb(`${bench.dir}/4.deb`, { control: { Version: '4.0', Architecture: 'arm64' } }))
  const [last] = (await revisionOf(repository, text)).rules
  t.match(last?.packages['signpost'], { builds: { all: { version: '3.0' }, arm64: { version: '4.0' } } })
})

t.test('what is probably not meant is said, and released all the same', async (t) => {
  const repository = await withPackages(t, { shop: ['1'] })
  const { warnings } = await repository.compile(
    'groups:\n  web: { site: a }\n  db: { site: b }\nrules:\n  - nodes: [web]\n    except: [web]\n    packages: { shop: 1 }\n  - nodes: all\n    packages: {}\n',
    options,
  )
  t.same(warnings, [
    'policy.yaml: no rule uses the group db',
    'policy.yaml:5: the rule is for no node: its groups are all excepted',
    'policy.yaml:8: the rule names no packages',
  ])
})

t.test('a byte order mark, CRLF, bytes and an empty file are fine', async (t) => {
  const repository = await withPackages(t, { shop: ['1'] })
  const text = 'rules:\r\n  - nodes: all\r\n    packages: { shop: 1 }\r\n'
  const plain = await revisionOf(repository, text.replaceAll('\r', ''))
  for (const variant of [text, `\uFEFF${text}`, Buffer.from(`\uFEFF${text}`)])
    t.same(await revisionOf(repository, variant), plain)
  for (const nothing of ['', '# nothing\n', '---\n'])
    t.match(await revisionOf(repository, nothing), { groups: {}, rules: [] })
})

t.test('the policy that a new root begins with compiles to nothing, and points editors at its schema', async (t) => {
  const repository = await withPackages(t, {})
  const { revision, warnings } = await repository.compile(policyTemplate(), options)
  t.match(revision, { groups: {}, rules: [] })
  t.same(warnings, [])
  t.equal(policyTemplate().split('\n', 1)[0], `# yaml-language-server: $schema=${policySchemaFileName}`)
})

t.test('the examples in its comments work when they are taken out of the comments', async (t) => {
  const repository = await withPackages(t, { openssl: ['3.0'], shop: ['4.2.0'] })
  const examples = policyTemplate()
    .replace(/^(groups: \{\}|rules: \[\]|base: \{\}|limits: \[\]|windows: \{\}|rollouts: \{\})$/gm, '')
    .replace(/^# ((groups|rules|base|limits|windows|rollouts):| {2}.*)$/gm, '$1')
    .replace(/^ {2}banyan .*$/gm, '')
  const { revision, base, warnings } = await repository.compile(examples, options)
  t.same(Object.keys(revision.groups), ['web', 'berlin', 'trixie', 'canary'])
  t.equal(revision.rules.length, 2)
  t.match(base, { trixie: { file: 'trixie-packages.txt' } })
  t.same([Object.keys(revision.windows ?? {}), Object.keys(revision.rollouts ?? {})], [['nights'], ['careful']])
  t.same(
    warnings,
    ['canary'].map((group) => `policy.yaml: no rule uses the group ${group}`),
  )
})

const web = 'groups:\n  web: { site: berlin }\n'
const wants = (packages: string) => `rules:\n  - nodes: all\n    packages:\n      ${packages}\n`

t.test('limits are for groups that there are, and come out as they were written', async (t) => {
  const repository = await withPackages(t, {})
  const limits = 'limits:\n  - nodes: [web]\n    linkDownloadLimit: 10mbit\n    uploadLoadMax: 1.5\n    metered: true\n'
  const { revision, warnings } = await repository.compile(`${web}${limits}`, options)
  t.same(revision.limits, [
    { line: 4, nodes: ['web'], except: [], linkDownloadLimit: '10mbit', uploadLoadMax: '1.5', metered: 'true' },
  ])
  t.same(warnings, [], 'and a group is used by them')
  t.same(parseRevision(JSON.parse(JSON.stringify(revision)), 'revision'), revision)
  for (const [text, message] of [
    [`${web}limits:\n  - nodes: [wob]\n`, /^policy\.yaml:4: there is no group wob/],
    ['limits:\n  - nodes: all\n    uploadLimit: 2Mb/s\n', /^policy\.yaml:3: .*expected a rate/],
    ['limits:\n  - nodes: all\n    uploadLoadMax: much\n', /^policy\.yaml:3: .*expected a load/],
  ] as const) {
    t.match(await failureOf(repository.compile(text, options)), { message })
  }
})

t.test('a base list is for a group that there is, or for all', async (t) => {
  const repository = await withPackages(t, {})
  const { base, warnings } = await repository.compile(`${web}base:\n  all: all.txt\n  web: lists/web.txt\n`, options)
  t.same(base, { all: { file: 'all.txt', line: 4 }, web: { file: 'lists/web.txt', line: 5 } })
  t.same(warnings, [], 'and a group is used by it')
  const failure = await failureOf(repository.compile(`${web}base: { wob: x.txt }\n`, options))
  t.match(failure, { message: 'policy.yaml:3: there is no group wob', hint: /web/ })
})

const refusals: Record<
  string,
  { text: string | Uint8Array; message: string | RegExp; hint?: string | RegExp; code?: string }
> = {
  'a syntax error': { text: 'rules:\n  - nodes: [web\n', message: /^policy\.yaml:3: flow sequence/ },
  'a key twice': {
    text: 'rules: []\ngroups: {}\nrules: []\n',
    message: 'policy.yaml:3: "rules" is there twice',
    hint: 'keep one of the two',
  },
  'a package twice in one rule': {
    text: wants('shop: 1.0\n      shop: 2.0'),
    message: 'policy.yaml:5: "shop" is there twice',
  },
  'an unknown key at the top': {
    text: 'grups: {}\n',
    message: 'policy.yaml:1: unknown key "grups"',
    hint: 'did you mean groups?',
  },
  'an unknown key in a rule': {
    text: 'rules:\n  - nodes: all\n    package: { shop: 1.0 }\n',
    message: 'policy.yaml:3: rules.0: unknown key "package"',
    hint: 'did you mean packages?',
  },
  'an unknown key in a group': {
    text: 'groups:\n  web:\n    role: web\n',
    message: 'policy.yaml:3: groups.web: unknown key "role"',
  },
  'an unknown rollout': {
    text: 'rollouts:\n  careful: { waves: [1%, 100%] }\nrules:\n  - nodes: all\n    packages: {}\n    rollout: carefull\n',
    message: 'policy.yaml:6: there is no rollout carefull',
    hint: 'did you mean careful?',
  },
  'waves that do not grow': {
    text: 'rollouts:\n  careful:\n    waves: [10%, 10%, 100%]\n',
    message: /^policy\.yaml:3: rollouts\.careful\.waves: each wave has all nodes of the one before it and more/,
  },
  'waves that leave nodes out': {
    text: 'rollouts:\n  careful: { waves: [1%, 10%] }\n',
    message: 'policy.yaml:2: rollouts.careful.waves: expected 100% as the last wave',
  },
  'a wave of more than all': {
    text: 'rollouts:\n  careful: { waves: [1%, 110%] }\n',
    message: /^policy\.yaml:2: rollouts\.careful\.waves\.1: expected at most 100%/,
  },
  'a wave without its percent': {
    text: 'rollouts:\n  careful: { waves: [1, 100] }\n',
    message: 'policy.yaml:2: rollouts.careful.waves.0: expected a share such as 10%, got "1"',
  },
  'a soak that is no duration': {
    text: 'rollouts:\n  careful: { waves: [100%], soak: long }\n',
    message: 'policy.yaml:2: rollouts.careful.soak: expected a duration such as 30m, got "long"',
  },
  'an unknown window': {
    text: `windows:\n  nights: { from: '22:00', until: '05:00' }\nrules:\n  - nodes: all\n    packages: {}\n    window: night\n`,
    message: 'policy.yaml:6: there is no window night',
    hint: 'did you mean nights?',
  },
  'a window where there are none': {
    text: 'rules:\n  - nodes: all\n    packages: {}\n    window: nights\n',
    message: 'policy.yaml:4: there is no window nights',
    hint: 'no windows are defined under windows:',
  },
  'a window without an end': {
    text: "windows:\n  nights: { from: '22:00' }\n",
    message: 'policy.yaml:2: windows.nights: until is missing',
  },
  'a window that begins as it ends': {
    text: "windows:\n  nights: { from: '22:00', until: '22:00' }\n",
    message: /^policy\.yaml:2: windows\.nights: begins and ends at the same time/,
  },
  'a time that no clock shows': {
    text: "windows:\n  nights:\n    from: '22:00'\n    until: '25:00'\n",
    message:
      "policy.yaml:4: windows.nights.until: expected a time such as '05:00', at the latest '24:00', got \"25:00\"",
  },
  'a day that no week has': {
    text: "windows:\n  nights: { days: mon-fry, from: '22:00', until: '05:00' }\n",
    message: 'policy.yaml:2: windows.nights.days: expected days such as mon-fri or [sat, sun], got "mon-fry"',
  },
  'a mode that there is not': {
    text: 'rules:\n  - nodes: all\n    packages: {}\n    mode: look\n',
    message: 'policy.yaml:4: rules.0.mode: expected correct or audit, got "look"',
  },
  'rules that are no list': {
    text: 'rules: { nodes: all }\n',
    message: 'policy.yaml:1: rules: expected a list of rules, got keys and values',
  },
  'groups that are a list': {
    text: 'groups: [web]\n',
    message: 'policy.yaml:1: groups: expected keys and values, got a list',
  },
  'packages that are a list': {
    text: 'rules:\n  - nodes: all\n    packages: [shop]\n',
    message: 'policy.yaml:3: rules.0.packages: expected keys and values, got a list',
  },
  'a rule that is a word': {
    text: 'rules:\n  - all\n',
    message: 'policy.yaml:2: rules.0: expected a rule: nodes and packages, got "all"',
  },
  'a file that is a word': { text: 'shop\n', message: 'policy.yaml:1: expected groups: and rules:, got "shop"' },
  'a file that is a list': { text: '- shop\n', message: 'policy.yaml:1: expected keys and values, got a list' },
  'a web page': {
    text: '<!DOCTYPE html>\n<html>\n',
    message: /^policy\.yaml:1: expected groups: and rules:, got "<!DOCTYPE/,
  },
  'nodes left out': { text: 'rules:\n  - packages: {}\n', message: 'policy.yaml:2: rules.0: nodes is missing' },
  'nodes that are a word': {
    text: `${web}rules:\n  - nodes: web\n    packages: {}\n`,
    message: 'policy.yaml:4: rules.0.nodes: expected all, or a list of groups, e.g. [web, db], got "web"',
  },
  'no nodes': {
    text: 'rules:\n  - nodes: []\n    packages: {}\n',
    message: 'policy.yaml:2: rules.0.nodes: an empty list is for no node; expected all, or groups',
  },
  'all in brackets': {
    text: `${web}rules:\n  - nodes: [all]\n    packages: {}\n`,
    message: 'policy.yaml:4: all is not a group',
    hint: 'write nodes: all, without brackets',
  },
  'an unknown group': {
    text: `${web}rules:\n  - nodes:\n      - wbe\n    packages: {}\n`,
    message: 'policy.yaml:5: there is no group wbe',
    hint: 'did you mean web?',
  },
  'an unknown group that is like no other': {
    text: `${web}  db: { site: x }\nrules:\n  - nodes: [storage]\n    packages: {}\n`,
    message: 'policy.yaml:5: there is no group storage',
    hint: 'the groups are db, web',
  },
  'a group where there are none': {
    text: 'rules:\n  - nodes: [web]\n    packages: {}\n',
    message: 'policy.yaml:2: there is no group web',
    hint: 'no groups are defined under groups:',
  },
  'an unknown group in except': {
    text: `${web}rules:\n  - nodes: all\n    except: [webb]\n    packages: {}\n`,
    message: 'policy.yaml:5: there is no group webb',
    hint: 'did you mean web?',
  },
  'a group that selects by nothing': {
    text: 'groups:\n  every: {}\n',
    message:
      'policy.yaml:2: groups.every: expected site, labels, facts or names to select by; a rule for every node says nodes: all',
  },
  'a group of no names': {
    text: 'groups:\n  none: { names: [] }\n',
    message: /^policy\.yaml:2: groups\.none: expected site, labels/,
  },
  'a name of a group with spaces': {
    text: 'groups:\n  a b: { site: x }\n',
    message: /^policy\.yaml:2: groups\.a b: expected a word/,
  },
  'a node name that cannot be': {
    text: 'groups:\n  a: { names: [Web_1] }\n',
    message: /^policy\.yaml:2: groups\.a\.names\.0: expected a node name/,
  },
  'a label that is a list': {
    text: 'groups:\n  a: { labels: { role: [web] } }\n',
    message: 'policy.yaml:2: groups.a.labels.role: expected string, got a list',
  },
  'an unknown package': {
    text: wants('shpo: latest'),
    message: 'policy.yaml:4: nothing is published of a package shpo',
    hint: 'did you mean shop?',
  },
  'an unknown package that is like no other': {
    text: wants('telnetd: 1.0'),
    message: 'policy.yaml:4: nothing is published of a package telnetd',
    hint: 'banyan publish it first; banyan packages lists what is there',
  },
  'an unknown version': {
    text: wants('shop: 3.0'),
    message: 'policy.yaml:4: version 3.0 of shop is not published; there is 2.0, 1.10, 1.0',
    hint: /^did you mean [12]\.0\?$/,
  },
  'a version that says nothing': {
    text: wants('shop:'),
    message: /^policy\.yaml:4: rules\.0\.packages\.shop: expected .*, got nothing$/,
  },
  'a range of versions': {
    text: wants('shop: "> 1.0"'),
    message: /^policy\.yaml:4: rules\.0\.packages\.shop: expected .*, got "> 1\.0"$/,
  },
  'a package that is an option': {
    text: wants('-oDPkg::x: latest'),
    message: /^policy\.yaml:4: rules\.0\.packages\.-oDPkg::x: expected a package name/,
  },
  'a package with an emoji': {
    text: wants('"🌳": latest'),
    message: /^policy\.yaml:4: rules\.0\.packages\.🌳: expected a package name/,
  },
  'a package that turns the text around': {
    text: wants('"a\u202eb": latest'),
    message: /^policy\.yaml:4: .*expected a package name/,
  },
  'a name with an escaped NUL': {
    text: wants('"a\\0b": latest'),
    message: /^policy\.yaml:4: .*expected a package name/,
  },
  __proto__: { text: wants('__proto__: latest'), message: 'policy.yaml:4: "__proto__" cannot be used as a key' },
  constructor: { text: wants('constructor: latest'), message: 'policy.yaml:4: "constructor" cannot be used as a key' },
  NUL: { text: 'rules: []\n\u0000', message: 'policy.yaml:2: control character U+0000' },
  'not UTF-8': {
    text: Buffer.from('groups: {}\nrules: [\u00ff]\n', 'latin1'),
    message: 'policy.yaml:2: not UTF-8 text',
  },
  'aliases that grow': {
    text: `${Array.from({ length: 12 }, (_, index) => `a${index}: &a${index} [${Array(8).fill(index === 0 ? 'x' : `*a${index - 1}`)}]`).join('\n')}\n`,
    message: /^policy\.yaml:\d+: more than 500000 values$/,
  },
  'a tag': { text: 'rules: !!js/function x\n', message: /^policy\.yaml:1: unresolved tag/ },
  'two documents': {
    text: 'rules: []\n---\nrules: []\n',
    message: /^policy\.yaml:2: source contains multiple documents/,
  },
  'a note with a line feed': {
    text: `${wants('shop: 1.0')}    note: "a\\nb"\n`,
    message: /^policy\.yaml:5: rules\.0\.note: expected one line/,
  },
  'more bytes than the limit': {
    text: `#${'x'.repeat(limits.policyMaxBytes)}`,
    message: `policy.yaml:1: ${limits.policyMaxBytes + 1} bytes are over the limit of ${limits.policyMaxBytes}`,
    code: 'too-large',
  },
  'more packages than the limit': {
    text: `rules:\n${[0, 1].map((rule) => `  - nodes: all\n    packages:\n${Array.from({ length: 5_001 }, (_, index) => `      p${rule}-${index}: absent\n`).join('')}`).join('')}`,
    message: 'policy.yaml:5005: more than 10000 packages in all rules together',
  },
  'more groups than the limit': {
    text: `groups:\n${Array.from({ length: limits.policyGroupsMax + 1 }, (_, index) => `  g${index}: { site: x }\n`).join('')}`,
    message: 'policy.yaml:1: groups: over 1000 groups',
  },
  'more rules than the limit': {
    text: `rules:\n${'  - { nodes: all, packages: {} }\n'.repeat(limits.policyRulesMax + 1)}`,
    message: 'policy.yaml:1: rules: over 10000 rules',
  },
}

t.test('refused, each with file, line, reason and hint', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/greeter`, greeter)
  for (const version of ['1.0', '1.10', '2.0']) await repository.publish(folder, { name: 'shop', version })
  const before = snapshotOf(bench.home)
  for (const [what, { text, message, hint, code = 'bad-input' }] of Object.entries(refusals)) {
    const failure = await failureOf(repository.compile(text, options))
    if (typeof message === 'string') t.equal(failure.message, message, what)
    else t.match(failure.message, message, what)
    t.equal(failure.code, code, what)
    if (hint !== undefined) t.match(failure.hint, hint, what)
  }
  t.same(snapshotOf(bench.home), before, 'nothing changed')
})

t.test('a policy on an empty repository asks for packages first', async (t) => {
  const repository = await withPackages(t, {})
  t.match(await failureOf(repository.compile(wants('shop: latest'), options)), {
    code: 'bad-input',
    message: 'policy.yaml:4: nothing is published of a package shop',
    hint: 'banyan publish it first; banyan packages lists what is there',
  })
})

t.test('a revision that would not fit into an object is refused', async (t) => {
  const repository = await withPackages(t, { shop: ['1'] })
  const names = Array.from({ length: 3_000 }, (_, index) => `n${'x'.repeat(50)}${index}`)
  const groups = Array.from(
    { length: 100 },
    (_, index) =>
      `  g${index}: { names: ${index === 0 ? '&all ' : '*all'}${index === 0 ? `[${names.join(', ')}]` : ''} }\n`,
  )
  const failure = await failureOf(repository.compile(`groups:\n${groups.join('')}`, options))
  t.match(failure, {
    code: 'too-large',
    message: /^policy\.yaml:1: its revision is \d+ bytes, over the limit of 16777216$/,
  })
})

t.test('a message longer than a revision takes is refused', async (t) => {
  const repository = await withPackages(t, {})
  const failure = await failureOf(repository.compile('', { ...options, message: 'x'.repeat(limits.textMaxChars + 1) }))
  t.match(failure, { code: 'bad-input', message: /^the revision: message: / })
})

t.test('a policy at its limits compiles while somebody waits', async (t) => {
  const repository = await withPackages(t, { shop: ['1'] })
  const packages = Array.from({ length: limits.policyPackagesMax }, (_, index) => `      p${index}: absent\n`)
  const revision = await revisionOf(repository, `rules:\n  - nodes: all\n    packages:\n${packages.join('')}`)
  t.equal(Object.keys(revision.rules[0]?.packages ?? {}).length, limits.policyPackagesMax)
})

t.test('latest and >= keep what is newer, an exact version and downgrade: allow do not', async (t) => {
  const repository = await withPackages(t, { shop: ['1.0', '1.4'], tar: ['2:1.26'] })
  const wanted = async (version: string, ...more: string[]) => {
    const revision = await revisionOf(repository, [wants(`shop: ${version}`), ...more].join('\n'))
    const shop = revision.rules[0]?.packages['shop']
    if (shop?.state !== 'present') throw new Error('shop is not wanted')
    const { builds, state: _, ...terms } = shop
    return { version: builds['all']?.version, ...terms }
  }
  t.same(await wanted('latest'), { version: '1.4', orNewer: true })
  t.same(await wanted("'>= 1.2'"), { version: '1.4', orNewer: true, least: '1.2' })
  t.same(await wanted("'>=1.4'"), { version: '1.4', orNewer: true, least: '1.4' })
  t.same(await wanted('1.0'), { version: '1.0' })
  t.same(await wanted('latest', '    downgrade: allow'), { version: '1.4' })
  t.same(await wanted("'>= 1.2'", '    downgrade: allow'), { version: '1.4' })
  t.match(await failureOf(wanted("'>= 1.5'")), {
    message: 'policy.yaml:4: the newest published shop is 1.4, older than 1.5',
    hint: 'banyan publish a newer one',
  })
  t.match(await failureOf(revisionOf(repository, wants("tar: '>= 1.28'"))), {
    message: 'policy.yaml:4: 2:1.26 of tar has an epoch, and 1.28 has none',
    hint: "write '>= 2:1.28'",
  })
  t.match(await failureOf(wanted('latest', '    downgrade: never')), { message: /expected allow/ })
})
