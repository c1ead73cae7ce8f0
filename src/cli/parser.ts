// The set-up of yargs: every command with its options, help, completion, and usage errors in our
// own words.

import yargs, { type Argv } from 'yargs'
import packageJson from '../../package.json' with { type: 'json' }
import { didYouMean } from '../model/yaml/nearest.ts'
import { type Arguments, type Command, UsageError } from './command.ts'

export const completionCommand = 'completion'

export function parserFor(
  args: readonly string[],
  commands: readonly Command[],
  run: (command: Command, args: Arguments) => Promise<void>,
): Argv {
  const parser = yargs(withoutDoubleDash(args))
    .scriptName('banyan')
    .usage('Usage: $0 <command> [options]')
    // Messages are read by scripts too, so they must not depend on the caller's language.
    .detectLocale(false)
    .parserConfiguration({
      'boolean-negation': false,
      'dot-notation': false,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
  for (const command of commands) {
    parser.command({
      command: command.command,
      describe: command.describe,
      builder: command.builder,
      handler: (values) => run(command, values),
    })
  }
  return (
    parser
      .completion(completionCommand, 'print a completion script for bash, zsh or fish')
      .demandCommand(1, 'no command given')
      .strict()
      .strictCommands()
      .help()
      // `publish` has an option --version of its own: the package's version.
      .version(args.includes('publish') ? false : packageJson.version)
      .exitProcess(false)
      .showHelpOnFail(false)
      .fail((message, error) => {
        throw usageErrorOf(message, error, args, commands)
      })
      .wrap(Math.min(process.stdout.columns || 100, 120))
      .example('$0 init --home /srv/root', 'make a root')
      .example('$0 token create --ttl 1h', 'let one node join')
      .example('$0 publish ./shop shop-db_2.1_amd64.deb', 'take packages into the repository')
      .example('$0 plan', 'show what releasing the policy would change')
      .example('$0 release -m "shop 4.2"', 'sign and publish the policy')
      .example('$0 check --json', 'show what differs on this machine')
      .epilogue(
        'Exit codes: 0 done, 1 failed, 2 wrong usage, 3 differences exist (check, plan).\n' +
          'Environment: BANYAN_HOME replaces the default of --home; BANYAN_DEBUG=1 shows the stacks of errors.\n' +
          'Manual: man banyan',
      )
  )
}

// yargs does not pass on what follows `--`. The arguments there are paths, which may start with a
// dash.
function withoutDoubleDash(args: readonly string[]): string[] {
  const at = args.indexOf('--')
  if (at < 0 || args[0] === '--get-yargs-completions') return [...args]
  return [...args.slice(0, at), ...args.slice(at + 1).map((arg) => (arg.startsWith('-') ? `./${arg}` : arg))]
}

/** yargs reports wrong usage as a message; an error that a command threw is passed through. */
function usageErrorOf(
  message: string | null,
  error: Error | undefined,
  args: readonly string[],
  commands: readonly Command[],
): Error {
  if (error !== undefined && error.name !== 'YError') return error
  const text = (message ?? error?.message ?? 'wrong usage').replaceAll(/\s+/g, ' ')
  const called = commands.find(({ command }) => args.includes(nameOf(command)))
  const hint = called === undefined ? 'see banyan --help' : `see banyan ${nameOf(called.command)} --help`
  const unknown = /^Unknown (command|argument)s?: (.*)$/.exec(text)
  const word = unknown?.[2] ?? ''
  if (unknown?.[1] === 'command' && called !== undefined) return new UsageError(`unexpected argument ${word}`, hint)
  if (unknown?.[1] === 'command') {
    const known = [...commands.map(({ command }) => nameOf(command)), completionCommand]
    return new UsageError(`unknown command ${word}`, didYouMean(word, known) ?? hint)
  }
  if (unknown?.[1] === 'argument') {
    // yargs reports options without their dashes.
    const typed = args.find((arg) => arg.replace(/^-+|=.*$/g, '') === word)
    return new UsageError(`unknown argument ${typed?.replace(/=.*$/, '') ?? word}`, hint)
  }
  if (text.startsWith('Not enough non-option arguments') && called !== undefined) {
    return new UsageError(`banyan ${called.command}: an argument is missing`, hint)
  }
  return new UsageError(text.slice(0, 1).toLowerCase() + text.slice(1), hint)
}

function nameOf(command: string): string {
  return command.split(' ', 1)[0] ?? ''
}
