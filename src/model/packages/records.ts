// Records by names that come from outside.

/**
 * What a record holds by a name from outside. Every JavaScript object has properties that nobody
 * put there (`constructor`, `toString`), and a plain lookup finds them.
 */
export function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}
