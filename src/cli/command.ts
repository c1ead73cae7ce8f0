// What a command is, and how it reads its arguments.

import path from 'node:path'
import type { Argv } from 'yargs'
import { controlPortDefault, swarmPortDefault } from '../model/ports.ts'

export const exitCodes = { done: 0, failed: 1, usage: 2, differences: 3 } as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export type Arguments = Readonly<Record<string, unknown>>

export interface Command {
  /** In yargs' notation: the name, then `<required>` and `[optional]` positional arguments. */
  command: string
  describe: string
  builder(argv: Argv): Argv
  run(args: Arguments): Promise<ExitCode>
}

/** The program was called wrongly. */
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
    describe: 'folder with everything that the node stores',
    default: process.env['BANYAN_HOME'] || '/var/lib/banyan',
    defaultDescription: '$BANYAN_HOME or /var/lib/banyan',
  })
}

export function jsonOption(argv: Argv): Argv {
  return argv.option('json', { type: 'boolean', default: false, describe: 'print JSON' })
}

/** The options of a new node, whether it becomes a root or joins a tree. */
export function newNodeOptions(argv: Argv): Argv {
  return homeOption(argv)
    .option('name', { type: 'string', requiresArg: true, describe: "the node's name (default: the machine's name)" })
    .option('listen', { type: 'string', requiresArg: true, describe: 'address to listen on (default: all)' })
    .option('control-port', {
      type: 'string',
      requiresArg: true,
      describe: `port for control traffic (default: ${controlPortDefault})`,
    })
    .option('swarm-port', {
      type: 'string',
      requiresArg: true,
      describe: `port for pieces (default: ${swarmPortDefault})`,
    })
    .option('target-root', {
      type: 'string',
      requiresArg: true,
      describe: 'folder to install packages below (default: /)',
    })
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

/** An absolute path. */
export function homeOf(args: Arguments): string {
  return path.resolve(textOf(args, 'home'))
}

export function jsonOf(args: Arguments): boolean {
  return args['json'] === true
}

/** The value of a positional argument. Throws a UsageError if it is empty. */
export function positionalOf(args: Arguments, name: string): string {
  return positionalsOf(args, name)[0] ?? ''
}

/** Every value of a positional argument that takes several. Throws a UsageError if one is empty. */
export function positionalsOf(args: Arguments, name: string): string[] {
  const values = [args[name] ?? ''].flat().map(String)
  if (values.includes('')) throw new UsageError(`<${name}> is empty`)
  return values
}

/** The value of an option with a default. Throws a UsageError if it is empty. */
export function textOf(args: Arguments, name: string): string {
  const value = optionalTextOf(args, name)
  if (value === undefined) throw new UsageError(`${name} is missing`)
  return value
}

/**
 * The value of an option, or undefined. Throws a UsageError if it is empty or given more than once.
 */
export function optionalTextOf(args: Arguments, name: string): string | undefined {
  const value = args[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UsageError(`${shown(name)} is given more than once`)
  if (typeof value !== 'string' || value === '') throw new UsageError(`${shown(name)} is empty`)
  return value
}

/** Every value of an option that may be repeated. Throws a UsageError if one is empty. */
export function textsOf(args: Arguments, name: string): string[] {
  const values = [args[name] ?? []].flat().map(String)
  if (values.includes('')) throw new UsageError(`${shown(name)} is empty`)
  return values
}

/**
 * The value of an option that takes a whole number from `min` to `max`. Throws a UsageError for
 * anything else.
 */
export function countOf(args: Arguments, name: string, min: number, max: number): number | undefined {
  const text = optionalTextOf(args, name)
  if (text === undefined) return undefined
  const count = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(count >= min && count <= max)) {
    throw new UsageError(`${shown(name)}: expected a whole number from ${min} to ${max}, not ${text}`)
  }
  return count
}

/**
 * The value of a positional argument that takes a whole number from 1. Throws a UsageError for
 * anything else.
 */
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
