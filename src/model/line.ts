// Text from elsewhere as one line that a terminal and a message can take.

import { limits } from './limits.ts'

/** Without control characters, at most `limits.textMaxChars` long. */
export function lineOf(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: taking them out is the point.
  return text.replace(/[\u0000-\u001f\u007f]+/g, ' ').slice(0, limits.textMaxChars)
}
