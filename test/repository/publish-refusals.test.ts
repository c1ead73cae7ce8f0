// What publish refuses: each with a code, a message that says what is wrong where, and nothing
// changed on disk.

import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import t from 'tap'
import type { FailureCode } from '../../src/model/failure.ts'
import { limits } from '../../src/model/limits.ts'
import type { PublishOptions } from '../../src/repository/published.ts'
import { checkEntries } from '../../src/repository/tree-entries.ts'
import { benchOf, failureOf, greeter, run, snapshotOf, type TreeFile, writeTree } from './workbench.ts'

interface Refusal {
  files?: Record<string, TreeFile>
  /** What files cannot say. */
  make?: (folder: string) => void | Promise<void>
  /** Instead of the folder. */
  path?: (dir: string) => string
  given?: PublishOptions
  code?: FailureCode
  /** FOLDER stands for the folder, DIR for what it lies in. */
  message: string
  hint?: string
}

const describedBy = (text: string) => ({ ...greeter, 'banyan.yaml': text })
const withHook = (hook: string) => describedBy(`name: greeter\nversion: 1.0.0\nhooks:\n  postInstall: ${hook}\n`)
const named = { name: 'odd', version: '1' }
const isRoot = process.getuid?.() === 0

const refusals: Record<string, Refusal> = {
  // Paths.
  'nothing there': {
    path: (dir) => `${dir}/nowhere`,
    code: 'not-found',
    message: 'DIR/nowhere: there is no such file or folder',
  },
  'below a file': {
    path: (dir) => `${dir}/greeter/share/words/x`,
    code: 'not-found',
    message: 'DIR/greeter/share/words/x: there is no such file or folder',
  },
  'a link that leads nowhere': {
    make: (folder) => fs.symlinkSync('nowhere', `${folder}/../link`),
    path: (dir) => `${dir}/link`,
    code: 'not-found',
    message: 'DIR/link: there is no such file or folder',
  },
  'a device': { path: () => '/dev/null', message: '/dev/null: neither a file nor a folder' },
  'some other file': {
    path: (dir) => `${dir}/greeter/share/words`,
    message: 'DIR/greeter/share/words: neither a package nor a folder',
    hint: 'publish a .deb, an .rpm, or a folder with a banyan.yaml',
  },
  'an empty .rpm': {
    make: (folder) => fs.writeFileSync(`${folder}/../a.rpm`, ''),
    path: (dir) => `${dir}/a.rpm`,
    message: 'DIR/a.rpm: the file is empty',
  },
  'a cut .rpm by another name': {
    make: (folder) => fs.writeFileSync(`${folder}/../a.pkg`, Buffer.from('edabeedb0300', 'hex')),
    path: (dir) => `${dir}/a.pkg`,
    message: 'DIR/a.pkg: not a whole rpm package: it is cut off',
  },
  'a file larger than any payload': {
    make: (folder) => {
      fs.writeFileSync(`${folder}/../huge.deb`, '')
      fs.truncateSync(`${folder}/../huge.deb`, limits.payloadMaxBytes + 1)
    },
    path: (dir) => `${dir}/huge.deb`,
    code: 'too-large',
    message: `DIR/huge.deb: ${limits.payloadMaxBytes + 1} bytes are over the limit of ${limits.payloadMaxBytes}`,
  },

  // Names and versions from the command line.
  'a name that leads out': {
    given: { name: '../../etc' },
    message:
      '--name "../../etc": expected a package name: it starts with a letter or digit, then letters, digits, + . _ -',
  },
  'a name that is an option': {
    given: { name: '--root=/' },
    message:
      '--name "--root=/": expected a package name: it starts with a letter or digit, then letters, digits, + . _ -',
  },
  'a version with a line feed': {
    given: { version: '1\n2' },
    message:
      '--version "1\\n2": expected a version: it starts with a letter or digit, then letters, digits, . + : ~ ^ _ -',
  },
  'an empty version': {
    given: { version: '' },
    message: '--version "": expected a version: it starts with a letter or digit, then letters, digits, . + : ~ ^ _ -',
  },

  // banyan.yaml.
  'a folder without banyan.yaml': {
    files: { file: 'x' },
    message: 'FOLDER: there is no banyan.yaml in this folder',
    hint: 'write one with name and version, or publish with --name and --version',
  },
  'no name': {
    files: describedBy('version: 1\n'),
    message: 'FOLDER/banyan.yaml: name is missing',
    hint: 'or publish with --name',
  },
  'no version': {
    files: describedBy('name: greeter\n'),
    message: 'FOLDER/banyan.yaml: version is missing',
    hint: 'or publish with --version',
  },
  'an empty banyan.yaml': { files: describedBy(''), message: 'FOLDER/banyan.yaml: name is missing' },
  'an unknown key': {
    files: describedBy('name: greeter\nversion: 1\nsumary: x\n'),
    message: 'FOLDER/banyan.yaml:3: unknown key "sumary"',
    hint: 'did you mean summary?',
  },
  'an unknown hook': {
    files: describedBy('name: greeter\nversion: 1\nhooks:\n  postinstall: bin/greet\n'),
    message: 'FOLDER/banyan.yaml:4: hooks: unknown key "postinstall"',
    hint: 'did you mean postInstall?',
  },
  'a list for a name': {
    files: describedBy('version: 1\nname: [a]\n'),
    message: 'FOLDER/banyan.yaml:2: name: expected string, got a list',
  },
  'an unknown architecture': {
    files: describedBy('name: greeter\nversion: 1\narch: x86_64\n'),
    message:
      'FOLDER/banyan.yaml:3: arch: expected ("all" | "amd64" | "arm64" | "armhf" | "i386" | "riscv64" | "ppc64el" | "s390x"), got "x86_64"',
  },
  'a pattern that leads out': {
    files: describedBy('name: greeter\nversion: 1\nexclude:\n  - ../*\n'),
    message:
      'FOLDER/banyan.yaml:4: exclude.0: expected a pattern of paths inside the folder, e.g. "**/*.map", got "../*"',
  },
  'a syntax error': {
    files: describedBy('name: "greeter\n'),
    message: 'FOLDER/banyan.yaml:2: missing closing "quote',
  },
  'a banyan.yaml that is far too large': {
    files: describedBy(`name: greeter\n#${'x'.repeat(limits.descriptionMaxBytes)}`),
    code: 'too-large',
    message: `FOLDER/banyan.yaml is larger than ${limits.descriptionMaxBytes} bytes`,
  },

  // What is in the folder.
  'nothing in it': {
    files: { 'banyan.yaml': greeter['banyan.yaml'] },
    message: 'FOLDER: there is nothing in it to publish',
  },
  'nothing but folders': {
    files: { 'banyan.yaml': greeter['banyan.yaml'] },
    make: (folder) => void fs.mkdirSync(`${folder}/a/b`, { recursive: true }),
    message: 'FOLDER: there is nothing in it to publish',
  },
  'everything excluded': {
    files: describedBy('name: greeter\nversion: 1\nexclude: ["**"]\n'),
    message: 'FOLDER: there is nothing in it to publish',
  },
  'a link to an absolute path': {
    files: { ...greeter, 'share/passwd': { link: '/etc/passwd' } },
    message: 'FOLDER/share/passwd: a link to "/etc/passwd", which may lead out of the folder',
    hint: 'write targets relative to the link, with ../ only in front',
  },
  'a link out of the folder': {
    files: { ...greeter, 'share/up': { link: '../../greeter/share' } },
    message: 'FOLDER/share/up: a link to "../../greeter/share", which may lead out of the folder',
  },
  'a link that could lead out by way of another one': {
    files: { ...greeter, 'a/b/up': { link: '../..' }, out: { link: 'a/b/up/../secret' } },
    message: 'FOLDER/out: a link to "a/b/up/../secret", which may lead out of the folder',
  },
  'a named pipe': {
    files: greeter,
    make: (folder) => void run('mkfifo', [`${folder}/pipe`]),
    message: 'FOLDER/pipe: a named pipe, only files, folders and links are published',
  },
  'a socket': {
    files: greeter,
    make: socketIn,
    message: 'FOLDER/socket: a socket, only files, folders and links are published',
  },
  ...(isRoot && {
    'a device in the folder': {
      files: greeter,
      make: (folder: string) => void run('mknod', [`${folder}/null`, 'c', '1', '3']),
      message: 'FOLDER/null: a device, only files, folders and links are published',
    },
  }),
  'a set-user-id file': {
    files: { ...greeter, 'bin/su': { content: 'x', mode: 0o4755 } },
    message: 'FOLDER/bin/su: set-user-id or set-group-id',
    hint: 'chmod ug-s FOLDER/bin/su',
  },
  'a set-group-id file': {
    files: { ...greeter, 'bin/wall': { content: 'x', mode: 0o2755 } },
    message: 'FOLDER/bin/wall: set-user-id or set-group-id',
  },
  'a name with a line feed': {
    files: { ...greeter, 'share/a\nb': 'x' },
    message: 'FOLDER/share/a?b: a name with control characters',
  },
  'a name with an escape sequence': {
    files: { ...greeter, 'share/\u001b[2J': 'x' },
    message: 'FOLDER/share/?[2J: a name with control characters',
  },
  'a name that is not UTF-8': {
    files: greeter,
    make: (folder) => fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/gr`), Buffer.from([0xfc, 0x6e])]), 'x'),
    message: 'FOLDER/grün: a name that is not UTF-8',
  },
  'a link with a line feed in its target': {
    files: { ...greeter, 'share/odd': { link: 'a\nb' } },
    message: 'FOLDER/share/odd: a link whose target is not plain UTF-8',
  },
  'a path longer than nodes take': {
    files: greeter,
    make: (folder) => void fs.mkdirSync(`${folder}/${`${'x'.repeat(200)}/`.repeat(11)}`, { recursive: true }),
    message: `FOLDER/${`${'x'.repeat(200)}/`.repeat(11).slice(0, -1)}: a path of more than ${limits.treePathMaxBytes} bytes`,
  },
  ...(!isRoot && {
    'a file that cannot be read': {
      files: { ...greeter, 'share/secret': { content: 'x', mode: 0 } },
      message: "FOLDER/share/secret: cannot be read: EACCES: permission denied, open 'FOLDER/share/secret'",
    },
  }),

  // Hooks.
  'a hook that does not exist': {
    files: withHook('hooks/install'),
    message: 'FOLDER: the postInstall hook "hooks/install" does not exist',
  },
  'a hook that is excluded': {
    files: describedBy('name: greeter\nversion: 1\nhooks: { preRemove: bin/greet }\nexclude: [bin]\n'),
    message: 'FOLDER: the preRemove hook "bin/greet" does not exist',
  },
  'a hook outside the folder': {
    files: withHook('../../bin/true'),
    message: 'FOLDER: the postInstall hook "../../bin/true" is not a path inside the folder',
  },
  'a hook with an absolute path': {
    files: withHook('/bin/true'),
    message: 'FOLDER: the postInstall hook "/bin/true" is not a path inside the folder',
  },
  'a hook that is a folder': { files: withHook('bin'), message: 'FOLDER: the postInstall hook "bin" is not a file' },
  'a hook that is the folder itself': {
    files: withHook('.'),
    message: 'FOLDER: the postInstall hook "." does not exist',
  },
  'a hook that is not executable': {
    files: withHook('./share/words'),
    message: 'FOLDER: the postInstall hook "./share/words" is not executable',
    hint: 'chmod +x FOLDER/share/words',
  },
  'a hook without an interpreter': {
    files: { ...withHook('bin/x'), 'bin/x': { content: 'echo hello\n', mode: 0o755 } },
    message: 'FOLDER: the postInstall hook "bin/x" is no program: it does not start with #! and an interpreter',
  },
  'a hook with the line ends of Windows': {
    files: { ...withHook('bin/x'), 'bin/x': { content: '#!/bin/sh\r\necho hello\r\n', mode: 0o755 } },
    message: 'FOLDER: the postInstall hook "bin/x" has the line ends of Windows, and its interpreter is not found',
    hint: "sed -i 's/\\r$//' FOLDER/bin/x",
  },
  'a hook with nothing in it': {
    files: withHook('""'),
    message: 'FOLDER: the postInstall hook "" does not exist',
  },
}

async function socketIn(folder: string): Promise<void> {
  // The path of a socket has to be short.
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 's-'))
  const server = net.createServer().listen(`${place}/s`)
  await new Promise((resolve) => server.once('listening', resolve))
  fs.linkSync(`${place}/s`, `${folder}/socket`)
  await new Promise((resolve) => server.close(resolve))
  fs.rmSync(place, { recursive: true })
}

for (const [what, refusal] of Object.entries(refusals)) {
  t.test(`refused: ${what}`, async (t) => {
    const bench = benchOf(t)
    const repository = await bench.open()
    const folder = writeTree(`${bench.dir}/greeter`, refusal.files ?? greeter)
    await refusal.make?.(folder)
    const before = snapshotOf(bench.home)
    const failure = await failureOf(repository.publish(refusal.path?.(bench.dir) ?? folder, refusal.given))
    const filled = (text: string) => text.replaceAll('FOLDER', folder).replaceAll('DIR', bench.dir)
    t.equal(failure.message, filled(refusal.message))
    t.equal(failure.code, refusal.code ?? 'bad-input')
    if (refusal.hint !== undefined) t.equal(failure.hint, filled(refusal.hint))
    t.same(snapshotOf(bench.home), before, 'nothing changed')
    t.same(await repository.packages(), [])
  })
}

t.test('a file that changes while it is read is refused', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/odd`, { a: 'x'.repeat(100), b: 'y'.repeat(100) })
  const before = snapshotOf(bench.home)
  for (const size of [99, 101]) {
    const onProgress = () => fs.truncateSync(`${folder}/b`, size)
    const failure = await failureOf(repository.publish(folder, { ...named, onProgress }))
    t.match(failure, { code: 'conflict', retry: 'later', message: `${folder}/b: changed while it was read` })
    t.same(snapshotOf(bench.home), before)
    fs.writeFileSync(`${folder}/b`, 'y'.repeat(100))
  }
})

