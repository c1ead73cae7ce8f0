// `banyan join`: makes a node of a tree, or gives a node of it another key and certificate.

import { text } from 'node:stream/consumers'
import {
  type Arguments,
  type Command,
  type ExitCode,
  exitCodes,
  homeOf,
  newNodeOf,
  newNodeOptions,
  optionalTextOf,
  positionalOf,
  textsOf,
  UsageError,
} from '../command.ts'
import { note, print } from '../output.ts'

export const joinCommand: Command = {
  command: 'join <token>',
  describe: 'make this machine a node of a tree',
  builder: (argv) =>
    newNodeOptions(
      argv.positional('token', {
        type: 'string',
        describe: 'what banyan token create printed, or - to read it from standard input',
      }),
    )
      .option('parent', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe:
          "https://[NAME@]ADDRESS:PORT of a parent; may be repeated, the preferred one first (default: the token's)",
      })
      .option('site', {
        type: 'string',
        requiresArg: true,
        describe: 'the place where the node is (default: its network)',
      })
      .option('again', {
        type: 'boolean',
        default: false,
        describe: 'this home is a node already: give it a new key and certificate, and keep what is installed',
      })
      .option('label', { type: 'string', array: true, requiresArg: true, describe: 'KEY=VALUE; may be repeated' })
      .example('$0 join - --name shop-7 <token.txt', '')
      .example('$0 join --again "$TOKEN"', '')
      .example('$0 join "$TOKEN" --name shop-7 --site berlin --label role=shop', ''),
  run: async (args) => {
    if (args['again'] === true) return await joinAgain(args)
    const parents = textsOf(args, 'parent')
    const site = optionalTextOf(args, 'site')
    const options = {
      ...newNodeOf(args),
      token: await tokenOf(positionalOf(args, 'token')),
      labels: labelsOf(textsOf(args, 'label')),
      ...(parents.length > 0 && { parents }),
      ...(site !== undefined && { site }),
    }
    const { joinTree } = await import('../../node/setup/join.ts')
    const joined = await joinTree(options)
    for (const each of joined.notes) await note(`note: ${each}`)
    await print(
      [
        `${joined.name} joined below ${joined.parent}; its home is ${joined.home}`,
        `next: banyan node --home ${joined.home}`,
      ].join('\n'),
    )
    return exitCodes.done
  },
}

/** The settings stay, but for the name and the parents. */
async function joinAgain(args: Arguments): Promise<ExitCode> {
  for (const option of ['site', 'label', 'listen', 'control-port', 'swarm-port', 'target-root']) {
    if (args[option] === undefined) continue
    throw new UsageError(`--${option} is not taken together with --again`, 'change it in node.yaml, then banyan reload')
  }
  const parents = textsOf(args, 'parent')
  const name = optionalTextOf(args, 'name')
  const { joinTreeAgain } = await import('../../node/setup/join-again.ts')
  const joined = await joinTreeAgain({
    home: homeOf(args),
    token: await tokenOf(positionalOf(args, 'token')),
    ...(name !== undefined && { name }),
    ...(parents.length > 0 && { parents }),
  })
  const next = joined.isTaken ? 'the daemon goes on with it' : `next: banyan node --home ${joined.home}`
  await print(`${joined.name} has a new certificate by ${joined.parent}; what is installed stays\n${next}`)
  return exitCodes.done
}

/**
 * `-` reads the token from standard input: every user of the machine can read the arguments of a
 * process.
 */
async function tokenOf(given: string): Promise<string> {
  if (given !== '-') return given
  return (await text(process.stdin)).trim()
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`--label: expected KEY=VALUE, not ${text}`)
    const key = text.slice(0, at)
    if (labels.has(key)) throw new UsageError(`--label: ${key} is given more than once`)
    labels.set(key, text.slice(at + 1))
  }
  return Object.fromEntries(labels)
}
