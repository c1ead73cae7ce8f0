// The line of a program's output that says how it ended: the last one.

/** Without white space around it; empty if the program printed nothing. */
export function lastLineOf(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() ?? ''
}
