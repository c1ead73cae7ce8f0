// What people write on command lines, into node.yaml, policy.yaml and banyan.yaml, and what packages
// say of each other.

import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { is } from 'valibot'
import { parseDuration } from '../../../src/cli/duration.ts'
import { isPrivate, isReachable, plainAddress, scopeOf, siteOf } from '../../../src/model/address.ts'
import { limits } from '../../../src/model/limits.ts'
import type { Kind } from '../../../src/model/manifest.ts'
import { isConditional, isMet, namesIn, type Offers, providedBy } from '../../../src/model/needs.ts'
import { debVersionOf, problemOfDebVersion } from '../../../src/model/packages/deb.ts'
import { parseTarget } from '../../../src/model/packages/target-schema.ts'
import { policySchema } from '../../../src/model/policy.ts'
import { archOfRpm, rpmVersionOf } from '../../../src/model/rpm.ts'
import { parentPlaceOf, parentTextOf, parentUrlSchema, parseSettings } from '../../../src/model/settings.ts'
import { durationFrom, msOfDuration } from '../../../src/model/units/durations.ts'
import { globOf } from '../../../src/model/units/globs.ts'
import { bytesPerSecond, rateSchema } from '../../../src/model/units/rates.ts'
import { bytesOfSize, sizeSchema } from '../../../src/model/units/sizes.ts'
import { compareVersions } from '../../../src/model/versions.ts'
import { readYaml } from '../../../src/model/yaml/yaml.ts'
import { checkedYaml } from '../../../src/model/yaml/yaml-check.ts'
import { loadSettings, settingsText } from '../../../src/node/setup/settings-file.ts'
import { parseBaseList } from '../../../src/repository/base-list.ts'
import { compilePolicy } from '../../../src/repository/policy.ts'
import { policyTemplate } from '../../../src/repository/policy-template.ts'
import { describeTree } from '../../../src/repository/tree-description.ts'
import { bytesOf, diskWith, type FuzzTarget, textOf, twoTexts } from '../target.ts'

const yamlWords = [
  ...[
    ': ',
    '- ',
    '\n  ',
    '\n- ',
    '&a ',
    '*a',
    '<<: *a',
    '|\n',
    '>-\n',
    '{',
    '}',
    '[',
    ']',
    '? ',
    '!!set ',
    '# ',
    '---\n',
  ],
  ...[
    '...\n',
    '"\\u',
    "'",
    '%YAML 1.2\n',
    '!!binary ',
    'groups:',
    'rules:',
    'windows:',
    'rollouts:',
    'limits:',
    'base:',
  ],
  ...['nodes: all', 'packages:', 'latest', 'absent', 'except:', 'null', '~', '0x10', '1e3', '.inf', '.nan'],
]
const policyText = `groups:
  web: { labels: { role: web } }
  berlin: { site: [berlin, potsdam], facts: { os.codename: trixie }, names: [web-1] }
windows:
  night: { days: mon-fri, from: '22:00', until: '05:00', drift: wait }
rollouts:
  careful: { waves: [1%, 10%, 100%], soak: 30m, halt: { failed: 2% } }
base: { all: debian.list }
limits:
  - nodes: [web]
    uploadLimit: 10mbit
rules:
  - nodes: all
    packages: { telnetd: absent }
    restart: [nginx.service]
    ignore: [/var/lib/shop/**]
  - { nodes: [web], except: [berlin], window: night, rollout: careful, keep: 2, packages: { telnetd: absent } }
`
const treeText = `name: greeter
version: 1.2.0
arch: all
summary: says hello
exclude: ['**/*.map', '{a,b}/*']
files: [{ path: 'bin/**', mode: '0755', owner: root }]
hooks: { postInstall: { run: hooks/post, timeout: 10m }, preRemove: hooks/pre }
ignore: [data/**]
`
const needWords = [
  '(',
  ')',
  '>=',
  '<=',
  '>>',
  '<<',
  '=',
  '|',
  ',',
  ' and ',
  ' or ',
  ' if ',
  ' else ',
  ' unless ',
  ' with ',
]
const versionWords = ['~', '^', '-', ':', '+', '.', '0', '00', '1:', '9999999999', 'a']

