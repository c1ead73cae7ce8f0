// Maps that cannot grow without end.

import { LRUCache } from 'lru-cache'

/**
 * A map that removes its oldest entry once it holds more than `max`. Setting a key again makes the
 * entry the newest.
 */
export class BoundedMap<K, V> extends Map<K, V> {
  // A field initialiser runs after `super()`, which may call `set`; so the constructor takes no
  // entries.
  readonly #max: number

  constructor(max: number) {
    super()
    this.#max = max
  }

  override set(key: K, value: V): this {
    this.delete(key)
    super.set(key, value)
    for (const oldest of this.keys()) {
      if (this.size <= this.#max) break
      this.delete(oldest)
    }
    return this
  }
}

/**
 * A map that removes the entry that was not used for the longest time. Reading an entry counts as
 * use. `onRemoved` gets each entry that the map removes by itself.
 */
export function recentlyUsed<K extends {}, V extends {}>(
  max: number,
  onRemoved?: (value: V, key: K) => void,
): LRUCache<K, V> {
  return new LRUCache<K, V>({
    max,
    ...(onRemoved !== undefined && {
      dispose: (value, key, reason) => {
        if (reason === 'evict') onRemoved(value, key)
      },
    }),
  })
}
