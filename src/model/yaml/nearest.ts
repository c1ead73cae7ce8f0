// The known name that somebody probably meant to write.

/**
 * The candidate with the fewest single-letter edits from `word`, if there are so few that a typing
 * error explains them.
 */
export function nearestTo(word: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined
  // At most one edit for every three letters; more edits make a different word.
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= fewest) continue
    const edits = editsBetween(word.toLowerCase(), candidate.toLowerCase())
    if (edits < fewest) {
      nearest = candidate
      fewest = edits
    }
  }
  return nearest
}

/** `did you mean NAME?`, or undefined if no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = nearestTo(word, candidates)
  return nearest === undefined ? undefined : `did you mean ${nearest}?`
}

/**
 * The number of insertions, deletions, replacements, and swaps of neighbours (optimal string
 * alignment).
 */
function editsBetween(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1]
      let edits = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      )
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, (beforePrevious[column - 2] ?? 0) + 1)
      }
      current.push(edits)
    }
    beforePrevious = previous
    previous = current
  }
  return previous[b.length] ?? a.length
}
