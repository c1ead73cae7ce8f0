// Wrong usage, as a person or a script sees it: one error line, a hint, exit code 2, nothing on
// standard output.

import t from 'tap'
import { runBanyan } from './run-banyan.ts'

const wrong: [args: string[], error: string, hint: string | undefined][] = [
  [[], 'no command given', 'see banyan --help'],
  [['nods'], 'unknown command nods', 'did you mean node?'],
  [['xyzzy'], 'unknown command xyzzy', 'see banyan --help'],
  [['nodes', '--colour=red'], 'unknown argument --colour', 'see banyan nodes --help'],
  [['nodes', 'extra'], 'unexpected argument extra', 'see banyan nodes --help'],
  [['node-info'], 'banyan node-info <name>: an argument is missing', 'see banyan node-info --help'],
  [['status', '--home'], 'not enough arguments following: home', 'see banyan status --help'],
  [['status', '--home='], '--home is empty', undefined],
  [['node-info', ''], '<name> is empty', undefined],
  [['publish', 'a', ''], '<path> is empty', undefined],
  [['status', '--home', 'a', '--home', 'b'], '--home is given more than once', undefined],
  [['token', 'list'], 'invalid values: Argument: action, Given: "list", Choices: "create"', 'see banyan token --help'],
  [
    ['token', 'create', '--ttl', '5 minutes'],
    '--ttl: expected a duration such as 30s, 10m, 2h or 7d, not 5 minutes',
    undefined,
  ],
  [['token', 'create', '--uses', '0'], '--uses: expected a whole number from 1 to 100000, not 0', undefined],
  [
    ['init', '--control-port', '65536'],
    '--control-port: expected a whole number from 0 to 65535, not 65536',
    undefined,
  ],
  [['join', 'token', '--label', 'role'], '--label: expected KEY=VALUE, not role', undefined],
  [['join', 'token', '--label', 'a=1', '--label', 'a=2'], '--label: a is given more than once', undefined],
  [
    ['publish', 'a', 'b', '--name', 'c'],
    '--name and --version are for one path at a time',
    'publish the paths one by one',
  ],
]

for (const [args, error, hint] of wrong) {
  t.test(`banyan ${args.join(' ')}: ${error}`, async (t) => {
    const ended = await runBanyan(args)
    t.equal(ended.stderr, `error: ${error}\n${hint === undefined ? '' : `hint: ${hint}\n`}`)
    t.match(ended, { code: 2, stdout: '' })
  })
}

t.test('messages do not depend on the language of the caller', async (t) => {
  const { stderr } = await runBanyan(['nodes', '--colour'], { env: { LANG: 'de_DE.UTF-8', LC_ALL: 'de_DE.UTF-8' } })
  t.match(stderr, 'error: unknown argument --colour')
})

t.test('a command without a running daemon fails with exit code 1 and says how to start one', async (t) => {
  const home = t.testdir()
  const ended = await runBanyan(['status'], { env: { BANYAN_HOME: home } })
  t.match(ended, { code: 1, stdout: '' })
  t.equal(
    ended.stderr,
    `error: no daemon answers at ${home}/run/control.sock\n` +
      'hint: start it with `banyan node`, or name its folder with --home\n',
  )
})

t.test('a stack is shown only to who asks for it', async (t) => {
  const { stderr } = await runBanyan(['status', '--home', t.testdir()], { env: { BANYAN_DEBUG: '1' } })
  t.match(stderr, /^error: .*\nhint: .*\nFailure: .*\n +at /)
})

t.test('help names every command, the exit codes and an example', async (t) => {
  const { code, stdout } = await runBanyan(['--help'])
  t.equal(code, 0)
  for (const command of ['init', 'node', 'token', 'join', 'publish', 'packages', 'release', 'nodes', 'check', 'why']) {
    t.match(stdout, new RegExp(`^  banyan ${command} `, 'm'))
  }
  t.match(stdout, 'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 differences exist')
  t.match(stdout, /^ {2}banyan token create --ttl 1h /m)
})

t.test('the shell gets commands and options to complete', async (t) => {
  t.match((await runBanyan(['completion'])).stdout, /complete .* banyan$/m)
  const complete = async (...words: string[]) =>
    (await runBanyan(['--get-yargs-completions', 'banyan', ...words])).stdout.split('\n')
  t.ok((await complete('no')).includes('node-info'))
  t.ok((await complete('token', 'create', '--')).includes('--ttl'))
})