export const targets: FuzzTarget[] = [
  {
    ...{ name: 'policy', format: 'text', words: yamlWords, maxBytes: 16_384, examples: [policyText, policyTemplate()] },
    parsers: ['src/model/yaml/yaml.ts', 'src/model/yaml/yaml-check.ts', 'src/repository/policy.ts'],
    run: (bytes) =>
      compilePolicy(bytes, { of: async () => [] } as never, {
        ...{ file: 'policy.yaml', number: 2, released: 1, message: 'm' },
      }),
  },
  {
    ...{ name: 'yaml', format: 'text', words: yamlWords, maxBytes: 16_384, examples: [policyText] },
    parsers: ['src/model/yaml/yaml.ts', 'src/model/yaml/misplaced-list.ts', 'src/model/yaml/nearest.ts'],
    run: async (bytes) => {
      const yaml = await readYaml(bytes, { file: 'file', maxBytes: 65_536, scalars: 'typed' })
      yaml.lineOf(['rules', 0, 'packages'])
      checkedYaml(yaml, policySchema)
    },
  },
  {
    ...{ name: 'settings', format: 'text', words: [...yamlWords, 'parents', 'https://'], maxBytes: 16_384 },
    parsers: ['src/node/setup/settings-file.ts', 'src/model/settings.ts'],
    examples: [
      settingsText(parseSettings({ name: 'till-1', parents: ['https://root@10.0.0.1:7420'], site: 'berlin' }, 'x')),
      'name: till-1\nlabels: { role: till }\nuploadLimit: 10mbit\ncheckInterval: 10m\nplain: {}\n',
    ],
    run: async (bytes) => {
      const settings = await loadSettings(diskWith(bytes), 'node.yaml')
      for (const text of settings.parents) parentPlaceOf(text)
      const again = await loadSettings(diskWith(bytesOf(settingsText(settings))), 'node.yaml')
      assert.deepEqual(again, settings)
    },
  },
  {
    ...{ name: 'banyan-yaml', format: 'text', words: yamlWords, maxBytes: 16_384 },
    parsers: ['src/repository/tree-description.ts'],
    examples: [treeText, 'name: a\nversion: 1\n'],
    run: (bytes) => describeTree(diskWith(bytes), '/tree', { name: 'greeter', version: '1' }),
  },
  {
    ...{
      name: 'base-list',
      format: 'text',
      parsers: ['src/repository/base-list.ts'],
      words: [...needWords, '#', '\n'],
    },
    examples: ['adduser 3.134\nlibc6 2.36 libc (= 2.36), glibc-2\nbash\n# note\ngpg(Red Hat) = 4:1\nbase = 1-2\n'],
    run: (bytes) => parseBaseList(textOf(bytes), 'debian.list'),
  },
  {
    ...{ name: 'needs', format: 'text', parsers: ['src/model/needs.ts'], words: needWords },
    examples: [
      'libjq1 (= 1.6) | jq:any [amd64] <!nocheck>, mta',
      '(a >= 1 if (b or c)) else d',
      'so.1()(64bit)',
      'constructor',
    ],
    run: (bytes) => {
      const clause = textOf(bytes)
      for (const kind of ['deb', 'rpm', 'tree'] as Kind[]) {
        const [offer] = [providedBy(kind, clause)]
        const offers: Offers = new Map([
          ['mta', [{ kind: 'any' }]],
          [offer[0], [offer[1]]],
        ])
        isMet(kind, clause, [offers])
        namesIn(kind, clause)
        isConditional(kind, clause)
      }
    },
  },
  {
    ...{ name: 'versions', format: 'text', words: versionWords, maxBytes: 16_384 },
    parsers: ['src/model/versions.ts', 'src/model/packages/deb.ts', 'src/model/rpm.ts'],
    examples: ['1:1.0~rc1-1+b2\n\n1.0-1', '0:1.0-1\n\n001', '1^git1-2.fc40\n\n1~beta', '1.00\n\n1.0'],
    run: (bytes) => {
      const [a, b] = twoTexts(bytes)
      for (const kind of ['deb', 'rpm'] as Kind[]) {
        assert.equal(compareVersions(kind, a, a), 0)
        const [there, back] = [compareVersions(kind, a, b), compareVersions(kind, b, a)]
        assert.equal(Math.sign(there) + Math.sign(back), 0)
      }
      if (problemOfDebVersion(a) === undefined) assert.equal(compareVersions('deb', a, debVersionOf(a)), 0)
      rpmVersionOf(a, b, a)
      archOfRpm(a)
    },
  },
  {
    ...{ name: 'globs', format: 'text', parsers: ['src/model/units/globs.ts'], maxBytes: 8192 },
    ...{ words: ['*', '**', '/', '{', '}', ',', '[', ']', '[!', '?', '\\', 'a-z'] },
    examples: ['docs/{en,de}/*.md\n\ndocs/en/a.md', '**/*.map\n\na/b/c.map', '[!a-z]?\\*\n\nA1*', '*a*a*a*b\n\naaaaaa'],
    run: (bytes) => {
      const [pattern, path] = twoTexts(bytes)
      globOf(pattern)(path)
    },
  },
  {
    ...{ name: 'units', format: 'text', words: ['s', 'm', 'h', 'd', 'kB', 'GiB', 'mbit', '/s', ' ', '.', 'unlimited'] },
    parsers: ['durations', 'sizes', 'rates'].map((name) => `src/model/units/${name}.ts`).concat('src/cli/duration.ts'),
    examples: ['30s', '7d', '50GB', '1.5 MiB', '10mbit', '2MB/s', 'unlimited', '12'],
    run: (bytes) => {
      const text = textOf(bytes)
      if (durationFrom(text) !== undefined) assert(msOfDuration(text) >= 0)
      if (is(sizeSchema, text)) assert(Number.isInteger(bytesOfSize(text)))
      if (is(rateSchema, text)) assert((bytesPerSecond(text) ?? 0) >= 0)
      try {
        parseDuration(text, '--ttl')
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'UsageError') throw error
      }
    },
  },
  {
    ...{ name: 'addresses', format: 'text', parsers: ['src/model/address.ts'] },
    ...{ words: ['::', '::ffff:', ':', '.', '%eth0', 'fe80', 'fd', '127', '255', '10.'] },
    examples: ['10.0.0.1', '::ffff:192.168.1.2', 'fe80::1%eth0', '2001:db8:0:1::7', '::1'],
    run: (bytes) => {
      const text = textOf(bytes)
      // Sockets and the schemas of messages let nothing else through.
      if (isIP(text) === 0) return
      const plain = plainAddress(text)
      assert.notEqual(isIP(plain), 0)
      assert.equal(plainAddress(plain), plain)
      for (const tell of [siteOf, scopeOf, isPrivate, isReachable]) tell(plain)
    },
  },
  {
    ...{ name: 'parent-urls', format: 'text', parsers: ['src/model/settings.ts'] },
    ...{ words: ['https://', '@', ':', '/', '?', '#', '[::1]', '%40', '..', 'root@'] },
    examples: ['https://10.0.0.1:7420', 'https://root@staging.example:7420', 'https://[::1]:1'],
    run: (bytes) => {
      const text = textOf(bytes)
      if (!is(parentUrlSchema, text)) return
      const place = parentPlaceOf(text)
      assert(URL.canParse(place.url))
      assert.equal(parentPlaceOf(parentTextOf(place)).name, place.name)
    },
  },
  {
    ...{ name: 'target-facts', format: 'text', parsers: ['src/model/packages/target-schema.ts'] },
    ...{ words: ['=', ',', ' ', 'os.codename'], examples: ['os.codename=bookworm', 'os.distro = debian, arch=amd64'] },
    run: (bytes) => {
      const target = parseTarget([textOf(bytes)], '--for')
      const count = Object.keys(target).length
      assert(count > 0 && count <= limits.targetFactsMax)
    },
  },
]
