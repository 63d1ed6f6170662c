import { readFileSync } from 'node:fs'
import { z } from 'zod'

const manifest = z.object({ version: z.string() })

/** The version lies in package.json: beside `src/` in a checkout, one folder further up in a package. */
export function programVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const url = new URL(path, import.meta.url)
    const text = readIfThere(url)
    if (text !== null) return manifest.parse(JSON.parse(text)).version
  }
  return '0.0.0'
}

function readIfThere(url: URL): string | null {
  try {
    return readFileSync(url, 'utf8')
  } catch {
    return null
  }
}

export function userAgent(): string {
  return `slipway/${programVersion()}`
}
