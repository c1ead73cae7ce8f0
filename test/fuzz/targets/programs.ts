// What dpkg, apt, rpm, dnf and zypper print, and what the administrators of machines have set.

import { journalLinesOf } from '../../../src/reconcile/apply/journal.ts'
import { pinsIn } from '../../../src/reconcile/providers/deb/deb-pins.ts'
import { parseDpkgRelations } from '../../../src/reconcile/providers/deb/deb-relations.ts'
import { conffileAnswers } from '../../../src/reconcile/providers/deb/deb-settings.ts'
import * as deb from '../../../src/reconcile/providers/deb/deb-text.ts'
import { doubtIn } from '../../../src/reconcile/providers/rpm/rpm-answers.ts'
import { excludesIn, heldBy, holdFiles } from '../../../src/reconcile/providers/rpm/rpm-holds.ts'
import { parseRpmRelations } from '../../../src/reconcile/providers/rpm/rpm-relations.ts'
import { isOn, readRpmSettings, settingsOf, wordsIn } from '../../../src/reconcile/providers/rpm/rpm-settings.ts'
import { signatureProblemIn } from '../../../src/reconcile/providers/rpm/rpm-signatures.ts'
import * as rpm from '../../../src/reconcile/providers/rpm/rpm-text.ts'
import { hostnameFrom } from '../../../src/world/facts.ts'
import { readMachineMarks } from '../../../src/world/machine-marks.ts'
import { diskWith, type FuzzTarget, textOf, twoTexts } from '../target.ts'

const debFolder = 'src/reconcile/providers/deb'
const rpmFolder = 'src/reconcile/providers/rpm'
const removes = new Set(['shop'])

