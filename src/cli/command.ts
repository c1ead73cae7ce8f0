// What a command is, and how it reads its arguments.

import path from 'node:path'
import type { Argv } from 'yargs'

export const exitCodes = { done: 0, failed: 1, usage: 2, differences: 3 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export type Arguments = Readonly<Record<string, unknown>>

export interface Command {
  /** yargs' notation: the name, then `<demanded>` and `[optional]` positionals. */
  command: string
  describe: string
  builder(argv: Argv): Argv
  run(args: Arguments): Promise<ExitCode>
}

/** Somebody called the program wrongly. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly hint: string | undefined

  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

export function homeOption(argv: Argv): Argv {
  return argv.option('home', {
    type: 'string',
    requiresArg: true,
    describe: 'folder with everything that the node keeps',
    default: process.env['BANYAN_HOME'] || '/var/lib/banyan',
    defaultDescription: '$BANYAN_HOME or /var/lib/banyan',
  })
}

export function jsonOption(argv: Argv): Argv {
  return argv.option('json', { type: 'boolean', default: false, describe: 'print JSON' })
}

/** What a new node needs to know about itself, whether it becomes a root or joins a tree. */
export function newNodeOptions(argv: Argv): Argv {
  return homeOption(argv)
    .option('name', { type: 'string', requiresArg: true, describe: "the node's name (default: the machine's)" })
    .option('listen', { type: 'string', requiresArg: true, describe: 'address to listen on (default: all)' })
    .option('control-port', { type: 'string', requiresArg: true, describe: 'port for control traffic (default: 7420)' })
    .option('swarm-port', { type: 'string', requiresArg: true, describe: 'port for pieces (default: 7421)' })
    .option('target-root', { type: 'string', requiresArg: true, describe: 'install below this folder (default: /)' })
}

export interface NewNode {
  home: string
  name?: string
  listen?: string
  controlPort?: number
  swarmPort?: number
  targetRoot?: string
}

export function newNodeOf(args: Arguments): NewNode {
  const name = optionalTextOf(args, 'name')
  const listen = optionalTextOf(args, 'listen')
  const controlPort = portOf(args, 'control-port')
  const swarmPort = portOf(args, 'swarm-port')
  const targetRoot = optionalTextOf(args, 'target-root')
  return {
    home: homeOf(args),
    ...(name !== undefined && { name }),
    ...(listen !== undefined && { listen }),
    ...(controlPort !== undefined && { controlPort }),
    ...(swarmPort !== undefined && { swarmPort }),
    ...(targetRoot !== undefined && { targetRoot: path.resolve(targetRoot) }),
  }
}

/** Absolute. */
export function homeOf(args: Arguments): string {
  return path.resolve(textOf(args, 'home'))
}

export function jsonOf(args: Arguments): boolean {
  return args['json'] === true
}

/** Of an argument that stands by its place. */
export function positionalOf(args: Arguments, name: string): string {
  return positionalsOf(args, name)[0] ?? ''
}

export function positionalsOf(args: Arguments, name: string): string[] {
  const values = [args[name] ?? ''].flat().map(String)
  if (values.includes('')) throw new UsageError(`<${name}> is empty`)
  return values
}

/** Of an option with a default. */
export function textOf(args: Arguments, name: string): string {
  const value = optionalTextOf(args, name)
  if (value === undefined) throw new UsageError(`${name} is missing`)
  return value
}

export function optionalTextOf(args: Arguments, name: string): string | undefined {
  const value = args[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UsageError(`${shown(name)} is given more than once`)
  if (typeof value !== 'string' || value === '') throw new UsageError(`${shown(name)} is empty`)
  return value
}

/** Every value of an option that may be given more than once. */
export function textsOf(args: Arguments, name: string): string[] {
  const values = [args[name] ?? []].flat().map(String)
  if (values.includes('')) throw new UsageError(`${shown(name)} is empty`)
  return values
}

/** A whole number from `min` to `max`. */
export function countOf(args: Arguments, name: string, min: number, max: number): number | undefined {
  const text = optionalTextOf(args, name)
  if (text === undefined) return undefined
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(count >= min && count <= max)) {
    throw new UsageError(`${shown(name)}: expected a whole number from ${min} to ${max}, not ${text}`)
  }
  return count
}

/** The same of an argument that stands by its place, from 1. */
export function countArgumentOf(args: Arguments, name: string): number {
  const text = positionalOf(args, name)
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new UsageError(`<${name}>: expected a whole number from 1, not ${text}`)
  return Number(text)
}

function portOf(args: Arguments, name: string): number | undefined {
  return countOf(args, name, 0, 65535)
}

function shown(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`
}
