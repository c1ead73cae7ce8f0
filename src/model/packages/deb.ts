// Names and versions as dpkg reads them. Other texts than these never stand in its database, so a
// manifest with another text would never be reached on a node.

/** dpkg knows every package by small letters (`OCO-Probe` is `oco-probe`). */
export function debNameOf(text: string): string {
  return text.toLowerCase()
}

/**
 * Without an epoch of 0, and without zeros before the epoch: dpkg prints `0:1.0-1` as `1.0-1`. Where
 * another colon follows, dpkg prints the 0 too: `0:11:1.0` is not the version 1.0 of epoch 11.
 */
export function debVersionOf(text: string): string {
  const [, epoch, rest] = /^0*(\d+):(.*)$/s.exec(text) ?? []
  if (epoch === undefined || rest === undefined) return text
  return epoch === '0' && !rest.includes(':') ? rest : `${epoch}:${rest}`
}

const epochMax = 2 ** 31 - 1

/** Why dpkg refuses a version; undefined if it takes it. */
export function problemOfDebVersion(text: string): string | undefined {
  const colon = text.indexOf(':')
  const epoch = colon < 0 ? '0' : text.slice(0, colon)
  if (!/^\d+$/.test(epoch) || Number(epoch) > epochMax) return 'its epoch is no number that dpkg takes'
  const rest = text.slice(colon + 1)
  const dash = rest.lastIndexOf('-')
  const [upstream, revision] = dash < 0 ? [rest, undefined] : [rest.slice(0, dash), rest.slice(dash + 1)]
  if (upstream === '') return 'nothing stands for the version itself'
  if (revision === '') return 'nothing follows its last dash'
  if (!/^\d/.test(upstream)) return 'it does not start with a digit'
  const [odd] = /[^A-Za-z0-9.+~:-]/.exec(upstream) ?? /[^A-Za-z0-9.+~]/.exec(revision ?? '') ?? []
  return odd === undefined ? undefined : `dpkg allows no ${JSON.stringify(odd)} in it`
}