export const targets: FuzzTarget[] = [
  {
    ...{ name: 'dpkg-text', format: 'text', parsers: [`${debFolder}/deb-text.ts`, `${debFolder}/deb-relations.ts`] },
    words: ['\t', '\n', ' : Depends: ', 'missing', 'dpkg: error', 'E: ', 'Inst ', 'Remv ', ' (', ')', ' -> ', ':i386'],
    examples: [
      'shop\t4.2.0\tamd64\tinstalled\tinstall\tok\n',
      'missing   c /etc/shop.conf\n??5??????   /usr/bin/shop (Permission denied)\n',
      'Inst libjq1:i386 [1.5] (1.6 Debian:12)\nRemv jq [1.6]\nPurg x [1]\n',
      'dpkg: error processing archive /tmp/shop.deb (--install):\n trying to overwrite\nE: Sub-process /usr/bin/dpkg returned an error code (1)\n',
      ' jq : Depends: libjq1 (= 1.6) but it is not installable\n      Conflicts: x\n',
      "Configuration file '/etc/shop.conf'\n ==> Keeping old config file as default.\n ==> Using new file\n",
      'd41d8cd98f00b204e9800998ecf8427e  usr/share/empty\nshop: /usr/bin/shop\n',
      '-rw-r--r-- root/root 12 2026-01-01 00:00 ./usr/bin/shop -> x\n',
    ],
    run: (bytes) => {
      const text = textOf(bytes)
      deb.parseVerify(text)
      deb.parseSimulation(text, 'amd64')
      deb.parseComplaints(text).about('jq')
      deb.parseUnmet(text, 'amd64')
      deb.parseCulprits(text, 'amd64')
      deb.parseConffiles(text)
      deb.parsePostInvoke(text)
      deb.parseOwners(text, 'amd64')
      deb.emptyFilesIn(text)
      deb.pathsInContents(text)
      deb.parseControl(text)
      parseDpkgRelations(text)
      // A line that lacks a field is refused.
      if (text.includes('\t')) deb.parseDpkgQuery(text)
    },
  },
  {
    ...{ name: 'dpkg-settings', format: 'text', parsers: [`${debFolder}/deb-text.ts`, `${debFolder}/deb-settings.ts`] },
    words: [
      'path-exclude=',
      'path-include ',
      '/usr/share/doc/*',
      '[',
      ']',
      '[!',
      '[z-a]',
      '*',
      '?',
      '\\',
      '"',
      'force-',
    ],
    examples: [
      'path-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/*/copyright\nforce-confold,confdef\n\n/usr/share/doc/a',
      'path-exclude "/usr/[!a-z]*"\n\n/usr/b',
    ],
    run: (bytes) => {
      const [settings, path] = twoTexts(bytes)
      deb.pathExcludedBy(settings)(path)
      conffileAnswers(settings, path)
    },
  },
  {
    ...{ name: 'apt-pins', format: 'text', parsers: [`${debFolder}/deb-pins.ts`] },
    words: [
      'Package: ',
      'Pin: ',
      'Pin-Priority: ',
      'version ',
      'release a=*',
      '/',
      '/^lib/',
      '*',
      '-1',
      '1001',
      '\n\n',
      '[',
    ],
    examples: [
      'Package: jq libjq*\nPin: version 1.6*\nPin-Priority: 1001\n\nPackage: /^telnet/\nPin: release a=*\nPin-Priority: -1\n',
    ],
    run: (bytes) => pinsIn(new Map([['/etc/apt/preferences', textOf(bytes)]]))('jq'),
  },
  {
    ...{ name: 'rpm-text', format: 'text', parsers: [`${rpmFolder}/rpm-text.ts`, `${rpmFolder}/rpm-relations.ts`] },
    words: [
      '\t',
      '\n',
      '(none)',
      'missing',
      'error: ',
      ' is needed by ',
      ' conflicts with ',
      '-1.fc40.noarch',
      'obsoletes\t',
    ],
    examples: [
      'shop\t0\t4.2.0\t1.fc40\tx86_64\tabc\tdef\nprovides\tmta\nobsoletes\told\t<\t2\n',
      'S.5....T.  c /etc/shop.conf\nmissing     /usr/bin/shop (x)\npackage shop is not installed\n',
      'error: Failed dependencies:\n\tbase >= 2 is needed by shop-4.2.0-1.fc40.noarch\n\tshop conflicts with x-1-1.noarch\n',
      'warning: /etc/shop.conf created as /etc/shop.conf.rpmnew\nwarning: %post(shop-1-1.noarch) scriptlet failed, exit status 1\n',
      'Header V4 RSA/SHA256 Signature, key ID 12ab: NOKEY\n    Payload SHA256 digest: BAD\n',
    ],
    run: (bytes) => {
      const text = textOf(bytes)
      rpm.parseRpmQuery(text, 'x86_64')
      rpm.parseObsoletes(text)
      rpm.parseProvides(text)
      rpm.parseRpmVerify(text)
      rpm.parseRpmFiles(text)
      rpm.parseRpmComplaints(text, { removes }, 'x86_64').about('shop')
      rpm.parseConfigNotes(text)
      rpm.lastBegun(text, 'x86_64')
      rpm.isLocked(text)
      parseRpmRelations(text, 'x86_64')
      signatureProblemIn(text, 'rpm')
      doubtIn({ code: 1, signal: null, stdout: text, stderr: text, timedOut: false } as never)
    },
  },
  {
    ...{ name: 'rpm-settings', format: 'text', parsers: [`${rpmFolder}/rpm-settings.ts`, `${rpmFolder}/rpm-holds.ts`] },
    words: ['[main]', '\n', '\n#', '=', ' ', 'excludepkgs', 'glob:', '*', 'repo: ', 'solvable_name: ', '-0:', '\r'],
    examples: [
      '[main]\ngpgcheck=1\nexcludepkgs = kernel* shop-4*\n  more\n# note\n[other]\nx: y\n',
      'shop-0:4.2.0-1.*\n!kernel-5*\n',
      'type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: jq*\nversion: > 1\n',
    ],
    run: async (bytes) => {
      const text = textOf(bytes)
      for (const value of settingsOf([text]).values()) isOn(value)
      wordsIn(text)
      for (const holdsIn of Object.values(holdFiles)) {
        heldBy(holdsIn(text, 'x86_64'), 'shop', '4.2.0')
      }
      const dnf = settingsOf([text])
      heldBy(excludesIn({ dnf }, 'x86_64'), 'shop', '4.2.0')
      await readRpmSettings({ targetRoot: '/', disk: diskWith(bytes) as never })
    },
  },
  {
    ...{ name: 'machine-files', format: 'text' },
    parsers: ['src/world/facts.ts', 'src/world/machine-marks.ts', 'src/reconcile/apply/journal.ts'],
    words: ['\n', '#', '{"at":', '"step":', 'uninitialized'],
    examples: ['# x\ntill-1\n', '{"at":1,"step":"acting","name":"shop"}\n{"at":2\n', 'uninitialized\n'],
    run: async (bytes) => {
      hostnameFrom(textOf(bytes), 'kernel')
      journalLinesOf(bytes)
      await readMachineMarks(diskWith(bytes))
    },
  },
]
