// Two shared libraries of one function, for i386 and amd64, packed. rpm tells from such files for
// which architecture a package is, and only then two of one name stand side by side. Made by
// `gcc [-m32] -shared -nostdlib -s -Wl,-soname,libfo.so.1` of `int f(void) { return 1; }`.

import * as fs from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** Writes the library as `libfo.so` into a folder. Returns its path. */
export function writeLibrary(folder: string, arch: 'amd64' | 'i386'): string {
  const file = `${folder}/libfo-${arch}.so`
  fs.writeFileSync(file, gunzipSync(Buffer.from(packed[arch], 'base64')), { mode: 0o755 })
  // The same each time, so that a package of it is built once.
  fs.utimesSync(file, 0, 0)
  return file
}

const packed = {
  i386: [
    'H4sIAAAAAAACA5VSwUrDQBCdpLHUtoiKggeFHBQrxaUp9eLBS9VePOjBo9ikTU2hSSTZgoWCV8WP8VLEe3+hv1DwA6pH',
    '6052QkPtQSe83czMm9nZmX08uzhXFAViSYkv1iq4qPG/DhoUIAvLMGNL2VYkllBZhcgf2dYkOiCRJr8656+DBPo1gasx',
    'b8ICScvwKF4hRGdmZEW45t7UX3FoV8WyIfZ1PKEFnbbV8lnoMwOun8cfecwUiNzvyL0Zvmi7Q4CVqB8An99Tf0BnTaiO',
    'kUAWJCdHdf1X8O6x1KrVY71waltt09ONMiuz0qFRKTZtyyh3jQMyAbDQCXnATQvYnddljhk6wJo9L+y5cucBMG4/cGC2',
    'c9sKTNeO7KbbbogQn7P7jvA1fNe1Pf73WvGOX9Opj90dEPTZ84jmhtgkrko9GhEvRXPQqFc7ZFOppxPqZXJmKHv0n6YZ',
    'IrYW8IrxnBPvMSka7UeUK0X9R16d9JiXETihfGjvC15fKPm5fIga8UpkfxLK/lx9SiJXLK/CcLngHj+M/lN7kAMAAA==',
  ].join(''),
  amd64: [
    'H4sIAAAAAAACA6t39XFjYmRkgAFmBjsGBI+BwQFKFwggi1kwsAJJTgYOsFpWBtzgAiMqzQA1B8RlA5nFDzVTHpU+wIBK',
    'w/QxkaiPA0oHPi1JYWMgHsC8GwTUx0KCfTBvMkHZMH9CgwquhnsbE177QWqEGFgY9kF1ccMk0hhyMpPS8vWK8/UMGUI9',
    'Op/uAKmIPcwwCkbBKBgFo2AUjIJRMApGwSgYBaOAloAP3m+GgK///ueD6Ahovw3WN94A5cP6oA1QPheaObB+ngSd3O/u',
    '7GyloOGSmpSZmKdgaKRnpGega2iinZKaZGhUaqgJFWJg0CvOKC4pKklMYtBLzyvVy0gszmDQS6nMK67MhdAlRQx6JakV',
    'JQx6qRnxaUWJualg8cTczGQGveT83NzUvBIquBcUPt/+/8+H9Z5h4QyjVZD638j9fxgQhZrBhBYPMNoAKT4ZkfTD4kMW',
    'KseEFq8wmg9LPx4ZqCKPCQABrH+P0c/HoV8bKsaEa3wFDaD73xRqNyy9wscz+FHHMZjR9MPGQ+yg9hvgGDBRx+F+ZJoZ',
    'izvVofrdCfgfAL+Os/6wEgAA',
  ].join(''),
}