t.test('a file that becomes a link while the folder is read is not followed', async (t) => {
  const bench = benchOf(t)
  const repository = await bench.open()
  const folder = writeTree(`${bench.dir}/odd`, { a: 'x', b: 'y' })
  const onProgress = () => {
    fs.rmSync(`${folder}/b`)
    fs.symlinkSync('/etc/hostname', `${folder}/b`)
  }
  const failure = await failureOf(repository.publish(folder, { ...named, onProgress }))
  t.match(failure, { code: 'bad-input', message: /odd\/b: cannot be read: ELOOP/ })
})

t.test('links inside a folder stay inside, so they are fine', async (t) => {
  const file = { kind: 'file', path: 'a/b/file', size: 1, executable: false } as const
  for (const target of ['file', './file', '../b/file', '../../a', '../..', 'not/there', '..//b', '../../']) {
    t.doesNotThrow(() => checkEntries('/x', [file, { kind: 'link', path: 'a/b/link', target }], {}), target)
  }
  for (const target of ['../../..', '../../../x', 'file/..', '../../a/../b', '/', '/x', './../../../x']) {
    t.throws(
      () => checkEntries('/x', [file, { kind: 'link', path: 'a/b/link', target }], {}),
      { code: 'bad-input' },
      target,
    )
  }
})
