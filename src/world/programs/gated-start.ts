// Programs that run only once their starter has said so, and never if it ends before. A shell waits
// for the word, and then becomes the program: the process stays the same.

import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'
import { codeOf } from '../../model/failure.ts'

const shell = '/bin/sh'

/** What the shell reads the word from. */
export const gateFd = 3

/** The call of the shell. Its standard streams are those of the program; `gateFd` is closed for it. */
export function gatedCall(program: string, args: readonly string[]): { program: string; args: string[] } {
  const script = `read -r go <&${gateFd} || exit 125; exec "$0" "$@" ${gateFd}<&-`
  return { program: shell, args: ['-c', script, program, ...args] }
}

/**
 * Whether the shell can become this program. What cannot be run is better started by itself: the
 * error of the kernel is then the reason.
 */
export async function canBeGated(file: string | undefined): Promise<boolean> {
  if (file === undefined) return false
  try {
    for (const one of [shell, file]) await fs.access(one, constants.X_OK)
    const head = await headOf(file)
    if (head.startsWith('\x7fELF')) return true
    const interpreter = /^#![ \t]*(\/[^\s\0]+)/.exec(head)?.[1]
    if (interpreter === undefined) return false
    await fs.access(interpreter, constants.X_OK)
    return true
  } catch (error) {
    if (codeOf(error) === '') throw error
    return false
  }
}

async function headOf(file: string): Promise<string> {
  const handle = await fs.open(file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
