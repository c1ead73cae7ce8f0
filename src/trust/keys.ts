// Ed25519 keys: created from a seed, named by the SHA-256 of their public half.

import { createPrivateKey, createPublicKey, hash, type KeyObject } from 'node:crypto'
import { Failure } from '../model/failure.ts'
import type { Sha256 } from '../model/names.ts'

/** RFC 8410, section 7: the start of a PKCS #8 Ed25519 key, up to its 32 bytes. */
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex')

export const seedBytes = 32

export function privateKeyFrom(seed: Uint8Array): KeyObject {
  if (seed.byteLength !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes, not ${seed.byteLength}`)
  return createPrivateKey({ key: Buffer.concat([pkcs8Start, seed]), format: 'der', type: 'pkcs8' })
}

/** Accepts Ed25519 only. Throws `untrusted` for anything else. */
export function privateKeyFromPem(pem: string, where: string): KeyObject {
  try {
    return ed25519(createPrivateKey(pem), where)
  } catch (error) {
    throw asUntrusted(error, where)
  }
}

/** `der` is a SubjectPublicKeyInfo. Accepts Ed25519 only. Throws `untrusted` for anything else. */
export function publicKeyFromDer(der: Uint8Array, where: string): KeyObject {
  try {
    return ed25519(createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }), where)
  } catch (error) {
    throw asUntrusted(error, where)
  }
}

export function privateKeyPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'pkcs8' }) as string
}

/** The DER of the SubjectPublicKeyInfo of a public key, or of a private key's public half. */
export function publicKeyDer(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return publicKey.export({ format: 'der', type: 'spki' })
}

/** SHA-256 of the SubjectPublicKeyInfo. */
export function keyIdOf(key: KeyObject): Sha256 {
  return hash('sha256', publicKeyDer(key), 'hex')
}

export function certificatePem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

function ed25519(key: KeyObject, where: string): KeyObject {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Failure('untrusted', `${where}: expected an Ed25519 key, found ${key.asymmetricKeyType}`)
  }
  return key
}

function asUntrusted(error: unknown, where: string): Failure {
  if (error instanceof Failure) return error
  return new Failure('untrusted', `${where}: not an Ed25519 key`, { cause: error })
}
